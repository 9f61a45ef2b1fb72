"""What is run under each allocator: a group of the harness, a real program, a program that watches
its memory. A task's run() gives entries in the form of Google Benchmark's JSON."""
import argparse
import json
import os
import shlex
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), ".."))
import programs  # noqa: E402

pair = programs.pair


class Failure(Exception):
    """A run that failed; the text is for the user."""


class TooSlow(Failure):
    """A run that was ended at its limit: another would take as long."""


class Task:
    """rounds: that many at most, of what takes long. seconds: what one run takes, about.
    limit: seconds after which a run is ended."""

    kind, rounds, seconds, limit = "micro", None, 1.0, None

    def __init__(self, name):
        self.name = name

    def why_not(self):
        """Why it cannot be run here, or None."""
        return None

    def run(self, allocator, folder):
        """One run: entries, context. Files for the report go into the folder."""
        raise NotImplementedError

    def close(self):
        """Removes what the runs needed."""


class HarnessTask(Task):
    """The rows of one benchmark, in a process of their own: what others have left in the
    allocator would be in their peaks."""

    def __init__(self, group, name, build, quick, min_time):
        super().__init__(name)
        self.command = [f"{build}/bench/bench", f"--only={name}",
                        f"--benchmark_min_time={min_time}"] + (["--quick"] if quick else [])
        self.group = group

    def run(self, allocator, folder):
        environment = {key: text for key, text in os.environ.items() if key != "LD_PRELOAD"}
        if allocator.preload():
            environment["LD_PRELOAD"] = allocator.preload()
        out = f"{folder}/.harness.json"
        command = self.command + [f"--allocator={allocator.path}", f"--benchmark_out={out}",
                                  "--benchmark_out_format=json"]
        try:
            done = programs.run_limited(command, self.limit, env=environment,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)
        except subprocess.TimeoutExpired:
            raise TooSlow(f"still ran after {self.limit} s") from None
        if done.returncode:
            raise Failure(f"{pair.ending(done.returncode)}: "
                          f"{done.stdout[-300:].decode(errors='replace').strip()}")
        with open(out, encoding="utf-8") as file:
            result = json.load(file)
        os.unlink(out)
        return result["benchmarks"], result["context"]


def entry_of(name, figures, text):
    """As Google Benchmark would say it of one iteration."""
    return {"name": name, "run_name": name, "run_type": "iteration", "iterations": 1,
            "threads": 1, "real_time": figures["wall_s"], "cpu_time": figures["cpu_s"],
            "time_unit": "s", "label": text, "faults": figures["faults"],
            "peak_kib": figures["peak_kib"]}


class ProgramTask(Task):
    """A real program of programs.py, unchanged."""

    kind, group = "program", "programs"

    def __init__(self, work, quick):
        super().__init__(work.name)
        self.work, self.quick = work, quick
        self.scratch = self.subject = None
        self.seconds = 1.0 if quick else 5.0

    def why_not(self):
        missing = [package for path, package in self.work.packages
                   if not (os.path.exists(path) if "/" in path else programs.shutil.which(path))]
        return f"apt-get install {' '.join(missing)}" if missing else None

    def prepare(self):
        """Once for all rounds."""
        self.scratch = programs.make_scratch()
        os.chmod(self.scratch.name, 0o755)
        if self.work.prepare:
            self.work.prepare(self.scratch.name, self.quick)
        filled = programs.Run(self.work, argparse.Namespace(quick=self.quick), self.scratch.name)
        self.environment = filled.environment
        command, server, load, port, stdin = map(filled.fill, (
            self.work.command, self.work.server, self.work.load, self.work.port, self.work.stdin))
        options = argparse.Namespace(program=shlex.split(command or ""), figures=False,
                                     stdin=stdin or os.devnull, server=server, load=load,
                                     port=port)
        self.subject = pair.Server(options) if server else pair.Program(options)
        self.subject.limit = self.limit

    def run(self, allocator, folder):
        try:
            if not self.subject:
                self.prepare()
            preload = pair.Allocator(f"{allocator.name}={allocator.path}")
            preload.environment = self.environment
            figures = self.subject.run(preload)
        except pair.TooLong as failure:
            raise TooSlow(str(failure)) from None
        except (pair.Failure, programs.Failure, subprocess.CalledProcessError) as failure:
            raise Failure(str(failure)) from None
        return [entry_of(self.name, figures, self.work.title)], {}

    def close(self):
        if self.scratch:
            self.scratch.cleanup()


