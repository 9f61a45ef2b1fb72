#!/usr/bin/python3
"""Whether what holds an object is found where programs seldom have it (report/roots.c): beside a
coroutine's stack, on stacks of the program's own, in data that is sealed; and whether memory that
cannot be read is left alone.

usage: test_roots.py LIBRARY LAUNCHER
"""
import sys

from report.bench import check, main, same

CONFS = ("leaks=1 leak_print=always", "leaks=full leak_print=always")


def lost(bench, action, conf):
    """Blocks and bytes that are lost for certain, and what the program said."""
    result = bench.run(str(bench.work / "roots"), action, conf=conf)
    same(result.status, 0, result)
    return result.totals["definite"], result


def test_coroutine(bench):
    """In front of its stack, but not below what is used of it."""
    for conf in CONFS:
        (size, blocks), result = lost(bench, "coroutine", conf)
        same(blocks, 1, conf, result)
        check(3000 <= size <= 3300, conf, result)


def test_neighbouring_stacks(bench):
    for conf in CONFS:
        for action in ("mapping", "block"):
            totals, result = lost(bench, action, conf)
            same(totals, (0, 0), conf, action, result)


def test_what_cannot_be_read(bench):
    for conf in CONFS:
        for action in ("guard", "key"):
            totals, result = lost(bench, action, conf)
            same(totals, (0, 0), conf, action, result)


def test_sealed_data(bench):
    for conf in CONFS:
        totals, result = lost(bench, "seal", conf)
        same(totals, (0, 0), conf, result)


if __name__ == "__main__":
    sys.exit(main(__doc__, globals()))
