#!/usr/bin/python3
"""Leak reports of real programs against Valgrind's.

usage: programs.py LIBRARY [--only NAME]... [--keep DIR]

Each program does the same work three times: under memcheck, and with LIBRARY preloaded as
leaks=full and as leaks=1. What is definitely lost must be the same, in the process and in each that
it forks: with leaks=full bytes and blocks of each allocating function, with leaks=1, which knows
neither functions nor exact sizes, the number of blocks. Where a program differs, `differs` below
says why, by function, and nothing else may differ.

A line for each program with what differs, a last line with the numbers; the status is 1 if anything
differs that should not. A program that is not installed is a failure. --keep: the reports stay in
DIR.

Valgrind knows which memory has been written, and leaves freed addresses unused for long. A scan
that looks at all words cannot tell a pointer from what is left of one: it may find a lost block
held, and never a held one lost. The reasons for differences are of three kinds:
  UNWRITTEN  it is held by a word of a live block, or of the frame of a function that has not
             returned, that nobody has written since it held a pointer
  REUSED     it is held, or lost together with something else, by a word that the program has
             written and forgotten: the block that it pointed to was freed, and this one has its
             address
  RING       blocks that point to each other in a ring are lost with the one of them that has the
             lowest address: definitely that one, the others indirectly. Addresses differ, the sum
             does not
With leaks=1 words behind what was asked for, to the end of the object, are looked at as well, and
that may hide more.
"""
import argparse
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

UNWRITTEN, REUSED, RING = "UNWRITTEN", "REUSED", "RING"

TIME_LIMIT = 100        # seconds of one run; under memcheck on a busy machine the slowest takes 10
NAP = 0.1               # seconds between two attempts to reach or to stop a server
ATTEMPTS = 600

# libc and libstdc++ must not clean up for Valgrind only; nor may its list of known leaks count.
VALGRIND = ["valgrind", "--leak-check=full", "--leak-check-heuristics=none",
            "--show-leak-kinds=definite", "--run-libc-freeres=no", "--run-cxx-freeres=no",
            "--default-suppressions=no", "--num-callers=60", "--keep-debuginfo=yes"]

# What would make two runs of a program differ: seeds of hash tables, the user's configuration.
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "TZ": "UTC",
               "PYTHONHASHSEED": "0", "PERL_HASH_SEED": "0", "GIT_CONFIG_NOSYSTEM": "1",
               "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.org",
               "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.org",
               "GIT_AUTHOR_DATE": "1700000000 +0000", "GIT_COMMITTER_DATE": "1700000000 +0000"}

NUMBER = r"([\d,]+)"
VG_LINE = re.compile(r"^==\d+== ?", re.M)
VG_END = re.compile(r"^ERROR SUMMARY:", re.M)
VG_GROUP = re.compile(rf"{NUMBER}(?: \({NUMBER} direct, {NUMBER} indirect\))? bytes in {NUMBER} "
                      r"blocks are definitely lost")
VG_FRAME = re.compile(r"^\s+(?:at|by) 0x[0-9A-F]+: (.+?) \((?:in (\S+)|\S+:\d+)\)$", re.M)
GROUP = re.compile(rf"{NUMBER} bytes? in {NUMBER} blocks?"
                   rf"(?: \({NUMBER} in {NUMBER} directly, {NUMBER} in {NUMBER} indirectly\))? "
                   r"definitely lost \[")
FRAME = re.compile(r"^\s+#\d+ 0x[0-9a-f]+(?: in (.+?))?(?: \S+:\d+)? \((\S+)\+0x[0-9a-f]+\)$", re.M)
TOTAL = re.compile(rf"^\s*(?:definitely|indirectly) lost: {NUMBER} bytes? in {NUMBER} blocks?$",
                   re.M)
SUMMARY = re.compile(r"^SUMMARY: stitchmalloc: ", re.M)
ALLOCATORS = re.compile(r"vgpreload_|libstitchmalloc")
# The programs' own functions in front of malloc tell nothing.
WRAPPERS = {"malloc", "calloc", "realloc", "Perl_safesysmalloc", "Perl_safesyscalloc",
            "Perl_safesysrealloc", "xmalloc", "xrealloc", "ngx_alloc", "ngx_calloc"}


def number(text):
    return int(text.replace(",", ""))


def function_of(frames):
    """The innermost one with a name."""
    for name, module in frames:
        if name and name != "???" and name not in WRAPPERS and not ALLOCATORS.search(module):
            return name.lstrip("_")
    return "?"


