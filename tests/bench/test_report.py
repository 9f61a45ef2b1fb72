#!/usr/bin/python3
"""bench/suite/report.py: statistics that tell differences from noise, and a report of whatever
there is. Status 77: python3-scipy, python3-matplotlib or python3-jinja2 is not installed.
"""
import importlib.machinery
import importlib.util
import json
import random
import re
import shutil
import sys
import tempfile
import unittest
import xml.etree.ElementTree
from html.parser import HTMLParser
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
BENCH = HERE.parents[1] / "bench"
sys.path[:0] = [str(HERE), str(BENCH / "suite")]
try:
    import report
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)
# pylint: disable=wrong-import-position
import stats
import synthetic
import units
from results import PEAK, TIME, Results

DIFFERENT = (stats.LESS, stats.MORE)


def differing(number, rounds, noise, shift=1.0, slow=0.0, seed=1):
    """The verdicts of so many rows, of two allocators `shift` apart."""
    random_ = random.Random(seed)
    verdicts = []
    for _ in range(number):
        minutes = [1 + abs(random_.gauss(0, slow)) for _ in range(rounds)]
        first, second = ([factor * minute * random_.gauss(100, 100 * noise) for minute in minutes]
                         for factor in (shift, 1))
        verdicts.append(stats.compare(first, second).verdict)
    return verdicts


class Statistics(unittest.TestCase):
    def test_same_distribution(self):
        for rounds in (6, 9, 12, 20):
            for noise, slow in ((0.02, 0), (0.05, 0.1)):
                found = differing(1000, rounds, noise, slow=slow)
                share = sum(verdict in DIFFERENT for verdict in found) / len(found)
                self.assertLessEqual(share, 0.02, (rounds, noise, slow))

    def test_shift(self):
        for rounds in (6, 9):
            self.assertEqual(set(differing(200, rounds, 0.02, 1.1)), {stats.MORE})
            self.assertEqual(set(differing(200, rounds, 0.02, 1 / 1.1)), {stats.LESS})

    def test_interval_is_that_of_pair(self):
        loader = importlib.machinery.SourceFileLoader("pair", str(BENCH / "pair"))
        pair = importlib.util.module_from_spec(importlib.util.spec_from_loader("pair", loader))
        loader.exec_module(pair)
        random_ = random.Random(1)
        for number in range(1, 40):
            values = [random_.random() for _ in range(number)]
            mine, its = stats.sign_interval(values), pair.sign_interval(values)
            self.assertEqual(mine and (mine.low, mine.high, mine.level), its)

    def test_interval_covers(self):
        random_, covered = random.Random(1), 0
        for _ in range(2000):
            interval = stats.sign_interval([random_.lognormvariate(0, 0.3) for _ in range(9)])
            covered += interval.low <= 1 <= interval.high
        self.assertGreater(covered / 2000, 0.945)

    def test_ratio_is_of_rounds_that_belong_together(self):
        found = stats.compare({0: 2, 1: 30, 2: 200, 4: 5}, {2: 100, 0: 1, 1: 10, 3: 7})
        self.assertEqual((found.ratio, found.interval), (2, None))
        self.assertEqual(stats.compare({0: 3}, {1: 2}).ratio, 1.5)

    def test_few_rounds(self):
        for rounds, verdict in ((1, stats.UNKNOWN), (4, stats.UNKNOWN), (5, stats.LESS)):
            found = stats.compare(range(10, 10 + rounds), range(20, 20 + rounds))
            self.assertEqual((found.verdict, found.interval), (verdict, None))

    def test_ties(self):
        self.assertEqual(stats.compare([5] * 9, [5] * 9).verdict, stats.SAME)
        self.assertEqual(stats.compare([0] * 9, [0] * 9).ratio, 1)
        self.assertEqual(stats.compare([5] * 9, [6] * 9).verdict, stats.LESS)
        self.assertEqual(stats.compare([5] * 5, [6] * 5).verdict, stats.LESS)
        self.assertEqual(stats.compare([1] * 9, [0] * 9).verdict, stats.MORE)
        self.assertEqual(stats.compare([1, 1, 1, 2] * 3, [1, 1, 2, 1] * 3).verdict, stats.SAME)

    def test_alpha(self):
        first, second = [1, 2, 3, 5, 6, 7], [4, 8, 9, 10, 11, 12]
        self.assertEqual(stats.compare(first, second, 0.001).verdict, stats.UNKNOWN)
        self.assertEqual(stats.compare(first, second, 0.05).verdict, stats.LESS)
        self.assertEqual(stats.compare(first, second, 0.003).verdict, stats.SAME)


