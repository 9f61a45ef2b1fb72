#!/usr/bin/python3
"""slow_huge_pages.py LIBRARY FOLDER: with huge pages everywhere, nowhere, and as asked for.

Sets the machine's switch, where it may, and puts it back. A small heap has no huge pages, a large
one has them from 128 MiB on, unless system or user want none.
"""
import os
import re
import subprocess
import sys
from pathlib import Path

SWITCH = Path("/sys/kernel/mm/transparent_hugepage/enabled")

# So many live small objects all over the heap, and how much of it huge pages back.
PROBE = """
import re, sys
keep = [bytes(600) for _ in range(int(sys.argv[1]))][::2]
text = open("/proc/self/smaps").read()
print(sum(int(kib) for kib in re.findall(r"^AnonHugePages: *(\\d+)", text, re.M)))
"""
SMALL, LARGE = 100000, 400000	# objects: 60 and 240 MB


def run(command, library, **variables):
    done = subprocess.run(command, env={"LD_PRELOAD": library, "PATH": "/usr/bin:/bin",
                                        **variables},
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {done.returncode}: {done.stdout.decode()[:500]}")
    return done.stdout


def huge_kib(library, nr_objects, **variables):
    return int(run(["/usr/bin/python3", "-c", PROBE, str(nr_objects)], library,
                   PYTHONMALLOC="malloc", **variables))


def check(library, folder, mode):
    output = run([f"{folder}/hostile_surroundings_work"], library)
    if output:
        raise RuntimeError(f"{mode}: it says {output.decode()[:300]}")
    if huge_kib(library, SMALL):
        raise RuntimeError(f"{mode}: a small heap has huge pages")
    if huge_kib(library, LARGE, STITCH_CONF="thp=never"):
        raise RuntimeError(f"{mode}: thp=never has huge pages")
    kib = huge_kib(library, LARGE)
    print(f"huge_pages: {mode}: {kib} KiB of a large heap are huge pages")
    if mode != "as it is" and (kib > 0) != (mode != "never"):
        raise RuntimeError(f"{mode}: {kib} KiB of huge pages below a large heap")


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
