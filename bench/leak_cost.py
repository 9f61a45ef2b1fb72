#!/usr/bin/python3
"""What finding leaks costs: malloc and free, and four real programs, in every mode of ours and
under LeakSanitizer, Valgrind and heaptrack.

    leak_cost.py [-n ROUNDS] [--only NAME]... [--mode NAME]... [--quick] [--json FILE] BUILD-TREE

Programs and their work are those of programs.py. In each round every mode runs once, in turn, so
that what else the machine does falls on all; a ratio is the median over the rounds of that
round's time to glibc's. User and system time, of children too.
BUILD-TREE is configured with -DSTITCH_BENCH=ON. Modes whose tool is not here are left out,
with a line.
"""
import argparse
import json
import os
import re
import resource
import shlex
import shutil
import statistics
import subprocess
import sys

sys.dont_write_bytecode = True
import programs  # noqa: E402

WORKS = ("python3-malloc", "perl", "sqlite3", "g++")
LSAN = "/usr/lib/x86_64-linux-gnu/liblsan.so.0"
# Valgrind takes minutes for what others take seconds for.
SLOW_ROUNDS = 1
LIMIT_SECONDS = 300  # of one run; heaptrack hangs in some of perl's forks


class Mode:
    """How a program is started: environment, and what stands in front of it. {tmp}: a folder."""

    def __init__(self, name, environment=None, prefix="", needs=None, slow=False):
        self.name, self.environment, self.prefix = name, environment or {}, prefix
        self.needs, self.slow = needs, slow


def ours(name, conf):
    return Mode(name, {"LD_PRELOAD": "{library}", "STITCH_CONF": conf})


MODES = [
    Mode("glibc"),
    ours("off", "leaks=0"),
    ours("leaks=1", "leaks=1,log_path={tmp}/log"),
    ours("leaks=sample", "leaks=sample,log_path={tmp}/log"),
    ours("leaks=full", "leaks=full,log_path={tmp}/log"),
    ours("profile=sample", "profile=sample,profile_path={tmp}/log"),
    ours("profile=full", "profile=full,profile_path={tmp}/log"),
    Mode("LeakSanitizer", {"LD_PRELOAD": LSAN, "LSAN_OPTIONS": "exitcode=0:log_path={tmp}/log"},
         needs=(LSAN, "liblsan0")),
    Mode("heaptrack", prefix="heaptrack",
         needs=("heaptrack", "heaptrack")),
    Mode("Valgrind", prefix="valgrind --leak-check=full --log-file={tmp}/log",
         needs=("valgrind", "valgrind"), slow=True),
]


def progress(text):
    print(f"leak_cost: {text}", file=sys.stderr, flush=True)


def is_here(mode):
    if not mode.needs:
        return True
    path, package = mode.needs
    if os.path.exists(path) if "/" in path else shutil.which(path):
        return True
    progress(f"{mode.name} is left out: apt-get install {package}")
    return False


def filled(mode, tmp, options):
    values = {"tmp": tmp, "library": f"{options.build}/libstitchmalloc.so"}
    environment = {name: value.format(**values) for name, value in mode.environment.items()}
    return environment, shlex.split(mode.prefix.format(**values))


def used_seconds():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def run_once(mode, command, stdin, environment, tmp, options):
    """User and system time, and what was printed. heaptrack writes to where it is."""
    extra, prefix = filled(mode, tmp, options)
    before = used_seconds()
    with open(stdin or os.devnull, "rb") as file, open(f"{tmp}/output", "w+b") as output:
        try:
            done = programs.run_limited(prefix + command, LIMIT_SECONDS, cwd=tmp, stdin=file,
                                        env={**environment, **extra}, stdout=output,
                                        stderr=subprocess.STDOUT)
        except subprocess.TimeoutExpired:
            raise programs.Failure(f"{mode.name}: still runs after {LIMIT_SECONDS} s") from None
        output.seek(0)
        text = output.read().decode(errors="replace")
    if done.returncode:
        raise programs.Failure(f"{mode.name}: status {done.returncode}: {text[-300:]}")
    return used_seconds() - before, text


