#!/usr/bin/python3
"""What every process runs lies at the beginning of the library (tools/cmake/first.cmake).

usage: test_first_functions.py LIBRARY
"""
import re
import subprocess
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAMES = (ROOT / "preload/first_functions.txt").read_text().split()
LIBRARY = sys.argv.pop()
# Three pieces of 64 KiB, of which a page fault brings one, wherever the library begins. When it
# is more, the list has names that few programs reach: tools/first_functions.py begins a new one.
MAX_BYTES = 160 << 10


def read(*command):
    return subprocess.run([*command, LIBRARY], capture_output=True, text=True, check=True).stdout


class FirstFunctions(unittest.TestCase):
    def test_names_are_functions(self):
        text = "".join(path.read_text() for folder in ("src", "preload")
                       for path in (ROOT / folder).rglob("*.[ch]"))
        words = set(re.findall(r"\w+", text))
        self.assertEqual([name for name in NAMES if name not in words], [],
                         "gone: take them out of preload/first_functions.txt")
        self.assertEqual(NAMES, sorted(set(NAMES)))

    def test_they_lie_at_the_beginning(self):
        symbols = re.findall(r"^(\w+) [tTW] (\w+)$", read("nm"), re.MULTILINE)
        places = {name: int(address, 16) for address, name in symbols if name in NAMES}
        self.assertGreater(len(places), len(NAMES) // 2)
        self.assertEqual([name for name, place in places.items() if place >= MAX_BYTES], [])


if __name__ == "__main__":
    unittest.main()