class Lost:
    """What a process has lost: bytes and blocks, definitely and of each function, and in all."""

    def __init__(self, text):
        totals = [tuple(map(number, found)) for found in TOTAL.findall(text)] or [(0, 0)]
        self.size, self.blocks = totals[0]
        self.all = tuple(map(sum, zip(*totals)))
        self.sizes, self.counts = Counter(), Counter()

    def add(self, frames, size, blocks):
        function = function_of(frames)
        self.sizes[function] += size
        self.counts[function] += blocks


def read_valgrind(text):
    """None: a process that has become another program before it ended."""
    text = VG_LINE.sub("", text)
    if not VG_END.search(text):
        return None
    lost = Lost(text)
    for group in text.split("\n\n"):
        if found := VG_GROUP.match(group):
            lost.add(VG_FRAME.findall(group), number(found[2] or found[1]), number(found[4]))
    return lost


def read_ours(text):
    if not SUMMARY.search(text):
        return None
    lost = Lost(text)
    for group in text.split("\n\n"):
        if found := GROUP.match(group):
            size, blocks = (found[3], found[4]) if found[3] else (found[1], found[2])
            lost.add(FRAME.findall(group), number(size), number(blocks))
    return lost


# --- the programs ---------------------------------------------------------------------------------


class Program:
    """How to run something, and what may be found held although Valgrind calls it lost."""

    package = None
    environment = {}
    differs = {}        # function: (reason, most blocks), in each process
    differs_scan = 0    # most further blocks that are held with leaks=1

    def __init__(self, name):
        self.name = name

    def prepare(self, work):
        """Make what the program reads. Runs without the library."""

    def command(self, work):
        raise NotImplementedError

    def talk(self, process, work):
        """To a server, until it has been told to stop."""


class Python(Program):
    package = "python3"
    script = """
import collections, datetime, decimal, json, re, sqlite3, threading
table = {str(i): [i, {'a': i}] for i in range(200)}
assert json.loads(json.dumps(table)) == table
re.sub('(a|b)+c', lambda found: found[0].upper(), 'abababc' * 20)
thread = threading.Thread(target=lambda: [str(i) for i in range(100)])
thread.start()
thread.join()
base = sqlite3.connect(':memory:')
base.execute('create table t(a, b)')
base.executemany('insert into t values(?, ?)', [(i, str(i)) for i in range(100)])
base.close()
print(decimal.Decimal(1) / 7, datetime.date(2020, 1, 1).strftime('%A'))
"""

    def command(self, work):
        return ["/usr/bin/python3", "-c", self.script]


class PythonMalloc(Python):
    """Every object is a block."""
    environment = {"PYTHONMALLOC": "malloc"}


class Perl(Program):
    """
    At its end perl forgets its interpreter, with nearly all that it has: most is possibly lost,
    found from then on by nothing but pointers into arenas.
    """
    package = "perl"
    differs = {
        # The stack of temporaries: a word in a lost argument stack has pointed into a slab
        # of operators.
        "Perl_tmps_grow_p": (REUSED, 1),
        # The head of a freed scalar has pointed to a string.
        "Perl_gv_fetchpvn_flags": (REUSED, 1),
    }
    script = r"""
use strict; use List::Util qw(sum); use Data::Dumper; use POSIX qw(floor);
my %lists = map { ($_ => [1 .. $_]) } 1 .. 50;
my $text = join ',', map { sum(@{$lists{$_}}) } sort { $a <=> $b } keys %lists;
$text =~ s/(\d+),/<$1>/g;
local $Data::Dumper::Sortkeys = 1;
print length($text), ' ', length(Dumper(\%lists)), ' ', floor(2.5), "\n";
my $cycle = {}; $cycle->{me} = $cycle;
eval { die { a => 1 } }; print ref $@, "\n";
"""

    def command(self, work):
        return ["/usr/bin/perl", "-e", self.script]


class PerlDestruct(Perl):
    """Here it frees everything, but for the cycle: until the interpreter itself is freed."""
    environment = {"PERL_DESTRUCT_LEVEL": "2"}
    differs = {}


