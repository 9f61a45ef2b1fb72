#!/usr/bin/python3
"""first_and_last.py LIBRARY FOLDER: every exported function as the first and as the last call.

The names come from preload/exports.map, so that none is forgotten; each is called in a process
of its own at each stage of first_and_last_work.c and of libraries/first_and_last.cc, the latter
preloaded before and behind ours. A process in which the call was made ends with 42. (glibc's loader
has allocated by then: what truly comes first is in unit/preload/test_first_call.c.)
"""
import os
import re
import subprocess
import sys
from pathlib import Path

MADE = 42
STAGES = ["preinit", "thread", "key", "local", "atexit", "fini"]


def exported():
    text = (Path(__file__).parents[2] / "preload/exports.map").read_text()
    text = re.sub(r"#.*", "", text.split("local:")[0].split("global:")[1])
    return re.findall(r"[^;\s]+", text)


def run(work, preload, arguments, **variables):
    environment = {"PATH": os.environ["PATH"], "LD_PRELOAD": preload, **variables}
    done = subprocess.run([work, *arguments], env=environment, stderr=subprocess.PIPE,
                          stdout=subprocess.PIPE, timeout=60)
    return done.returncode, done.stdout + done.stderr


def attempts(library, folder, name):
    work = f"{folder}/hostile_first_and_last_work"
    other = f"{folder}/libhostile_libraries_first_and_last.so"
    for stage in STAGES:
        yield stage, run(work, library, [stage, name])
    for order in f"{library} {other}", f"{other} {library}":
        for stage in "constructor", "destructor":
            yield f"{stage} in {order}", run(work, order, ["library", name], CALL_STAGE=stage,
                                             CALL_NAME=name)


def main():
    library, folder = sys.argv[1:3]
    names, errors = exported(), []
    if len(names) < 50:
        sys.exit(f"first_and_last: only {len(names)} names in exports.map")
    for name in names:
        for stage, (status, output) in attempts(library, folder, name):
            if status != MADE or (output and name != "malloc_stats"):
                errors.append(f"{name}, {stage}: status {status}: {output.decode()[:300]}")
    print("\n".join(errors[:20]))
    print(f"first_and_last: {len(names)} functions, {len(errors)} failures")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
