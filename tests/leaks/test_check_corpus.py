#!/usr/bin/python3
"""The corpus's checker itself: it must read reports right, and miss no difference."""
import tempfile
import unittest
from pathlib import Path

import check_corpus

SOURCE = """// A program.
// expect: definite 48/2 indirect 96/2 possible 0/0 reachable >=1000/1
// child: definite 8/1 indirect 0/0 possible 0/0 reachable 0/0
// top: lose main
// valgrind: same
int main(void) {}
"""
REPORT = """of the program
=== stitchmalloc 0.1.0: leak report of process 10, /path/sample
120 bytes in 3 blocks (24 in 1 directly, 96 in 2 indirectly) definitely lost [1 of 2]
    #0 0x7f0000001234 in malloc (libstitchmalloc.so.0.1.0+0x1234)
    #1 0x7f0000001235 in strdup /libc/strdup.c:42 (libc.so.6+0x1234)
    #2 0x5555555551a5 in space::maker<int>::lose(int) const /a/sample.c:12 (sample+0x11a5)
    #3 0x5555555551b5 in main sample.c:22 (sample+0x11b5)
24 bytes in 1 block definitely lost [2 of 2]
    #0 0x7f0000001234 in malloc (libstitchmalloc.so.0.1.0+0x1234)
    #1 0x5555555551a5 (sample+0x11a5)
    definitely lost: 48 bytes in 2 blocks
    indirectly lost: 96 bytes in 2 blocks
      possibly lost: 0 bytes in 0 blocks
    still reachable: 1024 bytes in 3 blocks
         suppressed: 0 bytes in 0 blocks
SUMMARY: stitchmalloc: 144 byte(s) leaked in 4 allocation(s).
"""
CHILD = """=== stitchmalloc 0.1.0: leak report of process 11, /path/sample
    definitely lost: 8 bytes in 1 block
    indirectly lost: 0 bytes in 0 blocks
      possibly lost: 0 bytes in 0 blocks
    still reachable: 0 bytes in 0 blocks
SUMMARY: stitchmalloc: 8 byte(s) leaked in 1 allocation(s).
"""
MEMCHECK = """==10== 120 (24 direct, 96 indirect) bytes in 3 blocks are definitely lost in
==10==    at 0x48417B4: malloc (in /usr/libexec/valgrind/vgpreload_memcheck.so)
==10==    by 0x109185: lose (sample.c:11)
==10==    by 0x1091D1: main (sample.c:26)
==10==
==10== LEAK SUMMARY:
==10==    definitely lost: 48 bytes in 2 blocks
==10==    indirectly lost: 96 bytes in 2 blocks
==10==      possibly lost: 0 bytes in 0 blocks
==10==    still reachable: 1,000 bytes in 1 blocks
==11== All heap blocks were freed -- no leaks are possible
"""


class Checker(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.source = Path(folder.name) / "sample.c"

    def program(self, old="", new=""):
        self.source.write_text(SOURCE.replace(old, new))
        return check_corpus.Program(self.source)

    def differences(self, text, status=0, program=None, level="full"):
        return list(check_corpus.compare(program or self.program(), self.program().expect,
                                         (10, status, text), check_corpus.parse_leaks(text),
                                         level == "1", level == "full"))

    def test_good(self):
        self.assertEqual(self.differences(REPORT + CHILD), [])
        self.assertEqual(self.differences(CHILD + REPORT), [])
        self.assertEqual(self.differences(REPORT + CHILD, level="1"), [])

    def test_differences(self):
        for old, new, message in (
                (REPORT, "", "no report"),
                (CHILD, "", "child: no report"),
                ("process 11", "process 10", "two reports of one process"),
                (REPORT, REPORT + CHILD.replace("11", "12"), "1 more reports than processes"),
                ("possibly lost: 0 bytes in 0", "possibly lost: 4 bytes in 1", "possible 4/1"),
                ("reachable: 1024", "reachable: 999", "reachable 999/3, not >=1000/1"),
                ("SUMMARY: stitchmalloc: 144", "SUMMARY: stitchmalloc: 99", "SUMMARY says"),
                ("SUMMARY: ", "", "no SUMMARY line"),
                ("    definitely lost: 48 bytes in 2 blocks\n", "", "totals of four kinds"),
                ("24 bytes in 1 block def", "25 bytes in 1 block def", "groups sum up to"),
                ("lose(int)", "gain(int)", "no definite stack lose main"),
                ("/a/sample.c", "/a/other.c", "no definite stack lose main")):
            with self.subTest(message=message):
                self.assertIn(message, "; ".join(self.differences((REPORT + CHILD)
                                                                  .replace(old, new))))

    def test_status(self):
        self.assertEqual(self.differences(REPORT + CHILD, 23), ["status 23, not 0"])

    def test_usable_sizes(self):
        larger = REPORT.replace("lost: 96 bytes", "lost: 128 bytes").replace(": 144", ": 176")
        self.assertEqual(self.differences(larger + CHILD, level="1"), [])
        self.assertNotEqual(self.differences(larger + CHILD), [])
        smaller = REPORT.replace("lost: 96 bytes", "lost: 95 bytes").replace(": 144", ": 143")
        self.assertNotEqual(self.differences(smaller + CHILD, level="1"), [])

    def test_memcheck(self):
        reports = check_corpus.parse_valgrind(MEMCHECK)
        self.assertEqual(set(reports), {10, 11})
        self.assertEqual(reports[11].totals, {kind: (0, 0) for kind in check_corpus.KINDS})
        self.assertEqual(list(self.program().expect.differences(reports[10].totals)), [])
        self.assertEqual(list(check_corpus.compare_tops(self.program(), reports[10])), [])

    def test_faulty_programs(self):
        for old, new in (("// expect", "// expekt"), ("indirect 96/2 ", ""),
                         ("valgrind: same", "valgrind: differs: why"),
                         ("valgrind: same", "valgrind: equal")):
            with self.subTest(new=new), self.assertRaises(ValueError):
                self.program(old, new)

    def test_names(self):
        for name, short in (("a::b<c::d>::e(f<g>) const", "e"), ("x.constprop.0", "x"),
                            ("item::operator new(unsigned long)", "operator_new"),
                            ("guard::~guard()", "~guard"), (None, "??"),
                            ("void space::maker<int>::lose<int>()", "lose"),
                            ("(anonymous namespace)::f(int)", "f")):
            self.assertEqual(check_corpus.short_name(name), short)


if __name__ == "__main__":
    unittest.main()
