#!/usr/bin/env python3
"""Adds what a program runs of the library to preload/first_functions.txt.

usage: tools/first_functions.py LIBRARY COMMAND...

The functions in that file lie together at the beginning of the library (tools/cmake/first.cmake),
so that few of its pages are in a process's memory. Runs COMMAND with LIBRARY, of a build with
symbols, under gdb with a breakpoint at each of its functions, and adds those that were reached.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
FILE = ROOT / "preload/first_functions.txt"
# What the compiler adds to every library.
NOT_OURS = {"_init", "_fini", "__do_global_dtors_aux", "deregister_tm_clones", "frame_dummy",
            "register_tm_clones"}

# Runs in gdb. The breakpoints are set when the library is there, before it has run anything.
SCRIPT = """
import gdb, os
gdb.execute("set confirm off")
gdb.execute("set pagination off")
gdb.execute("set breakpoint pending on")
gdb.execute("handle all nostop noprint pass")
gdb.execute("set environment LD_PRELOAD " + os.environ["LIBRARY"])
gdb.execute("set startup-with-shell off")
gdb.execute("set stop-on-solib-events 1")
gdb.execute("run")
while os.environ["LIBRARY"] not in [os.path.realpath(file.filename) for file in gdb.objfiles()]:
    gdb.execute("continue")
gdb.execute("set stop-on-solib-events 0")
base = min(int(line.split("-")[0], 16) for line in open(f"/proc/{gdb.selected_inferior().pid}/maps")
           if line.rstrip().endswith(os.environ["LIBRARY"]))
names = {}
for line in open(os.environ["SYMBOLS"]):
    offset, name = line.split()
    names[base + int(offset, 16)] = name
    gdb.execute(f"tbreak *{base + int(offset, 16)}", to_string=True)
with open(os.environ["REACHED"], "w") as reached:
    while gdb.selected_inferior().pid:
        pc = gdb.selected_frame().pc()
        if pc in names:
            print(names[pc], file=reached)
        gdb.execute("continue")
"""


def functions_of(library):
    """Offsets and names of the functions, but for the parts that the compiler calls cold."""
    lines = subprocess.run(["nm", library], capture_output=True, text=True, check=True).stdout
    return re.findall(r"^([0-9a-f]+) [tTW] ([A-Za-z_]\w*(?:\.(?:part|constprop|isra)\.\d+)*)$",
                      lines, re.MULTILINE)


def reached_by(library, command):
    """Names of the functions of the library that the command has called."""
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory)
        (path / "script.py").write_text(SCRIPT)
        (path / "symbols").write_text(
            "".join(f"{offset} {name}\n" for offset, name in functions_of(library)))
        subprocess.run(
            ["gdb", "-q", "-batch", "-x", path / "script.py", "--args", *command],
            env=os.environ | {"LIBRARY": library, "SYMBOLS": str(path / "symbols"),
                              "REACHED": str(path / "reached")},
            stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False)
        return {name.split(".")[0] for name in (path / "reached").read_text().split()} - NOT_OURS


def main():
    if len(sys.argv) < 3 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    known = set(FILE.read_text().split()) if FILE.exists() else set()
    reached = reached_by(os.path.realpath(sys.argv[1]), sys.argv[2:])
    FILE.write_text("".join(f"{name}\n" for name in sorted(known | reached)))
    print(f"{len(reached)} functions reached, {len(reached - known)} new")


if __name__ == "__main__":
    main()