class Git(Program):
    package = "git"
    arguments = []

    def git(self, work, *arguments):
        return ["/usr/bin/git", "-C", str(work / "tree"), "-c", "gc.auto=0", "-c",
                "maintenance.auto=false", *arguments]

    def prepare(self, work):
        def git(*arguments):
            subprocess.run(self.git(work, *arguments), check=True, stdout=subprocess.DEVNULL,
                           env={**ENVIRONMENT, "HOME": str(work)})

        tree = work / "tree"
        tree.mkdir()
        git("init", "-q", "-b", "main")
        for nr_file, factor in [(nr, 1) for nr in range(20)] + [(nr, 2) for nr in range(5)]:
            lines = "".join(f"{line * factor}\n" for line in range(50))
            (tree / f"file{nr_file}").write_text(lines)
            if nr_file == 19:
                git("add", ".")
                git("commit", "-qm", "first")
        git("commit", "-qam", "second")
        (tree / "file7").write_text("changed\n")
        (tree / "new").write_text("new\n")
        (tree / "file8").unlink()

    def command(self, work):
        return self.git(work, *self.arguments)


class GitStatus(Git):
    arguments = ["status"]


class GitLog(Git):
    arguments = ["--no-pager", "log", "--stat", "-p"]


class GitCommit(Git):
    arguments = ["commit", "-qam", "third"]
    # The line of the author: by a word in the part of an array that is not filled yet.
    differs_scan = 1


class Sqlite(Program):
    package = "sqlite3"
    script = """
create table t(a integer primary key, b text); create index i on t(b);
with recursive n(x) as (select 1 union all select x + 1 from n where x < 500)
    insert into t select x, 'v' || x from n;
select count(*), max(b) from t where b like 'v1%';
select group_concat(a) from (select a from t order by b desc limit 9);
"""

    def command(self, work):
        return ["/usr/bin/sqlite3", "-batch", ":memory:", self.script]


class Bash(Program):
    """Subshells are processes of their own, and lose the commands that they were forked for."""
    # The pipe's reader takes all: SIGPIPE would kill the writer before its report, now and then.
    package = "bash"
    # With leaks=1: in what is left in a block of who had it before.
    differs = {"copy_command": (UNWRITTEN, 1)}
    script = r"""
squares() { local -a list=(1 2 3); for i in "${list[@]}"; do echo "$((i * i))"; done; }
declare -A table; for i in {1..50}; do table[k$i]=$i; done
lines=$(squares)
[[ abc123 =~ ([a-z]+)([0-9]+) ]] && echo "${BASH_REMATCH[2]} ${#table[@]} ${lines//$'\n'/,}"
while read -r line; do all+=$line; done <<< "$lines"
printf '%s\n' "$all"; case $all in 1*) trap 'echo bye' EXIT;; esac
(exit 3); echo $?; squares | { read -r first; echo "$first"; while read -r rest; do :; done; }
"""

    def command(self, work):
        return ["/bin/bash", "--norc", "-c", self.script]


class Cc1(Program):
    package = "gcc"
    source = r"""
typedef __SIZE_TYPE__ size_t;
extern void *malloc(size_t); extern int printf(const char *, ...);
struct list { struct list *next; char name[16]; };
static int add(struct list **list, const char *name)
{
        struct list *added = malloc(sizeof(*added));
        if (!added)
                return -1;
        __builtin_strcpy(added->name, name);
        added->next = *list;
        *list = added;
        return 0;
}
int main(int argc, char **argv)
{
        struct list *list = 0;
        for (int i = 0; i < argc; i++)
                add(&list, argv[i]);
        for (; list; list = list->next)
                printf("%s\n", list->name);
        return 0;
}
"""

    def prepare(self, work):
        (work / "source.c").write_text(self.source)

    def command(self, work):
        gcc = shutil.which("gcc", path=ENVIRONMENT["PATH"])
        found = subprocess.run([gcc or "gcc", "-print-prog-name=cc1"], capture_output=True,
                               text=True, check=False).stdout if gcc else ""
        return [found.strip() or "cc1", "-quiet", "-O1", str(work / "source.c"), "-o",
                str(work / "source.s")]


class Server(Program):
    def connect(self, process, work):
        for _ in range(ATTEMPTS):
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(TIME_LIMIT)
            try:
                connection.connect(str(work / "socket"))
                return connection
            except OSError:
                connection.close()
            if process.poll() is not None:
                raise RuntimeError(f"{self.name} has ended: {process.returncode}")
            time.sleep(NAP)
        raise RuntimeError(f"{self.name} cannot be reached")


