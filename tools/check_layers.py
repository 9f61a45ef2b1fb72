#!/usr/bin/python3
"""check_layers.py [ROOT]: fail on an #include that goes up the ladder of layers.

A file in src/LAYER or preload/ may include its own layer and lower ones; of the system's
headers the freestanding ones, anything more only in src/os and preload; never a .c file.
Headers in include/stitch are installed, so they may include only system headers and each other.
They are below all layers, and any file may include them (stitch/list.h: src/base), but for those
that bring libc's headers with them: these are for src/os and preload.
"""
import re
import sys
from pathlib import Path

LADDER = ["base", "os", "core", "mm", "slab", "vmalloc", "kmalloc", "debug", "proc", "init",
          "preload"]
FREESTANDING = {"stddef.h", "stdint.h", "stdbool.h", "stdatomic.h", "stdarg.h", "limits.h",
                "string.h", "errno.h", "emmintrin.h"}
HOSTED_HEADERS = {"stitch/kernel.h", "stitch/kernel_lists.h", "stitch/klist.h", "stitch/module.h"}
HOSTED_LAYERS = {"os", "preload"}
# Only in builds for Valgrind; and the libraries that stacks are found and named with.
ALLOWED = {("src/core/memcheck.h", "valgrind/memcheck.h"),
           ("src/debug/unwind.c", "unwind.h"),
           *(("src/debug/orc.c", header) for header in ("dlfcn.h", "elf.h", "link.h")),
           *(("src/debug/symbolise.c", header) for header in (
               "backtrace.h", "dlfcn.h", "gnu/libc-version.h", "libiberty/demangle.h", "link.h"))}
DIRECTIVE = re.compile(r"^\s*#\s*include\s*(.*)")
TARGET = re.compile(r'<([^>]+)>|"([^"]+)"')


def includes(path):
    """Yield (line number, system header or None, own header or None, text)."""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        directive = DIRECTIVE.match(line)
        if directive:
            target = TARGET.match(directive[1])
            yield number, *(target.groups() if target else (None, None)), directive[1]


def complaint(root, layer, system, own, text):
    """What is wrong with one #include of a file of `layer` (None: an installed header)."""
    name = system or own
    if not name:
        return f"include of {text}: only <header> and \"layer/header.h\" are understood"
    if name.endswith(".c"):
        return f"includes the source file {name}"
    if layer is None and (system or name.startswith("stitch/")):
        return None
    if name.startswith("stitch/"):
        if name not in HOSTED_HEADERS or layer in HOSTED_LAYERS:
            return None
        return f"{name} needs libc: it may be used only in src/os and preload"
    if system:
        if system in FREESTANDING or layer in HOSTED_LAYERS:
            return None
        return f"<{system}> may be used only in src/os and preload"
    target = own.split("/")[0] if "/" in own else None
    if target is None and layer == "preload" and (root / "preload" / own).exists():
        return None
    if layer is None or target not in LADDER:
        return f'"{own}" names no layer (write "layer/header.h")'
    if LADDER.index(target) > LADDER.index(layer):
        return f"{layer} may not include {own}: {target} is a higher layer"
    return None


def sources(root):
    """Yield (file, its layer)."""
    for folder, layer_of in ((root / "src", lambda p: p.relative_to(root / "src").parts[0]),
                             (root / "preload", lambda p: "preload"),
                             (root / "include", lambda p: None)):
        for path in sorted(folder.rglob("*")):
            if path.suffix in {".c", ".h", ".def", ".S"}:
                yield path, layer_of(path)


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent.parent).resolve()
    errors, nr_files = [], 0
    for path, layer in sources(root):
        nr_files += 1
        if layer is not None and layer not in LADDER:
            errors.append(f"{path.relative_to(root)}: {layer} is no layer of the ladder")
            continue
        for number, *include in includes(path):
            if (str(path.relative_to(root)), include[0]) in ALLOWED:
                continue
            error = complaint(root, layer, *include)
            if error:
                errors.append(f"{path.relative_to(root)}:{number}: {error}")
    print("\n".join(errors + [f"check_layers: {nr_files} files, {len(errors)} errors"]))
    return 1 if errors or not nr_files else 0


if __name__ == "__main__":
    sys.exit(main())