class MemoryTask(Task):
    """A program of bench/memory, which measures itself; with a curve of its memory, if it can."""

    kind, group = "memory", "memory"

    def __init__(self, name, build, command, text, seconds, rounds=3, curve=False):
        super().__init__(name)
        words = shlex.split(command)
        self.command = [f"{build}/bench/{words[0]}"] + words[1:]
        self.text, self.seconds, self.rounds, self.curve = text, seconds, rounds, curve
        self.subject = None

    def why_not(self):
        return None if os.path.exists(self.command[0]) else f"no {self.command[0]} was built"

    def run(self, allocator, folder):
        command = list(self.command)
        if self.curve:
            os.makedirs(f"{folder}/curves", exist_ok=True)
            command += ["--csv", f"{folder}/curves/{self.name}.{allocator.name}.csv",
                        "--name", allocator.name]
        try:
            if not self.subject:
                self.subject = pair.Program(argparse.Namespace(
                    program=command, figures=True, stdin=os.devnull))
                self.subject.limit = self.limit
            self.subject.command = command
            figures = self.subject.run(pair.Allocator(f"{allocator.name}={allocator.path}"))
        except pair.TooLong as failure:
            raise TooSlow(str(failure)) from None
        except pair.Failure as failure:
            raise Failure(str(failure)) from None
        return [entry_of(self.name, figures, self.text)], {}


def memory_tasks(build, quick):
    """Small heaps in --quick."""
    def task(name, command, small, text, seconds, **more):
        return MemoryTask(name, build, command + (" " + small if quick else ""), text,
                          1.0 if quick else seconds, **more)

    tasks = [
        task("phases", "phases", "--mib 32 --quiet 1",
             "a heap of mixed blocks is built and freed; then ten quiet seconds", 15.0),
        task("two-phases", "phases --second --quiet 0", "--mib 32",
             "a heap of small blocks is built and freed, then one of large blocks", 10.0),
        task("day", "server_day", "--operations 300000 --mib 32 --seconds 1",
             "a server's day: lifetimes over six orders of magnitude, drifting sizes", 70.0,
             rounds=1, curve=True),
        task("stitch", "stitch --idle 5", "--heap 64 --rounds 8 --idle 0 --large 4",
             "large blocks in a heap half of which is free in scattered runs; then idle", 20.0,
             curve=True),
    ]
    ways = ("append",) if quick else ("steps", "append", "list", "vector")
    for way in ways:
        tasks.append(task(f"realloc-{way}", f"resize {way}", "--rounds 1",
                          "a block grows by realloc (bench/memory/resize.c)", 5.0))
    for way in ("pages",) if quick else ("whole", "pages"):
        tasks.append(task(f"compressor-{way}", f"compressor {way}", "--mib 4 --rounds 1",
                          "text is compressed by zstd (bench/memory/compressor.c)", 5.0))
    return tasks


# What takes longer than the other rows together gets fewer rounds in --quick.
SLOW_GROUPS = ("change", "cliffs", "fork", "idle", "memory", "programs")
QUICK_SLOW_ROUNDS = 1
QUICK_PROGRAMS = ("python3-malloc", "lua", "sqlite3")


def all_tasks(build, quick, min_time, limit):
    """Everything that can be run, in the order of the report."""
    harness = f"{build}/bench/bench"
    lines = subprocess.run([harness, "--list"] + (["--quick"] if quick else []),
                           stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    tasks = [HarnessTask(*line.split(), build, quick, min_time) for line in lines]
    tasks += [ProgramTask(work, quick) for work in programs.ALL_WORKS
              if not quick or work.name in QUICK_PROGRAMS]
    tasks += memory_tasks(build, quick)
    for task in tasks:
        task.limit = limit
        if quick and task.group in SLOW_GROUPS:
            task.rounds = QUICK_SLOW_ROUNDS
    return tasks
