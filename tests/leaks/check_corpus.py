#!/usr/bin/python3
"""The programs of corpus/ against what each of them says that it leaks.

usage: check_corpus.py valgrind [--work DIR] [--only NAME]... [-j N] [-v]
       check_corpus.py leaks --library LIB.so [--launcher PATH] [--conf KEY=VALUE]...
                             [--level 1|full] [--work DIR] [--only NAME]... [-j N] [-v]

All programs are built into DIR (a temporary one unless given) with $CC and $CXX, gcc and g++ unless
set. `valgrind` runs each under memcheck. `leaks` runs each with LIB.so preloaded (by PATH, a
`stitchmalloc` launcher, if given): with leaks=1, where the blocks of each kind must be as expected
and the bytes no fewer, and with leaks=full, where bytes, blocks and stacks must be as expected.

A line for each program, a last line with the numbers; the status is 1 if anything differs. A
process whose report is missing, and a report of a process that is not expected, are differences.

A program begins with comment lines, of which these are read:
  // expect: definite B/N indirect B/N possible B/N reachable B/N
        bytes and blocks of each kind. `>=B/N`: at least so many, where libc, the loader or
        libstdc++ have blocks of their own, or where the sizes are theirs to choose
  // child: the same, of a process it forks; a line for each
  // top: F G...           the innermost frames of the program's own in a stack of definitely lost
        blocks: file and stack may contain other code's in between. A line for each group.
        ?? stands for any. `// top possible:` of possibly lost ones
  // valgrind: same        or  `differs: WHY`  and  `// valgrind-says: ` figures as in expect
  // documented-miss: WHY  for what is reported although the program could reach it
  // exit: N    // flags: OPTION...    // module (is also built as a shared object, with -DMODULE)
"""
import argparse
import concurrent.futures
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