class Units(unittest.TestCase):
    def test_three_digits(self):
        for value, text in ((0, "0"), (0.012345, "0.0123"), (1, "1.00"), (9.996, "10.0"),
                            (99.95, "100"), (123.4, "123"), (0.9996, "1.00")):
            self.assertEqual(units.three_digits(value), text)

    def test_units(self):
        for metric, value, text in (
                (TIME, 6.768, "6.77 ns"), (TIME, 999.9, "1.00 us"), (TIME, 1.5e9, "1.50 s"),
                ("p99_ns", 24671, "24.7 us"), (PEAK, 3928, "3.84 MiB"), (PEAK, 900, "900 KiB"),
                ("kib_per_thread", 1.24, "1.24 KiB"), ("faults", 20500, "20.5 k"),
                (PEAK, None, "-")):
            self.assertEqual(units.text_of(metric, value), text)
        self.assertEqual([units.label_of(key) for key in ("p50_ns", "p9999_ns", "worst_ns")],
                         ["p50", "p99.99", "worst"])


class Page(HTMLParser):
    """What there is in the tables, what would be fetched, and whether elements are closed."""
    VOID = {"meta", "input", "br", "link", "img"}

    def __init__(self, text):
        super().__init__()
        self.first_cells, self.references, self.open, self.ids = [], [], [], []
        self.cells, self.in_first = 0, False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self.open.append(tag)
        for key, value in attrs:
            if key in ("src", "href", "xlink:href", "srcset", "data", "action"):
                self.references.append(value)
            if key == "id":
                self.ids.append(value)
        if tag == "tr":
            self.cells = 0
        if tag == "td":
            self.cells += 1
            self.in_first = self.cells == 1
            if self.in_first:
                self.first_cells.append("")

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, (tag, self.open[-5:], self.getpos())
        self.open.pop()
        if tag == "td":
            self.in_first = False

    def handle_data(self, data):
        if self.in_first:
            self.first_cells[-1] += data


