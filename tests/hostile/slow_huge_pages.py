#!/usr/bin/python3
"""slow_huge_pages.py LIBRARY FOLDER: with huge pages everywhere, nowhere, and as asked for.

Sets the machine's switch, where it may, and puts it back. Small objects must not swell: LOW,
where they lie, is never backed by huge pages.
"""
import os
import re
import subprocess
import sys
from pathlib import Path

SWITCH = Path("/sys/kernel/mm/transparent_hugepage/enabled")

# Live small objects all over the heap, and how much of it huge pages back.
PROBE = """
import re
keep = [bytes(600) for _ in range(200000)][::2]
text = open("/proc/self/smaps").read()
print(sum(int(kib) for kib in re.findall(r"^AnonHugePages: *(\\d+)", text, re.M)))
"""


def run(command, library, **variables):
    done = subprocess.run(command, env={"LD_PRELOAD": library, "PATH": "/usr/bin:/bin",
                                        **variables},
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {done.returncode}: {done.stdout.decode()[:500]}")
    return done.stdout


def check(library, folder, mode):
    output = run([f"{folder}/hostile_surroundings_work"], library)
    if output:
        raise RuntimeError(f"{mode}: it says {output.decode()[:300]}")
    kib = int(run(["/usr/bin/python3", "-c", PROBE], library, PYTHONMALLOC="malloc"))
    print(f"huge_pages: {mode}: {kib} KiB of a heap of small objects are huge pages")
    if kib > 4096:
        raise RuntimeError(f"{mode}: {kib} KiB of huge pages below small objects")


def main():
    library, folder = sys.argv[1:3]
    if not os.access(SWITCH, os.W_OK):
        print(f"huge_pages: {SWITCH} cannot be written here: only as it is")
        check(library, folder, "as it is")
        return 0
    before = re.search(r"\[(\w+)\]", SWITCH.read_text())[1]
    try:
        for mode in "always", "never", "madvise":
            SWITCH.write_text(mode)
            check(library, folder, mode)
    except RuntimeError as error:
        print(f"huge_pages: {error}")
        return 1
    finally:
        SWITCH.write_text(before)
    return 0


if __name__ == "__main__":
    sys.exit(main())