CORPUS = Path(__file__).resolve().parent / "corpus"
KINDS = ("definite", "indirect", "possible", "reachable")
TIME_LIMIT = 120        # seconds of one run; under memcheck on a busy machine the slowest takes 10
FLAGS = ["-O1", "-g", "-fno-builtin", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-pthread"]
CXX_FLAGS = ["-fno-allocation-dce", "-std=c++17"]
# Code as distributions build it has unwind tables and no frame pointers.
FLAGS += ["-fomit-frame-pointer"]

# The loader's own: vectors of thread variables, and these.
SUPPRESSIONS = """
{
   loader
   Memcheck:Leak
   match-leak-kinds: all
   fun:*alloc
   obj:*/ld-linux*
}
"""
VALGRIND = ["valgrind", "--leak-check=full", "--show-leak-kinds=all", "--num-callers=500",
            "--leak-check-heuristics=none", "--trace-children=yes", "--keep-debuginfo=yes",
            "--errors-for-leak-kinds=none", "--soname-synonyms=somalloc=nouserintercepts",
            # These free what libc has for the program, such as the vector behind environ.
            "--run-libc-freeres=no", "--run-cxx-freeres=no"]

FIGURES = re.compile(r"(\w+) (>=)?(\d+)/(\d+)")
TAG = re.compile(r"// (expect|child|top|top possible|valgrind|valgrind-says|documented-miss|exit"
                 r"|flags): ?(.*)|// (module)$")
HEADER = re.compile(r"=== stitchmalloc \S+: leak report of process (\d+), (.*?)(?: ===)?$")
GROUP = re.compile(r"([\d,]+) bytes? in ([\d,]+) blocks?"
                   r"(?: \(([\d,]+) in ([\d,]+) directly, ([\d,]+) in ([\d,]+) indirectly\))? "
                   r"(definitely lost|indirectly lost|possibly lost|still reachable)"
                   r" \[(\d+) of (\d+)\]")
TOTAL = re.compile(r"\s*(definitely lost|indirectly lost|possibly lost|still reachable|suppressed)"
                   r": ([\d,]+) bytes? in ([\d,]+) blocks?")
FRAME = re.compile(r"\s+#\d+ 0x[0-9a-f]+(?: in (.+?))??(?: (\S+?):(\d+))?"
                   r" \(([^()]+)\+0x[0-9a-f]+\)")
SUMMARY = re.compile(r"SUMMARY: stitchmalloc: (\d+) byte\(s\) leaked in (\d+) allocation\(s\)\.$")
VG_LINE = re.compile(r"==(\d+)==(?: (.*))?$")
VG_GROUP = re.compile(r"([\d,]+)(?: \(([\d,]+) direct, ([\d,]+) indirect\))? bytes in ([\d,]+)"
                      r" blocks are (definitely lost|indirectly lost|possibly lost"
                      r"|still reachable) in")
VG_FRAME = re.compile(r"\s+(?:at|by) 0x[0-9A-F]+: (.+?)(?: \((?:in (\S+)|(\S+):\d+)\))?$")
KIND_OF = {"definitely lost": "definite", "indirectly lost": "indirect",
           "possibly lost": "possible", "still reachable": "reachable"}


class Expectation:
    """Bytes and blocks of each kind; some are lower bounds."""

    def __init__(self, text):
        found = FIGURES.findall(text)
        if tuple(kind for kind, *_ in found) != KINDS:
            raise ValueError(f"not the figures of four kinds: {text}")
        self.figures = {kind: (int(size), int(blocks), bool(at_least))
                        for kind, at_least, size, blocks in found}

    def differences(self, totals, usable_sizes=False):
        """Yield what differs; usable sizes may be larger than those requested."""
        for kind, (size, blocks, at_least) in self.figures.items():
            got_size, got_blocks = totals.get(kind, (0, 0))
            blocks_differ = got_blocks < blocks if at_least else got_blocks != blocks
            sizes_differ = got_size < size if at_least or usable_sizes else got_size != size
            if blocks_differ or sizes_differ:
                bound = ">=" if at_least else ""
                yield f"{kind} {got_size}/{got_blocks}, not {bound}{size}/{blocks}"

    def is_met(self, totals, usable_sizes=False):
        return not list(self.differences(totals, usable_sizes))


class Program:
    """A source file of the corpus and what its first lines say."""

    def __init__(self, source):
        self.source, self.name = source, source.stem
        tags = {}
        for line in source.read_text().split("\n"):
            if not line.startswith("//"):
                break
            if found := TAG.match(line):
                tags.setdefault(found[1] or found[3], []).append(found[2])
        self.expect = Expectation(self.only(tags, "expect"))
        self.children = [Expectation(text) for text in tags.get("child", [])]
        self.tops = [(kind, text.split()) for kind, tag in (("definite", "top"),
                                                            ("possible", "top possible"))
                     for text in tags.get(tag, [])]
        self.status = int(tags.get("exit", ["0"])[0])
        self.flags = shlex.split(" ".join(tags.get("flags", [])))
        self.has_module = "module" in tags
        self.documented = tags.get("documented-miss")
        self.valgrind = self.valgrind_expectation(tags)

    def only(self, tags, tag):
        if len(tags.get(tag, [])) != 1:
            raise ValueError(f"{self.source.name}: must have one line `// {tag}:`")
        return tags[tag][0]

    def valgrind_expectation(self, tags):
        verdict = self.only(tags, "valgrind")
        self.differs = verdict.startswith("differs: ")
        if self.differs:
            return Expectation(self.only(tags, "valgrind-says"))
        if verdict != "same" or "valgrind-says" in tags:
            raise ValueError(f"{self.source.name}: `// valgrind:` is neither same nor differs: WHY")
        return self.expect

    def build(self, work):
        """Return what the compiler said, or nothing."""
        is_cxx = self.source.suffix == ".cc"
        compiler = shlex.split(os.environ.get("CXX", "g++") if is_cxx
                               else os.environ.get("CC", "gcc"))
        self.path, module = work / self.name, work / f"{self.name}.so"
        common = [*compiler, *FLAGS, *(CXX_FLAGS if is_cxx else []), *self.flags, str(self.source)]
        commands = [[*common, f'-DMODULE_PATH="{module}"', "-o", str(self.path)]]
        if self.has_module:
            commands.append([*common, "-DMODULE", "-shared", "-fPIC", "-o", str(module)])
        said = ""
        for command in commands:
            result = subprocess.run(command, capture_output=True, text=True, check=False)
            said += result.stderr or ("the compiler failed" if result.returncode else "")
        return said

    def is_own_frame(self, file, module):
        if file:
            return os.path.basename(file) in (self.source.name, "corpus.h")
        return bool(module) and os.path.basename(module) in (self.name, f"{self.name}.so")


class Report:
    """What one process leaked."""

    def __init__(self):
        self.totals = {}
        self.groups = []        # of kind, bytes, blocks (both directly lost), frames
        self.faults = []
        self.nr_groups = 0
        self.summary = None

    def own_frames(self, program):
        for kind, _, _, frames in self.groups:
            yield kind, [short_name(name) for name, file, module in frames
                         if program.is_own_frame(file, module)]


def short_name(name):
    """ns::item<int>::lose(int) const -> lose"""
    name = (name or "??").replace("(anonymous namespace)", "anonymous")
    name = name.replace("operator()", "operator_call")
    name = re.sub(r"operator (new|delete)(\[\])?", r"operator_\1", name).split("(")[0]
    while (shorter := re.sub(r"<[^<>]*>", "", name)) != name:
        name = shorter
    name = (name.split() or ["?"])[-1].split("::")[-1]
    return re.sub(r"\.(constprop|isra|part|cold)\b.*", "", name)


def number(text):
    return int(text.replace(",", ""))


def parse_valgrind(text):
    """The reports by process number."""
    reports = {}
    for line in text.split("\n"):
        if not (found := VG_LINE.match(line)):
            continue
        report, line = reports.setdefault(int(found[1]), Report()), found[2] or ""
        if group := VG_GROUP.match(line):
            size = number(group[2] or group[1])
            report.groups.append((KIND_OF[group[5]], size, number(group[4]), []))
        elif (frame := VG_FRAME.match(line)) and report.groups:
            report.groups[-1][3].append((frame[1], frame[3], frame[2]))
        elif (total := TOTAL.match(line)) and total[1] in KIND_OF:
            report.totals[KIND_OF[total[1]]] = number(total[2]), number(total[3])
        elif line.startswith("All heap blocks were freed"):
            report.totals = {kind: (0, 0) for kind in KINDS}
    return {pid: report for pid, report in reports.items() if report.totals}


def parse_leaks(text):
    """The reports by process number; two of one process are a fault."""
    reports, report = {}, None
    for line in text.split("\n"):
        if found := HEADER.match(line):
            pid, report = int(found[1]), Report()
            if pid in reports:
                report.faults.append("two reports of one process")
            reports[pid] = report
        elif not report:
            continue
        elif group := GROUP.match(line):
            size, blocks = group[3] or group[1], group[4] or group[2]
            report.groups.append((KIND_OF[group[7]], number(size), number(blocks), []))
            report.nr_groups = int(group[9])
        elif (frame := FRAME.match(line)) and report.groups:
            report.groups[-1][3].append((frame[1], frame[2], frame[4]))
        elif total := TOTAL.match(line):
            if total[1] in KIND_OF:
                report.totals[KIND_OF[total[1]]] = number(total[2]), number(total[3])
        elif summary := SUMMARY.match(line):
            report.summary = int(summary[1]), int(summary[2])
    for report in reports.values():
        report.faults += inconsistencies(report)
    return reports


def inconsistencies(report):
    """Yield what a report says against itself."""
    if set(report.totals) != set(KINDS):
        yield "the totals of four kinds are not there"
        return
    lost = tuple(sum(pair) for pair in zip(report.totals["definite"], report.totals["indirect"]))
    if report.summary is None:
        yield "there is no SUMMARY line"
    elif report.summary != lost:
        yield f"SUMMARY says {report.summary}, the totals {lost}"
    if report.nr_groups and report.nr_groups == len(report.groups):
        direct = [(size, blocks) for kind, size, blocks, _ in report.groups if kind == "definite"]
        shown = tuple(sum(column) for column in zip(*direct)) or (0, 0)
        if shown != report.totals["definite"]:
            yield f"definite groups sum up to {shown}, not {report.totals['definite']}"


def run(command, environment, directory):
    """Return the process number, the status and what it wrote to stderr."""
    with subprocess.Popen(command, env=environment, cwd=directory, stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        try:
            text = process.communicate(timeout=TIME_LIMIT)[1].decode(errors="replace")
        except subprocess.TimeoutExpired:
            process.kill()
            return process.pid, "stopped", ""
    return process.pid, process.returncode, text


def environment(**more):
    kept = {name: value for name, value in os.environ.items()
            if name not in ("LD_PRELOAD", "STITCH_CONF", "MALLOC_PERTURB_", "GLIBC_TUNABLES")}
    return {**kept, "LC_ALL": "C", "DEBUGINFOD_URLS": "", **more}


def compare(program, expect, result, reports, usable_sizes, with_stacks):
    """Yield what differs between the reports and what was expected of the program."""
    pid, status, _ = result
    if status != program.status:
        yield f"status {status}, not {program.status}"
    reports = dict(reports)
    report = reports.pop(pid, None)
    if report:
        yield from report.faults
        yield from expect.differences(report.totals, usable_sizes)
        if with_stacks:
            yield from compare_tops(program, report)
    else:
        yield "no report"
    missing = False
    for child in program.children:
        found = next((other for other, report in reports.items()
                      if child.is_met(report.totals, usable_sizes)), None)
        if found is None:
            missing = True
            yield f"child: no report of {child.figures}, but {[r.totals for r in reports.values()]}"
        else:
            yield from reports.pop(found).faults
    if reports and not missing:
        yield f"{len(reports)} more reports than processes expected"


def compare_tops(program, report):
    stacks = list(report.own_frames(program))
    for kind, top in program.tops:
        if not any(kind == other and len(frames) >= len(top)
                   and all(want in ("??", got) for want, got in zip(top, frames))
                   for other, frames in stacks):
            yield f"no {kind} stack {' '.join(top)} among {[' '.join(f) for _, f in stacks]}"


def check_valgrind(program, options):
    """Yield the differences between memcheck's verdict and the program's."""
    with tempfile.TemporaryDirectory(dir=options.work) as logs:
        suppressions = options.work / "loader.supp"
        command = [*VALGRIND, f"--suppressions={suppressions}", f"--log-file={logs}/%p.log",
                   str(program.path)]
        result = run(command, environment(), options.work)
        text = "\n".join(log.read_text(errors="replace") for log in Path(logs).iterdir())
    if options.verbose:
        print(text, result[2])
    # Stacks of what it takes for something else are not to be found.
    yield from compare(program, program.valgrind, result, parse_valgrind(text), False,
                       not program.differs)
    if program.differs and program.valgrind.figures == program.expect.figures:
        yield "valgrind-says is what is expected: it does not differ"


def check_leaks(program, options):
    """Yield the differences between our reports and the program's verdict."""
    for level in options.level:
        conf = [f"leaks={level}", "leak_print=always", *options.conf]
        if options.launcher:
            command = [options.launcher, "run", "--lib", options.library]
            command += [word for item in conf for word in ("-o", item)] + ["--", str(program.path)]
            result = run(command, environment(), options.work)
        else:
            result = run([str(program.path)],
                         environment(LD_PRELOAD=options.library, STITCH_CONF=",".join(conf)),
                         options.work)
        if options.verbose:
            print(result[2])
        for difference in compare(program, program.expect, result, parse_leaks(result[2]),
                                  level == "1", level == "full"):
            yield f"leaks={level}: {difference}"


def check(program, options):
    """The differences; the program is built first."""
    if said := program.build(options.work):
        return [f"does not compile cleanly: {said}"]
    if options.mode == "leaks":
        return list(check_leaks(program, options))
    # Once more: Valgrind's heap lies so low that a time in nanoseconds may point into it by chance.
    return list(check_valgrind(program, options)) and list(check_valgrind(program, options))


def check_all(programs, options):
    (options.work / "loader.supp").write_text(SUPPRESSIONS)
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for program, differences in zip(programs, pool.map(lambda p: check(p, options), programs)):
            note = " (not as Valgrind)" if program.differs else ""
            note += " (documented miss)" if program.documented else ""
            print(f"{program.name}: {'; '.join(differences) or 'ok'}{note}", flush=True)
            failed += bool(differences)
    differing = sum(program.differs for program in programs)
    print(f"{len(programs)} programs, {failed} differ from what they expect; "
          f"{differing} of them expect something else than Valgrind says")
    return failed


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=("valgrind", "leaks"))
    parser.add_argument("--library", help="the library to preload")
    parser.add_argument("--launcher", help="the stitchmalloc launcher, which preloads it")
    parser.add_argument("--conf", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--level", action="append", choices=("1", "full"))
    parser.add_argument("--work", type=Path, help="where to build; is made, and stays")
    parser.add_argument("--only", action="append", metavar="NAME")
    parser.add_argument("-j", dest="jobs", type=int, default=1, metavar="N")
    parser.add_argument("-v", dest="verbose", action="store_true", help="show the reports")
    options = parser.parse_args()
    options.level = options.level or ["1", "full"]
    if options.mode == "leaks":
        if not options.library or not os.path.isfile(options.library):
            parser.error("leaks needs --library LIB.so, a file")
        options.library = os.path.abspath(options.library)
        options.launcher = options.launcher and os.path.abspath(options.launcher)
    return parser, options


def main():
    parser, options = parse_arguments()
    sources = sorted([*CORPUS.glob("*.c"), *CORPUS.glob("*.cc")])
    try:
        programs = [Program(source) for source in sources]
    except ValueError as error:
        parser.error(str(error))
    if options.only:
        programs = [program for program in programs if program.name in options.only]
        if missing := set(options.only) - {program.name for program in programs}:
            parser.error(f"not in the corpus: {' '.join(sorted(missing))}")
    with tempfile.TemporaryDirectory() as temporary:
        options.work = (options.work or Path(temporary)).resolve()
        options.work.mkdir(parents=True, exist_ok=True)
        return check_all(programs, options) != 0


if __name__ == "__main__":
    sys.exit(main())
