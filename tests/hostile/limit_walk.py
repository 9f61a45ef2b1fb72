#!/usr/bin/python3
"""Limits of address space and data, walked from 64 MiB to 1 GiB, coarsely in the quick set:
programs start, run, use up all there is, get NULL, and go on. Where libc's malloc starts a
program, so do we. With STRESS_SECONDS set, in steps of 64 MiB."""

import os
import resource
import subprocess
import sys

LIBRARY, PROGRAMS = sys.argv[1], sys.argv[2]
MIB = 1 << 20
WHOLE = "STRESS_SECONDS" in os.environ
WORK = os.path.join(PROGRAMS, "hostile_exhausted_work")
PYTHON = ["/usr/bin/python3", "-S", "-c", "print(sum(len(str(i)) for i in range(20000)))"]
HELLO = ["/bin/echo", "hello"]
LIMITS = {"RLIMIT_AS": resource.RLIMIT_AS, "RLIMIT_DATA": resource.RLIMIT_DATA}
# What malloc must give the program of a limit, of address space and of data: the rest are the
# program, its libraries and thread stacks, our own structures, and what splits unluckily.
MIN_SHARE = {"RLIMIT_AS": 0.45, "RLIMIT_DATA": 0.75}


def run(command, limit, nr_bytes, preload):
    def set_limit():
        resource.setrlimit(LIMITS[limit], (nr_bytes, nr_bytes))

    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "PYTHONMALLOC": "malloc"}
    if preload:
        environment["LD_PRELOAD"] = LIBRARY
    return subprocess.run(command, env=environment, preexec_fn=set_limit, timeout=120,
                          stdin=subprocess.DEVNULL, capture_output=True, check=False)


def fail(limit, size, command, got):
    sys.exit(f"under {limit} of {size} MiB: {command[:2]}: status {got.returncode}, "
             f"{got.stdout[-200:]!r} {got.stderr[-500:]!r}")


def check_program(limit, size, command):
    got = run(command, limit, size * MIB, True)
    if got.returncode == 0 and not got.stderr:
        plain = run(command, limit, size * MIB, False)
        if plain.returncode or plain.stdout == got.stdout:
            return
    fail(limit, size, command, got)


def check_filling(limit, size):
    got = run([WORK, "fill"], limit, size * MIB, True)
    lines = got.stdout.split()
    if got.returncode or got.stderr or len(lines) != 2:
        fail(limit, size, [WORK, "fill"], got)
    if int(lines[1]) < size * MIN_SHARE[limit]:
        sys.exit(f"under {limit} of {size} MiB malloc gave only {int(lines[1])}")
    if os.environ.get("VERBOSE"):
        print(limit, size, "MiB:", int(lines[1]), flush=True)


def main():
    for limit in LIMITS:
        for size in range(64, 1025, 64 if WHOLE else 320):
            check_program(limit, size, HELLO)
            check_program(limit, size, PYTHON)
            check_filling(limit, size)
    # Data alone may be scarcer still: the program's own segments count little.
    for size in range(4, 64, 4 if WHOLE else 20):
        check_program("RLIMIT_DATA", size, HELLO)


main()