class Redis(Server):
    package = "redis-server"

    def command(self, work):
        return ["/usr/bin/redis-server", "--port", "0", "--unixsocket", str(work / "socket"),
                "--save", "", "--dir", str(work)]

    def talk(self, process, work):
        with self.connect(process, work) as connection, connection.makefile("rwb") as stream:
            def send(*words):
                stream.write(b"*%d\r\n" % len(words))
                for word in words:
                    stream.write(b"$%d\r\n%s\r\n" % (len(word), word.encode()))
                stream.flush()
                reply = stream.readline()
                return stream.readline() if reply.startswith(b"$") else reply

            for i in range(50):
                send("set", f"key{i}", "v" * i)
                send("hset", "hash", f"field{i}", str(i))
                send("rpush", "list", "x" * i)
                send("zadd", "sorted", str(i), f"member{i}")
                send("sadd", "set", f"member{i}")
            send("xadd", "stream", "1-1", "a", "b")
            send("del", "key1", "list")
            if send("eval", "return redis.call('dbsize')", "0") != b":53\r\n":
                raise RuntimeError("redis-server does not do what it is asked for")
            send("shutdown", "nosave")


class Nginx(Server):
    """A master and a worker."""
    package = "nginx"
    # The worker's connections and their events for reading and for writing.
    differs = {"ngx_spawn_process": (RING, 0)}
    configuration = """
daemon off; user root; worker_processes 1; pid {work}/pid; error_log {work}/errors;
events {{ worker_connections 32; }}
http {{
    access_log {work}/accesses; client_body_temp_path {work}/body; proxy_temp_path {work}/proxy;
    fastcgi_temp_path {work}/fastcgi; uwsgi_temp_path {work}/uwsgi; scgi_temp_path {work}/scgi;
    gzip on; gzip_min_length 1; gzip_types text/plain;
    server {{
        listen unix:{work}/socket; root {work};
        location ~ \\.txt$ {{ default_type text/plain; add_header X-A b; }}
    }}
}}
"""

    def prepare(self, work):
        (work / "page.txt").write_text("hello\n" * 100)
        configuration = self.configuration
        if os.getuid():
            configuration = configuration.replace("user root; ", "")
        (work / "nginx.conf").write_text(configuration.format(work=work))

    def command(self, work):
        return ["/usr/sbin/nginx", "-c", str(work / "nginx.conf"), "-e", str(work / "errors")]

    def talk(self, process, work):
        for path, status in (("page.txt", b"200"), ("none", b"404"), ("page.txt", b"200")):
            with self.connect(process, work) as connection:
                connection.sendall(b"GET /%s HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n"
                                   b"Connection: close\r\n\r\n" % path.encode())
                reply = b""
                while piece := connection.recv(65536):
                    reply += piece
            if reply.split()[1:2] != [status]:
                raise RuntimeError(f"nginx: {reply[:40]}")
        # A signal that comes just before it waits is seen when the next one comes.
        for _ in range(ATTEMPTS):
            process.send_signal(signal.SIGQUIT)
            time.sleep(NAP)
            if process.poll() is not None:
                break


PROGRAMS = [PythonMalloc("python3-malloc"), Python("python3"), Perl("perl"),
            PerlDestruct("perl-destruct"), GitStatus("git-status"), GitLog("git-log"),
            GitCommit("git-commit"), Sqlite("sqlite3"), Bash("bash"), Cc1("cc1"),
            Redis("redis-server"), Nginx("nginx")]


# --- running and comparing ------------------------------------------------------------------------


class Run:
    """A program's run: what each of its processes has lost, in the order in which they began."""

    def __init__(self, program, work, logs, library=None, level=None):
        self.program, self.work, self.logs = program, work, logs
        shutil.rmtree(work, ignore_errors=True)
        shutil.rmtree(logs, ignore_errors=True)
        work.mkdir()
        logs.mkdir()
        program.prepare(work)
        command = program.command(work)
        environment = {**ENVIRONMENT, "HOME": str(work), **program.environment}
        if library:
            name = os.path.basename(os.path.realpath(command[0]))
            environment["LD_PRELOAD"] = str(library)
            environment["STITCH_CONF"] = (f"leaks={level},leak_print=always,leak_groups=100000,"
                                          f"exe={name},log_path={logs}/%p")
        else:
            command = [*VALGRIND, f"--log-file={logs}/%p", *command]
        began = time.monotonic()
        self.status, self.output = self.execute(command, environment)
        self.seconds = time.monotonic() - began
        self.processes = self.read(read_ours if library else read_valgrind)

    def execute(self, command, environment):
        with tempfile.TemporaryFile() as output:
            with subprocess.Popen(command, env=environment, cwd=self.work, start_new_session=True,
                                  stdin=subprocess.DEVNULL, stdout=output,
                                  stderr=output) as process:
                try:
                    self.program.talk(process, self.work)
                    status = process.wait(TIME_LIMIT)
                finally:
                    if process.poll() is None:
                        os.killpg(process.pid, signal.SIGKILL)
            output.seek(0)
            return status, output.read().decode(errors="replace")

    def read(self, parse):
        logs = sorted(self.logs.iterdir(), key=lambda log: int(log.name))
        read = [parse(log.read_text(errors="replace")) for log in logs]
        return [lost for lost in read if lost]


