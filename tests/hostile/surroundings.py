#!/usr/bin/python3
"""surroundings.py LIBRARY FOLDER: the same program in odd processes must run, and say nothing.

Other preloads and an audit library beside ours, layouts of the address space, no huge pages,
environments that are all but empty. Where this machine does not offer one, a line says so.
"""
import ctypes
import os
import resource
import subprocess
import sys

ADDR_NO_RANDOMIZE, ADDR_COMPAT_LAYOUT, QUERY = 0x0040000, 0x0200000, 0xffffffff
PR_SET_THP_DISABLE = 41
LOADER = "/lib64/ld-linux-x86-64.so.2"

libc = ctypes.CDLL(None, use_errno=True)


def personality(flags):
    def change():
        if libc.personality(libc.personality(QUERY) | flags) < 0:
            os._exit(77)
    return change


def no_huge_pages():
    if libc.prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0):
        os._exit(77)


def stack_unlimited():
    try:
        resource.setrlimit(resource.RLIMIT_STACK, (resource.RLIM_INFINITY,) * 2)
    except (OSError, ValueError):
        os._exit(77)


def both(*changes):
    def change():
        for each in changes:
            each()
    return change


def cases(library, folder):
    """Yield (name, command, environment, what the child does before it starts)."""
    work = f"{folder}/hostile_surroundings_work"
    module = f"{folder}/libhostile_libraries_"
    ours = {"LD_PRELOAD": library}
    by_loader = [LOADER, "--preload", library, work]
    for order in (f"{module}interposer.so {library}", f"{library} {module}interposer.so"):
        yield f"LD_PRELOAD={order}", [work], {"LD_PRELOAD": order}, None
    yield "LD_AUDIT", [work], {**ours, "LD_AUDIT": f"{module}auditor.so"}, None
    yield "LD_BIND_NOW", [work], {**ours, "LD_BIND_NOW": "1"}, None
    yield "setarch -L", [work], ours, personality(ADDR_COMPAT_LAYOUT)
    yield "setarch -R", [work], ours, personality(ADDR_NO_RANDOMIZE)
    yield "setarch -LR", [work], ours, personality(ADDR_COMPAT_LAYOUT | ADDR_NO_RANDOMIZE)
    yield "ulimit -s unlimited", [work], ours, stack_unlimited
    yield ("ulimit -s unlimited, setarch -R", [work], ours,
           both(stack_unlimited, personality(ADDR_NO_RANDOMIZE)))
    yield "no huge pages", [work], ours, no_huge_pages
    yield "no arguments", [work, "bare"], ours, None
    yield "started by the loader", by_loader, {"HOME": "/"}, None
    yield "an environment of five bytes", by_loader, {"A": "bc"}, None
    yield "no environment", by_loader, {}, None
    yield "no environment, unlimited stack", by_loader, {}, stack_unlimited


def run(command, environment, change):
    return subprocess.run(command, env=environment, preexec_fn=change, timeout=120,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def main():
    nr_run, errors = 0, []
    for name, command, environment, change in cases(*sys.argv[1:3]):
        try:
            done = run(command, environment, change)
        except subprocess.TimeoutExpired:
            errors.append(f"{name}: hangs")
            continue
        if done.returncode == 77:
            print(f"surroundings: not offered here: {name}")
        elif done.returncode or done.stdout:
            errors.append(f"{name}: status {done.returncode}: {done.stdout.decode()[:500]}")
        nr_run += done.returncode != 77
    print("\n".join(errors + [f"surroundings: {nr_run} run, {len(errors)} failures"]))
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