class Folder(unittest.TestCase):
    """A folder of results for each test."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def write(self, rounds=6, groups=("batch", "mix")):
        return synthetic.write(self.folder, rounds, groups=groups)

    def edit(self, name, function):
        path = self.folder / f"{name}.json"
        content = json.loads(path.read_text())
        function(content)
        path.write_text(json.dumps(content))

    def check(self, text, page):
        """As assertIn, without printing the page."""
        self.assertTrue(text in page, f"not in the page: {text}")

    def report(self):
        """(the page's text, the summary) after what holds for every page."""
        summary, page = (path.read_text() for path in report.write_report(self.folder))
        found = Page(page)
        self.assertEqual(found.open, [])
        self.assertEqual(len(found.ids), len(set(found.ids)), "identifiers")
        for reference in found.references:
            self.assertTrue(reference.startswith("#"), reference)
            self.assertIn(reference[1:], found.ids)
        self.assertEqual(re.findall(r"url\((?!#)|@import|<link|<iframe|<img", page), [])
        self.assertEqual(re.findall(r".{40}https?://.{20}",
                                    re.sub(r'xmlns(:\w+)?="[^"]*"', "", page)), [])
        for picture in re.findall(r"<svg.*?</svg>", page, re.S):
            xml.etree.ElementTree.fromstring(picture)
        self.assertNotIn("nan", summary.lower().split())
        return page, summary


class Report(Folder):
    def test_whole(self):
        names = self.write(9, None)
        page, summary = self.report()
        cells = set(Page(page).first_cells)
        for name in names:
            self.assertIn(name, cells)
            self.check(f"\n{name} ", summary)
        self.assertEqual(page.count("<svg"), 8 + len({row[1] for row in synthetic.all_rows()}))
        for text in ("Where stitchmalloc loses", "Where stitchmalloc wins", "96.1 %",
                     "glibc: calloc_huge failed: no memory", "hoard: not in Debian 12",
                     "not on this machine: perf_event_open", "jemalloc, jemalloc-again",
                     "vm.max_map_count", "debug (Debian's package", "&lt;not&gt;"):
            self.check(text, page)
        self.assertLess(len(page), 4 << 20)

    def test_deterministic(self):
        self.write()
        self.assertTrue(self.report() == self.report())

    def test_losses_and_wins(self):
        self.write()

        def change(content):
            for entry in content["benchmarks"]:
                if entry["name"].startswith("batch_64_in_order"):
                    entry["real_time"] *= 1000
                if entry["name"].startswith("batch_64_reverse"):
                    entry["real_time"] /= 1000

        self.edit("stitchmalloc", change)
        _, summary = self.report()
        slower = summary[summary.index("stitchmalloc slower"):].splitlines()
        faster = summary[summary.index("stitchmalloc faster"):].splitlines()
        self.assertTrue(slower[2].startswith("batch_64_in_order "), slower[2])
        self.assertTrue(faster[2].startswith("batch_64_reverse "), faster[2])

    def test_time_of_a_row(self):
        self.write(6, ("programs", "batch"))
        results = Results(self.folder)
        for row in results.rows:
            entries = [entry for entry in json.loads(
                (self.folder / "tcmalloc.json").read_text())["benchmarks"]
                if entry["name"].removesuffix("/real_time") == row.name]
            key, unit = ("real_time", 1) if row.kind == "micro" else ("cpu_time", 1e9)
            self.assertEqual(list(results.rounds(row, "tcmalloc", TIME).values()),
                             [entry[key] * unit for entry in entries])

    def test_control_rows_do_not_count(self):
        self.write(6, ("latency",))
        results = Results(self.folder)
        self.assertEqual({row.name for row in results.rows if row.is_control}, {"timer_latency"})
        self.assertIn("malloc_latency/64", {row.name for row in results.rows})
        self.assertEqual(len(results.counted_rows), len(results.rows) - 1)


class Missing(Folder):
    def test_allocator(self):
        for name in ("stitchmalloc", "jemalloc", "mimalloc"):
            self.write()
            (self.folder / f"{name}.json").unlink()
            page, summary = self.report()
            self.check(f"{name}.json: No such file", page)
            self.check(f"{name}.json: No such file", summary)
            shutil.rmtree(self.folder / "curves")

    def test_row(self):
        name = self.write()[0]
        for allocator in synthetic.NAMES:
            self.edit(allocator, lambda content: content["benchmarks"].__delitem__(slice(0, 6)))
            page, summary = self.report()
            self.assertIn(name, Page(page).first_cells)
            self.assertTrue(re.search(rf"(?m)^{name} .* -( |$)", summary))
        self.check(f"{name}: no allocator has this row", page)

    def test_everything(self):
        self.write()
        for name in synthetic.NAMES:
            self.edit(name, lambda content: content.update(benchmarks=[]))
        shutil.rmtree(self.folder / "curves")
        page, _ = self.report()
        self.assertFalse("<svg" in page)

    def test_broken_files(self):
        self.write()
        path = self.folder / "glibc.json"
        path.write_text(path.read_text()[:5000])
        (self.folder / "mimalloc.json").write_text("[]")
        (self.folder / "curves" / "server_day.jemalloc.csv").write_text("# a\n# b\nday,li")
        (self.folder / "curves" / "server_day.unknown.csv").write_text("")
        page, _ = self.report()
        for text in ("glibc.json: not JSON", "mimalloc.json: not an object",
                     "server_day.jemalloc.csv: not a CSV", "unknown.csv: of no allocator"):
            self.check(text, page)

    def test_no_meta(self):
        self.write()
        (self.folder / "meta.json").unlink()
        page, _ = self.report()
        self.check("batch_64_in_order", page)

    def test_unknown_rows_and_counters(self):
        self.write()

        def change(content):
            content["benchmarks"] += [
                {"name": 'new<"row">$_{/7/real_time', "real_time": 5, "cpu_time": 5, "odd": 0,
                 "time_unit": "us", "peak_kib": 0, "repetition_index": number}
                for number in range(6)]

        self.edit("stitchmalloc", change)
        self.edit("jemalloc", change)
        page, summary = self.report()
        self.assertIn('new<"row">$_{/7', Page(page).first_cells)
        self.assertTrue(re.search(r'(?m)^new<"row">\$_{/7 +5\.00 us +1\.000=', summary))

    def test_names(self):
        """Groups and allocators may be called anything; ours and the baseline may not be there."""
        self.write()
        self.edit("meta", lambda content: content["rows"]["batch_64_reverse"].update(
            group='a "b" & <c>'))
        self.edit("meta", lambda content: content.update(baseline="hoard", ours="scudo"))
        page, _ = self.report()
        self.check("hoard is not among the allocators", page)
        self.edit("meta", lambda content: content.update(baseline="jemalloc-again",
                                                         ours="jemalloc"))
        page, _ = self.report()
        self.check("a &#34;b&#34; &amp; &lt;c&gt;", page)

    def test_few_rounds(self):
        for rounds, text in ((1, "with fewer than 5 no verdicts"), (5, "there are no intervals.")):
            self.write(rounds)
            page, summary = self.report()
            self.check("Fewer than 6 rounds", page)
            self.check(text, summary.replace("\n  ", " "))
            self.assertFalse("<small>[" in page)
            shutil.rmtree(self.folder / "curves")


if __name__ == "__main__":
    unittest.main()