def rounds_of(modes, options):
    for i in range(options.n):
        for mode in modes:
            if not mode.slow or i < SLOW_ROUNDS:
                yield mode


def measure_program(work, modes, options):
    """Seconds of each round, by mode; None of a run that failed."""
    seconds = {mode.name: [] for mode in modes}
    with programs.make_scratch() as tmp:
        run = programs.Run(work, options, tmp)
        work.prepare(tmp, options.quick)
        command, stdin = shlex.split(run.fill(work.command)), run.fill(work.stdin)
        for mode in rounds_of(modes, options):
            progress(f"{work.name}: {mode.name}")
            try:
                taken, _ = run_once(mode, command, stdin, run.environment, tmp, options)
                seconds[mode.name].append(taken)
            except programs.Failure as failure:
                if not mode.needs:
                    raise
                progress(f"{work.name} fails: {failure}")
                seconds[mode.name].append(None)
    return seconds


def measure_pairs(modes, options):
    """Minimum and median ns of malloc and free at 16 frames, by mode."""
    found = {}
    with programs.make_scratch() as tmp:
        for mode in modes:
            progress(f"pairs: {mode.name}")
            _, text = run_once(mode, [f"{options.build}/bench/unwind", "pairs"], None,
                               dict(os.environ), tmp, options)
            found[mode.name] = [float(number) for number in
                                re.search(r"frames: +([\d.]+) ns, median +([\d.]+)", text).groups()]
    return found


def cell(seconds, base):
    """Median seconds and ratio to glibc's; how many of the runs failed."""
    pairs = [(value, other) for value, other in zip(seconds, base) if value]
    if not pairs:
        return "fails"
    text = "%.2f (%.2f)" % (statistics.median(value for value, _ in pairs),
                            statistics.median(value / other for value, other in pairs))
    return text if len(pairs) == len(seconds) else f"{text}, {len(seconds) - len(pairs)} fail"


def print_table(results, modes):
    works = [work for work in WORKS if work in results["programs"]]
    print("\n| | pair, ns | " + " | ".join(f"{work}, s" for work in works) + " |")
    print("|---|---:|" + "---:|" * len(works))
    for mode in modes:
        pair = results["pairs"].get(mode.name)
        row = [f"{pair[0]:.0f} / {pair[1]:.0f}" if pair else "-"]
        for work in works:
            seconds = results["programs"][work]
            row.append(cell(seconds[mode.name], seconds["glibc"]))
        print(f"| {mode.name} | " + " | ".join(row) + " |")


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(prog="leak_cost.py", description=__doc__, allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter,
                                     usage=argparse.SUPPRESS)
    parser.add_argument("-n", type=int, default=7, metavar="ROUNDS")
    parser.add_argument("--only", action="append", choices=WORKS, metavar="NAME")
    parser.add_argument("--mode", action="append", metavar="NAME",
                        choices=[mode.name for mode in MODES], help="this mode, and glibc's")
    parser.add_argument("--quick", action="store_true", help="little work: no figures to keep")
    parser.add_argument("--json", metavar="FILE", help="every run's figures")
    parser.add_argument("build", metavar="BUILD-TREE")
    options = parser.parse_args(arguments)
    options.build = os.path.realpath(options.build)
    return options


def main(arguments):
    options = parse_arguments(arguments)
    programs.set_environment()
    modes = [mode for mode in MODES if is_here(mode) and
             (not options.mode or mode.name in options.mode + ["glibc"])]
    works = [work for work in programs.ALL_WORKS if work.name in (options.only or WORKS)]
    results = {"pairs": measure_pairs(modes, options), "programs": {}}
    for work in works:
        results["programs"][work.name] = measure_program(work, modes, options)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(results, file, indent=1)
    print_table(results, modes)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except programs.Failure as failure:
        progress(str(failure))
        sys.exit(1)
