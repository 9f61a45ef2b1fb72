#!/usr/bin/python3
"""Whether leaks=sample tells how much is lost: report/samples.c is run many times, and what each
function has lost is estimated without bias, within the error that the report says.

usage: test_sample.py LIBRARY [-n RUNS]

Bounds are six standard deviations: a right estimate is beyond in one of 10^8 cases.
"""
import argparse
import concurrent.futures
import math
import os
import re
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from report.bench import Bench, Failed, check, functions, same

LOST = 8 << 20
MEAN = 64 << 10
SIZES = {"by_malloc_24": 24, "by_malloc_1000": 1000, "by_malloc_9000": 9000,
         "by_malloc_1m": 1 << 20, "by_calloc": 100, "by_realloc": 300, "by_memalign": 640,
         "by_thread": 64}
GROUP = re.compile(r"^about (\d+) \+- (\d+) bytes in about (\d+) blocks? \((\d+) in the sample\) "
                   r"definitely lost \[\d+ of \d+\]\n((?:    .*\n)+)", re.M)
NR_BOUNDS = 6


class Estimate:
    """A group of a report: what is lost by a function, within error (95 %)."""

    def __init__(self, texts):
        self.bytes, self.error, self.nr_blocks, self.nr_samples = map(int, texts[:4])
        self.function = functions(texts[4])[1]
        self.deviation = self.error / 1.96


def lost_by(function):
    size = SIZES[function]
    return size * math.ceil(LOST / size)


def run_once(bench):
    result = bench.run(str(bench.work / "samples"),
                       conf=f"leaks=sample:{MEAN} leak_groups=1000")
    found = [Estimate(texts) for texts in GROUP.findall(result.err)]
    same(result.status, 0, result)
    check(result.err.count("\nabout ") == len(found), "groups of another form", result)
    same({estimate.function for estimate in found}, set(SIZES), result)
    check_totals(result)
    return found


def check_totals(result):
    """All is scanned; blocks are larger than what was asked for, those of the sample by a page."""
    lost = sum(lost_by(function) for function in SIZES)
    same(result.totals["definite"][1], sum(lost_by(name) // SIZES[name] for name in SIZES), result)
    check(lost <= result.totals["definite"][0] <= 1.3 * lost, lost, result)


def expected_samples(function):
    share = -math.expm1(-SIZES[function] / MEAN)
    return lost_by(function) / SIZES[function] * share


def check_one(estimate):
    """Each estimate of each run is near, and so is the error that it says."""
    lost, nr = lost_by(estimate.function), expected_samples(estimate.function)
    check(abs(estimate.bytes - lost) <= NR_BOUNDS * estimate.deviation * 1.3 + 1,
          f"{estimate.function}: {estimate.bytes} for {lost} +- {estimate.error}")
    check(abs(estimate.bytes / SIZES[estimate.function] - estimate.nr_blocks) <= 1,
          f"{estimate.function}: {estimate.bytes} bytes, {estimate.nr_blocks} blocks")
    check(abs(estimate.nr_samples - nr) <= NR_BOUNDS * math.sqrt(nr) + 1,
          f"{estimate.function}: {estimate.nr_samples} samples, {nr:.1f} expected")


def check_mean(function, estimates):
    lost, nr = lost_by(function), len(estimates)
    mean = sum(estimate.bytes for estimate in estimates) / nr
    deviation = math.sqrt(sum(estimate.deviation ** 2 for estimate in estimates)) / nr
    check(abs(mean - lost) <= NR_BOUNDS * deviation + 1,
          f"{function}: {mean:.0f} in the mean of {nr} runs, for {lost} +- {deviation:.0f}")
    print(f"{function}: {mean / lost:.3f} of what is lost, {deviation / lost:.3f} expected error")


def check_bounds(estimates):
    """The interval has the truth in 95 of 100 cases."""
    nr_inside = sum(abs(estimate.bytes - lost_by(estimate.function)) <= estimate.error + 1
                    for estimate in estimates)
    nr = len(estimates)
    deviation = math.sqrt(nr * 0.95 * 0.05)
    check(nr_inside >= 0.95 * nr - NR_BOUNDS * deviation, f"{nr_inside} of {nr} within bounds")
    print(f"{nr_inside} of {nr} within their bounds")


def check_hardened(bench):
    """Blocks of the sample, and padded ones, are larger than others of their size, and still right
    or wrong."""
    for conf in ("leaks=sample:300", "leaks=full", "profile=full", "leaks=sample profile=full"):
        conf = f"hardened=1 {conf}"
        result = bench.run(str(bench.work / "sized"), conf=conf)
        check(result.status == 7 and "wrong size" not in result.err, result)
        check("profile" in conf or not result.err, "nothing is to be said", result)
        result = bench.run(str(bench.work / "sized"), "wrong", conf=conf)
        check(result.status < 0 and "wrong size 5000 for" in result.err, result)


def check_reach(bench):
    """All that malloc_usable_size allows may hold blocks."""
    for _ in range(4):
        result = bench.act("keep_at_end=200", "exit=7", conf="leaks=sample:1 leak_print=always")
        same((result.status, result.totals["definite"]), (7, (0, 0)), result)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library")
    parser.add_argument("-n", type=int, default=8, metavar="RUNS")
    options = parser.parse_args()
    by_function = defaultdict(list)
    with tempfile.TemporaryDirectory() as work:
        bench = Bench(os.path.abspath(options.library), None, Path(work).resolve())
        bench.build()
        check_hardened(bench)
        check_reach(bench)
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            for found in pool.map(lambda _: run_once(bench), range(options.n)):
                for estimate in found:
                    check_one(estimate)
                    by_function[estimate.function].append(estimate)
    for function, estimates in by_function.items():
        check_mean(function, estimates)
    check_bounds([estimate for estimates in by_function.values() for estimate in estimates])
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as failure:
        sys.exit(f"test_sample: {failure}")
