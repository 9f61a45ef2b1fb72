#!/usr/bin/python3
"""bench/run as a user has it: results, going on after an interruption, clear errors. No times.

usage: test_run.py BUILD-TREE
"""
import glob
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = os.path.join(os.path.dirname(os.path.realpath(__file__)), "../..")
RUN = os.path.join(ROOT, "bench/run")
LIMIT = 600
BUILD = ""

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, "bench"))
import programs  # noqa: E402


def skip(why):
    print(f"test_run: skipped: {why}")
    sys.exit(77)


def run(*arguments, **options):
    return subprocess.run([RUN, *arguments, BUILD], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False, timeout=LIMIT, **options)


def read_json(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


SMALL = ["--quick", "--allocator", "stitchmalloc", "--allocator", "glibc", "--rounds", "2",
         "--only", "malloc_free", "--only", "lua", "--only", "two-phases"]


class RunCase(unittest.TestCase):
    def small(self):
        done = run(*SMALL, "--out", self.out)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def results(self, name):
        return read_json(f"{self.out}/{name}.json")["benchmarks"]


class ResultsTest(RunCase):
    """One run is enough for all of these."""

    def setUp(self):
        self.out = ResultsTest.folder.name + "/out"

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.done = run(*SMALL, "--out", cls.folder.name + "/out")

    def test_everything_is_there_of_both_allocators(self):
        self.assertEqual(self.done.returncode, 0, self.done.stderr)
        self.assertRegex(self.done.stderr, "so far, about .* left")
        self.assertTrue(os.path.exists(f"{self.out}/report.html"))
        self.assertTrue(os.path.exists(f"{self.out}/summary.txt"))
        names = [{(entry["name"], entry["repetition_index"]) for entry in self.results(name)}
                 for name in ("stitchmalloc", "glibc")]
        self.assertEqual(names[0], names[1])
        self.assertTrue(any(name.startswith("malloc_free/8/") for name, _ in names[0]))
        self.assertEqual({number for _, number in names[0]}, {0, 1})
        # What takes long has one round in --quick.
        self.assertTrue({("lua", 0), ("two-phases", 0)} <= names[0])
        self.assertFalse({("lua", 1), ("two-phases", 1)} & names[0])

    def test_the_context_says_what_was_measured(self):
        contexts = {name: read_json(f"{self.out}/{name}.json")["context"]
                    for name in ("stitchmalloc", "glibc")}
        self.assertTrue(contexts["stitchmalloc"]["allocator_version"].startswith("stitchmalloc "))
        self.assertTrue(contexts["glibc"]["allocator_path"].endswith("/libc.so.6"))
        for key in ("kernel", "processor", "transparent_hugepage", "max_map_count",
                    "instructions_and_cycles"):
            self.assertTrue(contexts["glibc"][key], key)

    def test_another_allocator_does_not_mix_with_old_runs(self):
        done = run(*SMALL, "--out", self.out, "--peer", f"copy={BUILD}/libstitchmalloc.so")
        self.assertEqual(done.returncode, 1)
        self.assertIn("another --out", done.stderr)


class RunTest(RunCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.out = self.folder.name + "/out"
        self.addCleanup(self.folder.cleanup)

    def test_an_interrupted_run_goes_on(self):
        with subprocess.Popen([RUN, *SMALL, "--out", self.out, BUILD],
                              stderr=subprocess.PIPE, text=True, start_new_session=True) as child:
            self.wait_for_results(2)
            os.killpg(child.pid, signal.SIGINT)
            child.communicate(timeout=LIMIT)
        before = self.runs()
        self.assertGreaterEqual(len(before), 2)
        self.small()
        after = self.runs()
        self.assertEqual({path: after[path] for path in before}, before)
        self.assertEqual(len(after), (2 + 1 + 1) * 2) # rounds of the three; allocators

    def runs(self):
        """Those that succeeded, with their times: which of them are run again shows there."""
        paths = glob.glob(f"{self.out}/runs/[0-9]*.json")
        return {path: os.stat(path).st_mtime_ns for path in paths
                if "error" not in read_json(path)}

    def wait_for_results(self, number):
        end = time.monotonic() + LIMIT
        while len(glob.glob(f"{self.out}/runs/[0-9]*.json")) < number:
            self.assertLess(time.monotonic(), end)
            time.sleep(0.05)

    def test_a_failure_is_told_and_the_rest_goes_on(self):
        broken = f"{self.folder.name}/libbroken.so"
        with open(broken, "w", encoding="ascii") as file:
            file.write("no library")
        done = run(*SMALL, "--out", self.out, "--peer", f"broken={broken}")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("under broken FAILED", done.stderr)
        meta = read_json(f"{self.out}/meta.json")
        self.assertTrue([item for item in meta["left_out"] if "broken" in item["what"]])
        self.assertFalse(self.results("broken"))
        self.assertTrue(self.results("glibc"))

    def test_errors_say_what_to_do(self):
        for arguments, text in ((["--only", "nothing"], "there are batch_64"),
                                (["--peer", "x"], "NAME=PATH"),
                                (["--peer", "x=/nowhere.so"], "no library /nowhere.so"),
                                (["--peer", "glibc=/bin/true"], "anyway"),
                                (["--rounds", "0"], "at least 1"),
                                (["--allocator", "glibc"], "two allocators")):
            done = run("--quick", *arguments, "--out", self.out)
            self.assertNotEqual(done.returncode, 0, arguments)
            self.assertIn(text, done.stderr)

    def test_the_harness_refuses_another_allocator(self):
        done = subprocess.run([f"{BUILD}/bench/bench",
                               f"--allocator={BUILD}/libstitchmalloc.so"],
                              stderr=subprocess.PIPE, text=True, check=False, timeout=LIMIT)
        self.assertEqual(done.returncode, 1)
        self.assertIn("libc.so.6's, not", done.stderr)


class LimitTest(unittest.TestCase):
    def test_what_runs_too_long_ends_with_all_that_it_started(self):
        reads, writes = os.pipe()
        with os.fdopen(reads) as pipe:
            with self.assertRaises(subprocess.TimeoutExpired):
                programs.run_limited(["sh", "-c", f"sleep {LIMIT} & wait"], 0.1, stdout=writes)
            os.close(writes)
            self.assertEqual(pipe.read(), "") # else sleep has it open still


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    BUILD = os.path.realpath(sys.argv.pop(1))
    for module in ("scipy", "matplotlib", "jinja2"):
        if not importlib.util.find_spec(module):
            skip(f"apt-get install python3-{module}")
    unittest.main(verbosity=2)
