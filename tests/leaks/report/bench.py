"""bench.py - how the programs of this folder are built and run, and tests with them."""
import argparse
import concurrent.futures
import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
import traceback
from pathlib import Path

from check_corpus import environment, parse_leaks

SOURCES = Path(__file__).resolve().parent
FLAGS = ["-g", "-O1", "-fno-builtin", "-fomit-frame-pointer", "-D_GNU_SOURCE", "-Wall", "-Wextra",
         "-Werror", "-Wno-unused-but-set-variable", "-pthread"]
TIME_LIMIT = 60         # seconds of one run: the slowest takes 10 on a busy machine
FRAME = re.compile(r"    #(\d+) 0x([0-9a-f]+)(?: in (.+?))?(?: (\S+):(\d+))?"
                   r" \((?:(\S+?)\+0x([0-9a-f]+)|in no module: .*)\)(?: \(BuildId: (\w+)\))?$")


class Failed(Exception):
    """What a test has found."""


class Skipped(Exception):
    """Why a test cannot be made here."""


def check(condition, *what):
    if not condition:
        raise Failed("\n".join(str(part) for part in what))


def same(got, want, *what):
    check(got == want, f"{got!r}, not {want!r}", *what)


class Result:
    """A run: status (minus the signal), pid, out, err; reports of processes by number."""

    def __init__(self, process, out, err):
        self.pid, self.status = process.pid, process.returncode
        self.out, self.err = out.decode(errors="replace"), err.decode(errors="replace")
        self.reports = parse_leaks(self.err)

    def check_faults(self):
        for report in self.reports.values():
            check(not report.faults, report.faults, self)
        return self

    @property
    def totals(self):
        """Of the process that was started."""
        check(self.pid in self.reports, "no report", self)
        return self.reports[self.pid].totals

    def lines(self, pattern):
        return [line for line in self.err.split("\n") if re.search(pattern, line)]

    def __str__(self):
        return f"status {self.status}\nstdout: {self.out}\nstderr: {self.err}"


class Bench:
    """Where things are, and how programs are run."""

    def __init__(self, library, launcher, work):
        self.library, self.launcher, self.work = library, launcher, work

    def build(self):
        cc, cxx = (shlex.split(os.environ.get(name, default)) + FLAGS
                   for name, default in (("CC", "gcc"), ("CXX", "g++")))
        actions, module = str(SOURCES / "actions.c"), str(SOURCES / "module.c")
        shared = [*cc, "-shared", "-fPIC", module]
        for command in ([*cc, actions, "-o", "actions"],
                        [*cc, "-DDEFAULT_SUPPRESSIONS", "-rdynamic", actions, "-o", "suppressing"],
                        [*cc, str(SOURCES / "groups.c"), "-o", "groups"],
                        [*cc, str(SOURCES / "goes_on.c"), "-o", "goes_on"],
                        [*cc, str(SOURCES / "samples.c"), "-o", "samples"],
                        [*cc, str(SOURCES / "places.c"), "-o", "places"],
                        [*cc, str(SOURCES / "lives_on.c"), "-o", "lives_on"],
                        [*cc, str(SOURCES / "roots.c"), "-o", "roots"],
                        [*cc, "-I", str(SOURCES.parents[2] / "include"),
                         str(SOURCES / "devices.c"), "-o", "devices"],
                        [*shared, "-DMODULE_FUNCTION=lose_first", "-o", "first.so"],
                        [*shared, "-DMODULE_FUNCTION=lose_second", "-o", "second.so"],
                        [*cxx, str(SOURCES / "names.cc"), "-o", "names"],
                        [*cxx, "-std=c++17", str(SOURCES / "entries.cc"), "-o", "entries"],
                        [*cxx, "-fsized-deallocation", str(SOURCES / "sized.cc"), "-o", "sized"],
                        ["strip", "actions", "-o", "stripped"]):
            subprocess.run(command, cwd=self.work, check=True)

    def environment(self, conf):
        return environment(LD_PRELOAD=self.library, STITCH_CONF=",".join(conf.split()))

    def run(self, *command, conf="leaks=full", preloaded=True, directory=None, once=True,
            limit=TIME_LIMIT, **more):
        """
        Options are separated by spaces in conf. stdout and stderr are pipes unless given. Once: no
        process may report twice.
        """
        more = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE,
                "stderr": subprocess.PIPE, "env": self.environment(conf) if preloaded
                else environment(), **more}
        with subprocess.Popen(command, cwd=directory or self.work, start_new_session=True,
                              **more) as process:
            try:
                out, err = process.communicate(timeout=limit)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                raise Failed(f"{' '.join(command)}: still runs after {limit} s") from None
        result = Result(process, out or b"", err or b"")
        return result.check_faults() if once else result

    def act(self, *actions, conf="leaks=full", program="actions", **more):
        return self.run(str(self.work / program), *actions, conf=conf, **more)

    def folder(self):
        return Path(tempfile.mkdtemp(dir=self.work))

    def file(self, text):
        path = self.folder() / "file"
        path.write_text(text)
        return path


