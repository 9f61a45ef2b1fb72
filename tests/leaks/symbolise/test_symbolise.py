#!/usr/bin/python3
"""The symboliser of leak reports against code that knows its functions and lines.

usage: test_symbolise.py SOURCE_ROOT LIBCORE_PREFIXED.a [ARCHIVE]...

Builds probe.c as programs of several kinds (with $CC and $CXX, gcc and g++ unless set), each on
the library's symboliser, and fixture.cc as modules with debug information of several kinds and
without. Every program asks about itself and about the modules that it opens one after the other.
ARCHIVEs are libbacktrace and the demangler; without any only what the loader knows is tested.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
CC, CXX = os.environ.get("CC", "gcc"), os.environ.get("CXX", "g++")
# The same contents wherever this lies: with -gz, gcc 12's libbacktrace cannot read some modules
# (readelf can). Which ones depends on the paths in them; they are named without lines.
COMMON = ["-O2", "-fno-exceptions", "-fvisibility=hidden", f"-I{HERE}",
          f"-ffile-prefix-map={HERE}=/fixture"]
TIME_LIMIT = 120

# Name: compiler, options, and what is to be known with libbacktrace (probe.c has the words).
MODULES = {
    "default": (CXX, ["-g"], "lines"),
    "dwarf4": (CXX, ["-gdwarf-4"], "lines"),
    "dwarf5": (CXX, ["-gdwarf-5"], "lines"),
    "compressed": (CXX, ["-g", "-gz=zlib"], "lines"),
    "not_optimised": (CXX, ["-g", "-O0"], "lines"),
    "clang": ("clang++", ["-g"], "lines"),
    "clang_dwarf4": ("clang++", ["-gdwarf-4"], "lines"),
    "no_debug": (CXX, ["-g0"], "names"),
    "stripped": (CXX, ["-g0", "-s"], "exported"),
    "no_build_id": (CXX, ["-g", "-Wl,--build-id=none"], "lines"),
}
# The same for programs.
PROGRAMS = {
    "pie": (["-g", "-pie", "-fPIE"], "lines"),
    "no_pie": (["-g", "-no-pie", "-fno-pie"], "lines"),
    "no_debug": (["-g0", "-pie", "-fPIE"], "names"),
    "stripped": (["-g0", "-pie", "-fPIE", "-s", "-rdynamic"], "exported"),
    "static": (["-g", "-static", "-no-pie", "-fno-pie", "-DPROBE_STATIC"], "lines"),
}


def run(*command):
    subprocess.run([str(word) for word in command], check=True, timeout=TIME_LIMIT, cwd=HERE)


def output(*command):
    return subprocess.run([str(word) for word in command], timeout=TIME_LIMIT, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)


def build_modules(work):
    """Return [(level, path)]."""
    modules = []
    for name, (compiler, options, level) in MODULES.items():
        if not shutil.which(compiler):
            print(f"no {compiler}: {name} is left out")
            continue
        path = work / f"{name}.so"
        # Its calls are of its own functions, whatever the program exports.
        run(compiler, *COMMON, "-fPIC", "-shared", "-Wl,-Bsymbolic", *options, "-o", path,
            HERE / "fixture.cc")
        modules.append((level, path))
    modules.append(("lines", separate_debug_information(work)))
    return modules


def separate_debug_information(work):
    """A stripped module whose debug information a link names, in the folder .debug beside it."""
    path, debug = work / "linked.so", work / ".debug" / "linked.debug"
    debug.parent.mkdir()
    shutil.copy(work / "default.so", debug)
    shutil.copy(work / "default.so", path)
    run("strip", "-s", path)
    run("objcopy", f"--add-gnu-debuglink={debug}", path)
    return path


def copy_of(module, name):
    return Path(shutil.copy(module, module.with_name(f"copy_for_{name}.so")))


def build_program(work, name, options, libraries, root, defines=()):
    path = work / f"probe_{name}"
    objects = [work / f"{name}_fixture.o", work / f"{name}_probe.o"]
    compile_options = [o for o in options if not o.startswith(("-s", "-rdynamic"))]
    # The program's functions are exported as a module's are.
    run(CXX, *COMMON, *compile_options, "-c", HERE / "fixture.cc", "-o", objects[0])
    run(CC, "-std=gnu17", "-Wall", "-Wextra", *COMMON, *compile_options, *defines,
        f"-I{root}/src", "-c", HERE / "probe.c", "-o", objects[1])
    run(CC, *options, "-Wl,--gc-sections", "-o", path, *objects, *libraries, "-lpthread", "-ldl")
    return path


def build_id(path):
    """What readelf says."""
    found = re.search(r"Build ID: ([0-9a-f]+)", output("readelf", "-n", path).stdout)
    return found[1] if found else "none"


def differences(program, questions):
    """Run a program; return its complaints, and ours about its build-ids."""
    done = output(program, *(f"{level}:{path}" for level, path in questions))
    lines = done.stdout.split("\n")
    errors = [line for line in lines if "not so" in line]
    if done.returncode or not re.search(r"^0 failures", done.stdout, re.M):
        errors.append(f"status {done.returncode}, last line: {lines[-2:]}")
    ids = dict(re.findall(r"^build-id (\S+) (\S+)$", done.stdout, re.M))
    wanted = {str(program if path == "self" else path) for _, path in questions}
    if set(ids) != wanted:
        errors.append(f"build-ids of {sorted(ids)}, not of {sorted(wanted)}")
    errors += [f"build-id {got} of {path}, readelf: {build_id(path)}"
               for path, got in ids.items() if Path(path).exists() and got != build_id(path)]
    print(f"{program.name}: {len(errors)} errors; {lines[-2] if len(lines) > 1 else lines}")
    return [f"{program.name}: {error}" for error in errors]


def check_with_libraries(work, modules, libraries, root):
    errors = []
    for name, (options, level) in PROGRAMS.items():
        program = build_program(work, name, options, libraries, root)
        others = [] if name == "static" else modules + [("gone", copy_of(modules[0][1], name))]
        errors += differences(program, [(level, "self"), *others])
    return errors


def check_without(work, modules, libraries, root):
    """CONFIG_SYMBOLISE=0: exported names, as the linker has them."""
    symboliser = work / "symbolise_0.o"
    run(CC, "-std=gnu17", "-O2", "-g", "-Wall", "-Wextra", "-Wundef", "-Werror",
        "-DCONFIG_SYMBOLISE=0", f"-I{root}/src", "-c", f"{root}/src/debug/symbolise.c",
        "-o", symboliser)
    program = build_program(work, "without", ["-g", "-pie", "-fPIE", "-rdynamic"],
                            [symboliser, libraries[0]], root)
    return differences(program, [("mangled", "self"), *(("mangled", path) for _, path in modules)])


def main():
    root, libraries = Path(sys.argv[1]).resolve(), [os.path.abspath(a) for a in sys.argv[2:]]
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder).resolve()
        modules = build_modules(work)
        errors = check_without(work, modules, libraries, root)
        if libraries[1:]:
            errors += check_with_libraries(work, modules, libraries, root)
    print("\n".join([*errors, f"test_symbolise: {len(errors)} errors"]))
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
