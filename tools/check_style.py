#!/usr/bin/python3
"""check_style.py [ROOT]: fail on files, functions and lines that are too long.

Limits: 800 lines a file, 60 lines a function (its braces included), 100 columns a line with tab
stops every 8. No white space at line ends, and no typedef of a struct in the library.
Reports the median length of the functions of src/ and preload/.
"""
import re
import statistics
import sys
from pathlib import Path

MAX_FILE, MAX_FUNCTION, MAX_COLUMNS = 800, 60, 100
FOLDERS = ["src", "preload", "include", "tests", "bench", "tools"]
SUFFIXES = {".c", ".h", ".cc", ".def", ".S", ".py", ".sh", ".map", ".cmake", ".txt"}
NAME = re.compile(r"([A-Za-z_]\w*)\s*\(")


def functions(lines):
    """Yield (line number, name, length) of each C function: `{` and `}` stand in column 0."""
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            start = number
        elif line.startswith("}") and start:
            yield start, function_name(lines[:start - 1]), number - start + 1
            start = None


def function_name(lines_before):
    """The first name before a parenthesis in the lines of the signature."""
    for line in reversed(lines_before):
        if line and not line[0].isspace():
            found = NAME.search(line)
            return found[1] if found else line
    return "?"


def check_file(path, lengths):
    """Yield (line number, complaint); append the lengths of the functions to `lengths`."""
    lines = path.read_text().split("\n")
    if len(lines) - 1 > MAX_FILE:
        yield len(lines) - 1, f"file has {len(lines) - 1} lines, at most {MAX_FILE}"
    for number, line in enumerate(lines, 1):
        columns = len(line.expandtabs(8))
        if columns > MAX_COLUMNS:
            yield number, f"line has {columns} columns, at most {MAX_COLUMNS}"
        if line != line.rstrip():
            yield number, "white space at the end of the line"
    if path.suffix not in {".c", ".h", ".cc"}:
        return
    for number, name, length in functions(lines):
        lengths.append(length)
        if length > MAX_FUNCTION:
            yield number, f"{name} has {length} lines, at most {MAX_FUNCTION}"


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent.parent).resolve()
    errors, library_lengths, nr_files = [], [], 0
    for path in sorted(p for folder in FOLDERS for p in (root / folder).rglob("*")):
        if path.suffix not in SUFFIXES or not path.is_file():
            continue
        nr_files += 1
        name = path.relative_to(root)
        in_library = name.parts[0] in {"src", "preload"}
        for number, error in check_file(path, library_lengths if in_library else []):
            errors.append(f"{name}:{number}: {error}")
        if in_library and re.search(r"^typedef (struct|union)\b", path.read_text(), re.M):
            errors.append(f"{name}: typedef of a struct")
    print("\n".join(errors + [f"check_style: {nr_files} files, {len(errors)} errors"]))
    if library_lengths:
        print(f"functions of the library: {len(library_lengths)}, median "
              f"{statistics.median(library_lengths):g} lines, longest {max(library_lengths)}")
    return 1 if errors or not nr_files else 0


if __name__ == "__main__":
    sys.exit(main())
