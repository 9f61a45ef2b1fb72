#!/usr/bin/python3
"""The checkers themselves: each must pass on a small good tree and fail on every kind of fault."""
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

TOOLS = Path(__file__).resolve().parents[2] / "tools"
BODY = "int f(void)\n{\n%s}\n"


def check(name, *arguments):
    result = subprocess.run([sys.executable, TOOLS / f"check_{name}.py", *arguments],
                            capture_output=True, text=True, check=False)
    return result.returncode, result.stdout + result.stderr


class Checks(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        self.write("src/mm/zone.c", '#include <string.h>\n#include "base/list.h"\n'
                   '#include "mm/zone.h"\n' + BODY % "\treturn 0;\n")
        self.write("src/base/list.h", '#include "stitch/list.h"\n')
        self.write("include/stitch/list.h", '#include <stdbool.h>\n#include "stitch/klist.h"\n')
        self.write("src/os/os_linux.c", "#include <sys/mman.h>\n")
        self.write("preload/malloc.c", '#include <malloc.h>\n#include "mm/zone.h"\n')

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def expect(self, name, message, *arguments):
        status, output = check(name, *(arguments or [self.root]))
        self.assertIn(message, output)
        self.assertEqual(status, 0 if " 0 errors" in output else 1, output)

    def test_good_tree(self):
        self.expect("layers", "5 files, 0 errors")
        self.expect("style", "5 files, 0 errors")
        self.expect("style", "functions of the library: 1, median 3 lines")

    def test_layers(self):
        for line, message in {
            '#include "slab/slab.h"': "src/mm/bad.c:1: mm may not include slab/slab.h",
            ' # include "base/list.c"': "includes the source file base/list.c",
            "#include <stdio.h>": "<stdio.h> may be used only in src/os and preload",
            '#include "zone.h"': '"zone.h" names no layer',
            '#include "tools/x.h"': '"tools/x.h" names no layer',
            "#include HEADER": "include of HEADER",
            '#include "stitch/klist.h"': "stitch/klist.h needs libc",
        }.items():
            with self.subTest(line=line):
                self.write("src/mm/bad.c", line + "\n")
                self.expect("layers", message)
        self.write("src/mm/bad.c", "")
        self.write("src/base/good.c", '#include "stitch/rbtree.h"\n')
        self.expect("layers", "7 files, 0 errors")
        self.write("src/attic/old.c", "")
        self.expect("layers", "attic is no layer")

    def test_style(self):
        for text, message in {
            "\n" * 801: "file has 801 lines",
            "/*" + "x" * 99: "line has 101 columns",
            "\t" * 13: "line has 104 columns",
            BODY % ("\tg();\n" * 59): "f has 61 lines, at most 60",
            "int x; \n": "white space at the end",
            "typedef struct x x;\n": "typedef of a struct",
        }.items():
            with self.subTest(message=message):
                self.write("src/mm/bad.c", text)
                self.expect("style", message)
        for text in ("\n" * 800, "x" * 100, BODY % ("\tg();\n" * 58)):
            self.write("src/mm/bad.c", text)
            self.expect("style", " 0 errors")

    def test_exports(self):
        library, script = self.root / "lib.so", self.root / "exports.map"
        script.write_text("V { global: f; /* the one */ local: *; };\n")
        good = ["-nodefaultlibs", "-lc", "-Wl,-z,now,-z,nodelete"]
        shown = '#include <string.h>\nsize_t f(const char *s) { return strlen(s); }\n'
        for flags, text, message in [
            (good, shown, " 0 errors"),
            (good[:2] + ["-Wl,-z,now"], shown, "flag NODELETE is missing"),
            (good, shown + "int g(void) { return 0; }", "g is exported"),
            (good, "int strlen(const char *); int g(void) { return strlen(0); }",
             "f is in"),
            (good, shown + "int puts(const char *); static int g(void)"
             "__attribute__((used)); static int g(void) { return puts(\"\"); }", "puts is imp"),
            (good + ["-Wl,--no-as-needed", "-lm"], shown, "not libc.so.6 alone"),
            (good, shown + "static __thread char g[65] __attribute__((used));",
             "65 bytes of thread-local storage"),
            (good, shown + "static __thread char g[64] __attribute__((used));", " 0 errors"),
            (good + ["-Wl,-z,execstack"], shown, "executable stack"),
        ]:
            with self.subTest(message=message):
                subprocess.run(["gcc", "-w", "-shared", "-fPIC", "-O1", "-x", "c", "-", "-o",
                                library, *flags], input=text, text=True, check=True)
                self.expect("exports", message, library, script)


if __name__ == "__main__":
    unittest.main()