def is_explained(program, function, ours, theirs):
    """Blocks that only Valgrind calls lost, or others of a ring."""
    reason, most = program.differs.get(function, (None, 0))
    fewer = theirs.counts[function] - ours.counts[function]
    if reason == RING:
        return fewer == 0 and ours.all == theirs.all
    return 0 < fewer <= most and ours.sizes[function] < theirs.sizes[function]


def compare_functions(program, ours, theirs):
    """Yield what differs with leaks=full in a process, and why."""
    for function in sorted(ours.counts.keys() | theirs.counts.keys()):
        size, blocks = ours.sizes[function], ours.counts[function]
        their_size, their_blocks = theirs.sizes[function], theirs.counts[function]
        if (size, blocks) != (their_size, their_blocks):
            why = program.differs[function][0] if is_explained(program, function, ours,
                                                               theirs) else None
            yield (f"leaks=full: {function}: {size}/{blocks}, Valgrind "
                   f"{their_size}/{their_blocks}"), why


def compare(program, full, scan, theirs):
    """Yield what differs, and why; None: it should not."""
    if not len(full.processes) == len(scan.processes) == len(theirs.processes):
        yield (f"{len(full.processes)} and {len(scan.processes)} reports, "
               f"of Valgrind {len(theirs.processes)}"), None
        return
    for run, name in ((full, "leaks=full"), (scan, "leaks=1")):
        if run.status != theirs.status:
            yield f"{name}: status {run.status}, not {theirs.status}: {run.output[-300:]}", None
    fewer = program.differs_scan + sum(most for _, most in program.differs.values())
    for ours, ours_scan, lost in zip(full.processes, scan.processes, theirs.processes):
        yield from compare_functions(program, ours, lost)
        if ours_scan.blocks != lost.blocks:
            is_fewer = lost.blocks - fewer <= ours_scan.blocks < lost.blocks
            yield (f"leaks=1: {ours_scan.blocks} blocks, Valgrind {lost.blocks}",
                   "held" if is_fewer else None)


def figures(run):
    """Those of all processes."""
    lost = run.processes
    return (f"{sum(process.size for process in lost)}/{sum(process.blocks for process in lost)} "
            f"in {run.seconds:.1f} s")


def compare_with_valgrind(program, full, scan, work, logs):
    """Valgrind's run, what differs, and whether something does that should not. A number may point
    into Valgrind's low heap by chance and hold a block: who is wrong differs twice."""
    theirs = Run(program, work, logs / f"{program.name}.valgrind")
    differences = list(compare(program, full, scan, theirs))
    return theirs, differences, not all(why for _, why in differences)


def check(program, library, work, logs):
    """Returns whether all is as it should be."""
    command = program.command(work)
    if not shutil.which(command[0]):
        print(f"{program.name:14} FAILED: {command[0]} is missing: package {program.package}")
        return False
    try:
        full, scan = (Run(program, work, logs / f"{program.name}.{level}", library, level)
                      for level in ("full", "1"))
        theirs, differences, wrong = compare_with_valgrind(program, full, scan, work, logs)
        if wrong:
            theirs, differences, wrong = compare_with_valgrind(program, full, scan, work, logs)
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        print(f"{program.name:14} FAILED: {error}")
        return False
    print(f"{program.name:14} {'FAILED' if wrong else 'ok':6} valgrind {figures(theirs)}, "
          f"full {figures(full)}, 1 {figures(scan)}; processes: {len(theirs.processes)}")
    for text, why in differences:
        print(f"    {text}: {why or 'WRONG'}")
    return not wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library", type=Path)
    parser.add_argument("--only", action="append", metavar="NAME",
                        choices=[program.name for program in PROGRAMS])
    parser.add_argument("--keep", type=Path, metavar="DIR")
    options = parser.parse_args()
    if not options.library.is_file():
        parser.error(f"no library {options.library}")
    if not shutil.which("valgrind"):
        parser.error("valgrind is missing: package valgrind")
    programs = [program for program in PROGRAMS
                if not options.only or program.name in options.only]
    sys.stdout.reconfigure(line_buffering=True)
    with tempfile.TemporaryDirectory(prefix="leaks.") as directory:
        logs = options.keep or Path(directory) / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        failed = sum(not check(program, options.library.resolve(), Path(directory) / "work", logs)
                     for program in programs)
    print(f"{len(programs)} programs, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