def frames(text):
    """Each as number, pc, function, file, line, module, offset, build-id."""
    return [found.groups() for line in text.split("\n") if (found := FRAME.match(line))]


def functions(text):
    return [frame[2] for frame in frames(text)]


def resolved(module, offset):
    """The function and all that it is inlined into, each with its file."""
    found = subprocess.run(["addr2line", "-if", "-e", module, f"0x{offset}"], check=True,
                           capture_output=True, text=True).stdout.split("\n")
    return [(name, Path(place).name.split(":")[0]) for name, place in zip(found[::2], found[1::2])]


def build_id(module):
    text = subprocess.run(["readelf", "-n", module], check=True, capture_output=True,
                          text=True).stdout
    found = re.search(r"Build ID: (\w+)", text)
    return found and found[1]


def needs(tool, package=None):
    path = shutil.which(tool)
    if not path:
        raise Skipped(f"{tool} is not here: apt-get install {package or tool}")
    return path


# --- all -----------------------------------------------------------------------------------------

def run_test(bench, name, function):
    """The line for it, and whether it failed."""
    start = time.monotonic()
    try:
        function(bench)
        said = "ok"
    except Skipped as reason:
        said = f"skipped: {reason}"
    except Failed as failure:
        line = traceback.extract_tb(failure.__traceback__)
        at = next(frame.lineno for frame in line if frame.name == name)
        said = f"FAILED at line {at}: {failure}"
    except Exception:   # one of the test's own: the others go on
        said = f"FAILED: {traceback.format_exc()}"
    return f"{name}: {said} ({time.monotonic() - start:.1f} s)", said.startswith("FAILED")


def parse_arguments(usage):
    parser = argparse.ArgumentParser(description=usage,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library")
    parser.add_argument("launcher")
    parser.add_argument("work", nargs="?", type=Path, metavar="WORKDIR")
    parser.add_argument("-k", dest="only", action="append", metavar="NAME")
    parser.add_argument("-j", dest="jobs", type=int, default=os.cpu_count() + 1, metavar="N")
    return parser.parse_args()


def main(usage, names):
    """Run the tests among the names of a module; the status to exit with."""
    options = parse_arguments(usage)
    tests = [(name, function) for name, function in names.items()
             if name.startswith("test_")
             and (not options.only or any(part in name for part in options.only))]
    with tempfile.TemporaryDirectory() as temporary:
        work = (options.work or Path(temporary)).resolve()
        work.mkdir(parents=True, exist_ok=True)
        bench = Bench(os.path.abspath(options.library), os.path.abspath(options.launcher), work)
        bench.build()
        failed = 0
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            for line, is_bad in pool.map(lambda test: run_test(bench, *test), tests):
                print(line, flush=True)
                failed += is_bad
    print(f"{len(tests)} tests, {failed} failed")
    return failed != 0
