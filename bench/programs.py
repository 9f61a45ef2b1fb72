#!/usr/bin/python3
"""Compares allocators under real programs: each through bench/pair, then all of them in two tables.

    programs.py [-n ROUNDS] [--together] [--only NAME]... [--peer NAME=LIBRARY]... [--out DIR]
                BUILD-TREE

The allocators are glibc's, BUILD-TREE/libstitchmalloc.so and Debian's jemalloc, and those of
--peer. DIR gets NAME.json of bench/pair with every run, and NAME.bytes.json with what the program
allocates, which is recorded once. The tables are of all programs chosen that DIR has figures of.
"""
import argparse
import glob
import importlib.machinery
import importlib.util
import json
import os
import random
import re
import shlex
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.realpath(__file__))
WORKS = os.path.join(HERE, "../tests/preload")
PAIR = os.path.join(HERE, "pair")
JEMALLOC = "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2"
OURS = "stitchmalloc"
NEEDED = [("/usr/bin/cc", "gcc"), ("/usr/lib/x86_64-linux-gnu/libc.a", "libc6-dev"),
          (JEMALLOC, "libjemalloc2")]
REDIS = "redis-server --port 0 --unixsocket {tmp}/redis{place} --save ''"
REDIS_LOAD = "redis-benchmark -s {tmp}/redis{place} -q -r 100000 -d 150 "

# What memcaslap draws its values from: key and value sizes (from, to, share), then sets and gets.
MEMCACHED_LOAD = """\
key
16 40 1
value
20 300 0.6
301 2000 0.35
2001 30000 0.05
cmd
0 0.5
1 0.5
"""


class Failure(Exception):
    """Of one program; the text is for the user."""


def load_pair():
    """bench/pair as a module: its servers, and its interval of the sign test."""
    loader = importlib.machinery.SourceFileLoader("pair", PAIR)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("pair", loader))
    loader.exec_module(module)
    return module


pair = load_pair()


class Work:
    """A program and its work. In its texts {tmp} is a folder of the run's own, {place} a digit,
    another one for each that runs at the same time, {port}{place} a free TCP port, {wrapper} g++'s
    option when it is recorded, else nothing; the other names are those of `sizes`, each with a
    value for a measurement and one for --quick. recorded: what it allocates can be."""

    def __init__(self, name, packages, command=None, *, title=None, stdin=None, prepare=None,
                 environment=None, server=None, load=None, port=None, recorded=True, **sizes):
        self.name, self.title, self.packages = name, title or name, packages
        self.command, self.stdin, self.prepare = command, stdin, prepare
        self.environment = environment or {}
        self.server, self.load, self.port, self.sizes = server, load, port, sizes
        self.recorded = recorded


def works_text(name):
    with open(os.path.join(WORKS, name), encoding="utf-8") as file:
        return file.read()


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def replaced(text, *changes):
    """A work file of the tests in another size; it must still say what is changed."""
    for pattern, new in changes:
        text, count = re.subn(pattern, new, text, flags=re.M | re.S)
        if not count:
            raise Failure(f"the work file does not say '{pattern}' any more")
    return text


def prepare_python3(tmp, quick):
    """Without what takes as long as other processes want, and with the usual time slices."""
    changes = [(r"^fork_work\(\)\n", ""), (r"^sys\.setswitchinterval[^\n]*\n", "")]
    if quick:
        changes += [(r"range\(20000\)", "range(500)"), (r"^THREADS = 8", "THREADS = 2")]
    write(f"{tmp}/work.py", replaced(works_text("python3_work.py"), *changes))


def prepare_lua(tmp, quick):
    changes = [("tree\\(16\\)", "tree(8)"), ("40000", "1000"), ("200000", "5000"),
               ("300000", "1000")] if quick else []
    write(f"{tmp}/work.lua", replaced(works_text("lua_work.lua"), *changes))


def prepare_perl(tmp, quick):
    changes = [("60000", "1000")] if quick else []
    write(f"{tmp}/work.pl", replaced(works_text("perl_work.pl"), *changes))


def prepare_sqlite3(tmp, quick):
    changes = [("300000", "3000")] if quick else []
    write(f"{tmp}/work.sql", replaced(works_text("sqlite_work.sql"), *changes))


def prepare_gxx(tmp, quick):
    """Without the regular expressions, which are half of the compiler's time."""
    changes = [(r"^static void regexes\(\)\n\{.*?^\}\n", ""), (r"^\tregexes\(\);\n", "")]
    if quick:
        changes += [(r"index_sequence<80>", "index_sequence<4>"), ("std::string, 12>",
                                                                    "std::string, 2>")]
    write(f"{tmp}/work.cc", replaced(works_text("gxx_work.cc"), *changes))


def prepare_gs(tmp, quick):
    changes = [(r"^1 1 24 \{", "1 1 2 {")] if quick else []
    write(f"{tmp}/work.ps", replaced(works_text("gs_work.ps"), *changes))


# Text files of random words, and commits that change some lines of some of them.
GIT_HISTORY = r"""
import random, sys
nr_files, nr_commits, nr_changed = map(int, sys.argv[1:])
rnd, out = random.Random(7), sys.stdout.buffer
words = ["%x" % rnd.getrandbits(24) for _ in range(3000)]

def line():
    return " ".join(rnd.choices(words, k=8)) + "\n"

files = [[line() for _ in range(rnd.randrange(5, 120))] for _ in range(nr_files)]
for commit in range(nr_commits):
    out.write(b"commit refs/heads/main\ncommitter c <c@example.org> %d +0000\ndata 6\nchange\n" %
              (1700000000 + commit))
    chosen = rnd.sample(range(nr_files), nr_changed) if commit else range(nr_files)
    for n in sorted(chosen):
        for _ in range(3):
            files[n][rnd.randrange(len(files[n]))] = line()
        files[n].insert(rnd.randrange(len(files[n])), line())
        text = "".join(files[n]).encode()
        out.write(b"M 644 inline d%d/f%d.txt\ndata %d\n%s\n" % (n % 23, n, len(text), text))
"""


def prepare_git(tmp, quick):
    sizes = ["60", "10", "5"] if quick else ["600", "100", "20"]
    subprocess.run(["git", "init", "-q", "--bare", "--template=", f"{tmp}/history"], check=True)
    history = subprocess.run([sys.executable, "-c", GIT_HISTORY] + sizes, check=True,
                             stdout=subprocess.PIPE).stdout
    subprocess.run(["git", "-C", f"{tmp}/history", "fast-import", "--quiet"], check=True,
                   input=history)


def prepare_memcached(tmp, _quick):
    write(f"{tmp}/load.conf", MEMCACHED_LOAD)


# A server whose work is done by its children, which it waits for; clients are not preloaded.
POSTGRESQL = """\
set -e
cd {tmp}
PATH={bin}:$PATH preload=$LD_PRELOAD
unset LD_PRELOAD
as_user() {{ {as_user} "$@"; }}
as_user cp -r template $1
LD_PRELOAD=$preload {as_user} postgres -D $1 -k {tmp}/$1 -c listen_addresses= -c fsync=off \\
	-c shared_buffers=64MB -c work_mem=2MB -c max_wal_size=512MB >server$1.log 2>&1 &
server=$!
trap 'kill -QUIT $server' EXIT
until pg_isready -q -h {tmp}/$1 -U postgres; do
	kill -0 $server
	sleep 0.05
done
pgbench -h {tmp}/$1 -U postgres -q -i -s {scale} postgres >pgbench$1.log 2>&1
pgbench -h {tmp}/$1 -U postgres --random-seed=5 -c 4 -j 2 -t {transactions} -n postgres
psql -h {tmp}/$1 -U postgres -d postgres -X -q -A -t -v ON_ERROR_STOP=1 -c "
	select count(*), max(length(t)) from (select string_agg(filler || aid, ',' order by bid, aid
	desc) t from pgbench_accounts group by aid % 997) x" -c "vacuum (full, analyze)"
trap - EXIT
kill -INT $server
wait $server
rm -r $1
"""


def prepare_postgresql(tmp, quick):
    """initdb and postgres refuse root."""
    folder = os.path.dirname(POSTGRES)
    as_user = ""
    if os.getuid() == 0:
        as_user = "setpriv --reuid=postgres --regid=postgres --init-groups"
        shutil.chown(tmp, "postgres")
    write(f"{tmp}/work.sh", POSTGRESQL.format(tmp=tmp, bin=folder, as_user=as_user,
                                              scale=1 if quick else 3,
                                              transactions=50 if quick else 2500))
    subprocess.run(shlex.split(as_user) + [f"{folder}/initdb", "-D", f"{tmp}/template", "-U",
                                           "postgres", "-A", "trust", "--no-locale", "-E", "UTF8",
                                           "-N"],
                   check=True, stdout=subprocess.DEVNULL)


PYTHON = [("/usr/bin/python3", "python3")]
POSTGRES = max(glob.glob("/usr/lib/postgresql/*/bin/postgres"), default="postgres")
REDIS_PACKAGES = [("redis-server", "redis-server"), ("redis-benchmark", "redis-tools")]
ALL_WORKS = [
    Work("python3", PYTHON, "/usr/bin/python3 {tmp}/work.py", prepare=prepare_python3),
    Work("python3-malloc", PYTHON, "/usr/bin/python3 {tmp}/work.py", prepare=prepare_python3,
         title="python3, PYTHONMALLOC=malloc", environment={"PYTHONMALLOC": "malloc"}),
    Work("perl", [("/usr/bin/perl", "perl")], "/usr/bin/perl {tmp}/work.pl",
         prepare=prepare_perl),
    Work("lua", [("lua5.4", "lua5.4")], "lua5.4 {tmp}/work.lua", prepare=prepare_lua),
    Work("sqlite3", [("sqlite3", "sqlite3")], "sqlite3 -bail", stdin="{tmp}/work.sql",
         prepare=prepare_sqlite3),
    Work("g++", [("g++", "g++"), ("as", "binutils")],
         "g++ {wrapper} -O2 -std=c++17 -c -o /dev/null {tmp}/work.cc", prepare=prepare_gxx),
    Work("ghostscript", [("gs", "ghostscript")],
         "gs -q -dBATCH -dNOPAUSE -dSAFER -sDEVICE=png16m -r90 -dTextAlphaBits=4 "
         "-dGraphicsAlphaBits=4 -dNumRenderingThreads=2 -dBandHeight=100 -dMaxBitmap=0 "
         "-sOutputFile=/dev/null {tmp}/work.ps", prepare=prepare_gs),
    Work("git-gc", [("git", "git")],
         "sh -c 'rm -rf {tmp}/{place} && cp -r {tmp}/history {tmp}/{place} && "
         "exec git -C {tmp}/{place} gc --aggressive --quiet --prune=now'", title="git gc",
         prepare=prepare_git),
    Work("redis", REDIS_PACKAGES, server=REDIS, port="{tmp}/redis{place}",
         load=REDIS_LOAD + "-n {requests} -t set,get,lpush,lpop,sadd,hset,zadd",
         requests=(25000, 500)),
    Work("redis-pipelined", REDIS_PACKAGES, server=REDIS, port="{tmp}/redis{place}",
         load=REDIS_LOAD + "-P 16 -n {requests} -t set,get,lpush,lpop,sadd,hset,zadd",
         title="redis, pipelined", requests=(200000, 2000)),
    Work("memcached", [("memcached", "memcached"), ("memcaslap", "libmemcached-tools")],
         server="memcached -u nobody -l 127.0.0.1 -p {port}{place} -U 0 -t 4 -m 512",
         port="{port}{place}", load="memcaslap -s 127.0.0.1:{port}{place} -T 1 -c 16 "
         "-x {requests} -F {tmp}/load.conf", prepare=prepare_memcached, requests=(150000, 2000)),
    Work("db_bench", [("db_bench", "rocksdb-tools")],
         "db_bench --db={tmp}/{place} --num={keys} --value_size=200 --seed=1 "
         "--compression_type=none --benchmarks=fillrandom,overwrite,readrandom,readseq,compact "
         "--write_buffer_size=8388608 --stats_interval=100000000", keys=(100000, 2000)),
    Work("postgresql", [(POSTGRES, "postgresql"), ("/usr/bin/pgbench", "postgresql"),
                        ("setpriv", "util-linux")],
         "sh {tmp}/work.sh {place}", prepare=prepare_postgresql, recorded=False),
]


def progress(text):
    print(f"programs: {text}", file=sys.stderr, flush=True)


def run_limited(command, limit, **options):
    """As subprocess.run. Who still runs after `limit` seconds (None: no limit), or when we are
    interrupted, is killed with all that it has started."""
    with subprocess.Popen(command, start_new_session=True, **options) as process:
        try:
            output = process.communicate(timeout=limit)[0]
        except BaseException:
            if process.returncode is None: # else its number is nobody's any more
                os.killpg(process.pid, signal.SIGKILL)
            raise
    return subprocess.CompletedProcess(command, process.returncode, output)


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_ports():
    """Ten ports without their last digit; the kernel gives those out from 32768 on (mostly)."""
    tens = range(1100, 3200)
    for front in random.sample(tens, len(tens)):
        if all(is_free(front * 10 + digit) for digit in range(10)):
            return str(front)
    raise Failure("no ten TCP ports are free")


def make_scratch():
    """A RAM disk if it is large and programs may run from it: disks take their time."""
    place = None
    if os.path.isdir("/dev/shm"):
        about = os.statvfs("/dev/shm")
        if not about.f_flag & os.ST_NOEXEC and about.f_bavail * about.f_frsize >= 2 << 30:
            place = "/dev/shm"
    return tempfile.TemporaryDirectory(prefix="stitch-programs.", dir=place)


def set_environment():
    """The user's, but for what would make programs differ from one machine to the next."""
    for name in ("LD_PRELOAD", "PYTHONMALLOC", "GIT_DIR", "GIT_EXEC_PATH"):
        os.environ.pop(name, None)
    os.environ.update(PATH="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                      LC_ALL="C.UTF-8", PYTHONHASHSEED="0", PERL_HASH_SEED="0",
                      GIT_CONFIG_NOSYSTEM="1", GIT_CONFIG_GLOBAL="/dev/null")


class Run:
    """One work's texts filled in, to be measured or recorded."""

    def __init__(self, work, options, tmp):
        self.work, self.options, self.tmp = work, options, tmp
        self.values = {key: value[options.quick] for key, value in work.sizes.items()}
        self.values.update(tmp=tmp, port=free_ports(), place="{place}", wrapper="")
        self.environment = dict(os.environ, TMPDIR=tmp, **work.environment)

    def fill(self, text):
        return text.format(**self.values) if text else text

    def measure(self, json_path):
        work, options = self.work, self.options
        command = [sys.executable, PAIR, "-n", str(options.n), "--json", json_path, "glibc=libc",
                   f"{OURS}={options.build}/libstitchmalloc.so", f"jemalloc={JEMALLOC}"]
        command += options.peer
        if options.together:
            command.append("--together")
        if work.stdin:
            command += ["--stdin", self.fill(work.stdin)]
        if work.server:
            command += ["--port", self.fill(work.port), "--server", self.fill(work.server),
                        "--load", self.fill(work.load)]
        else:
            command += ["--"] + shlex.split(self.fill(work.command))
        done = subprocess.run(command, env=self.environment, stdout=subprocess.DEVNULL,
                              check=False)
        if done.returncode:
            raise Failure("bench/pair failed; it says why above")

    def bytes_key(self):
        """What the bytes depend on: they are recorded again when it changes."""
        work, values = self.work, dict(self.values, tmp="", port="", place="")
        return [text.format(**values) for text in (work.command, work.stdin, work.server,
                work.load) if text] + [str(work.environment), str(self.options.quick)]

    def record(self, json_path):
        """Bytes requested from malloc by all processes, into a file, unless they are there."""
        key = self.bytes_key()
        if os.path.exists(json_path):
            with open(json_path, encoding="utf-8") as file:
                if json.load(file)["key"] == key:
                    return
        progress(f"{self.work.name}: recording what it allocates")
        recorder = self.make_recorder()
        self.values.update(place="0", wrapper=f"-wrapper {recorder}")
        self.environment.update(PATH=f"{self.tmp}/record:{os.environ['PATH']}",
                                GIT_EXEC_PATH=f"{self.tmp}/record")
        if self.work.server:
            self.run_server(recorder)
        else:
            self.run_program(recorder)
        with open(json_path, "w", encoding="utf-8") as file:
            json.dump({"key": key, "bytes": self.recorded_bytes()}, file)

    def make_recorder(self):
        """A command that records the program after it. Only programs started through it are
        recorded: the compiler by g++ -wrapper, git's by a `git` of our own."""
        folder, stitch = f"{self.tmp}/record", f"{self.options.build}/stitchmalloc"
        os.makedirs(f"{folder}/traces")
        write(f"{folder}/run", "#!/bin/sh\n"
              f"exec {shlex.quote(stitch)} record -o $(mktemp {folder}/traces/XXXXXX) -- \"$@\"\n")
        write(f"{folder}/git", f"#!/bin/sh\nexec {folder}/run {shutil.which('git')} \"$@\"\n")
        for name in ("run", "git"):
            os.chmod(f"{folder}/{name}", 0o755)
        return f"{folder}/run"

    def run_program(self, recorder):
        with open(self.fill(self.work.stdin) or os.devnull, "rb") as stdin:
            done = subprocess.run([recorder] + shlex.split(self.fill(self.work.command)),
                                  env=self.environment, stdin=stdin, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, check=False)
        if done.returncode:
            raise Failure("fails when it is recorded: " +
                          done.stdout[-500:].decode(errors="replace"))

    def run_server(self, recorder):
        work, allocator = self.work, pair.Allocator("-")
        allocator.environment = self.environment
        options = argparse.Namespace(server=f"{recorder} {self.fill(work.server)}",
                                     load=self.fill(work.load), port=self.fill(work.port),
                                     stdin=os.devnull)
        try:
            pair.Server(options).run(allocator)
        except pair.Failure as failure:
            raise Failure(f"fails when it is recorded: {failure}") from None

    def recorded_bytes(self):
        total, traces = 0, f"{self.tmp}/record/traces"
        for name in os.listdir(traces):
            if not os.path.getsize(f"{traces}/{name}"):
                continue
            done = subprocess.run([f"{self.options.build}/bench/replay", "--check",
                                   f"{traces}/{name}"], stdout=subprocess.PIPE, check=False,
                                  text=True)
            found = re.search(r"^bytes: (\d+)\nof them inherited: (\d+)$", done.stdout, re.M)
            if done.returncode or not found:
                raise Failure("its trace cannot be read")
            total += int(found[1]) - int(found[2])
        if not total:
            raise Failure("nothing was recorded")
        return total


def better_of(figures):
    return min(("glibc", "jemalloc"), key=lambda name: figures[name]["cpu_s"]["median"])


def ratio_text(runs, base):
    ratios = [pair.ratio(value, other) for value, other in zip(runs, base)]
    return pair.interval_text({"ratio": statistics.median(ratios),
                               "interval": pair.sign_interval(ratios)})


def print_table(labels, rows):
    print("| program | " + " | ".join(labels) + " |\n|---|" + "---:|" * len(labels))
    for row in rows:
        print("| " + " | ".join(row) + " |")


def medians(figures, names, key, form, divisor=1):
    """One cell an allocator; not all programs need have been measured with the same ones."""
    return [form % (figures[name][key]["median"] / divisor) if name in figures else "-"
            for name in names]


def print_times(results, names):
    rows = []
    for work, figures, _ in results:
        better = better_of(figures)
        rows.append([work.title] + medians(figures, names, "cpu_s", "%.3f") +
                    [ratio_text(figures[OURS]["cpu_s"]["runs"], figures[better]["cpu_s"]["runs"]),
                     better] + medians(figures, names, "peak_kib", "%.1f", 1024) +
                    [pair.interval_text(figures[OURS]["peak_kib"])])
    print_table([f"{name}, s" for name in names] + [f"{OURS} / better", "better"] +
                [f"{name}, MiB" for name in names] + [f"{OURS} / glibc"], rows)


def print_faults(results, names):
    rows = []
    for work, figures, nr_bytes in results:
        mib = nr_bytes / 2 ** 20 if nr_bytes else 0
        rows.append([work.title, f"{mib:.0f}" if mib else "-"] +
                    (medians(figures, names, "faults", "%.2f", mib) if mib else ["-"] * len(names))
                    + medians(figures, names, "faults", "%.0f"))
    print_table(["MiB allocated"] + [f"{name}, a MiB" for name in names] +
                [f"{name}, in all" for name in names], rows)


def print_tables(works, out):
    """Of the works that have been measured."""
    results, names, rounds = [], [], set()
    for work in works:
        path = f"{out}/{work.name}"
        if not os.path.exists(f"{path}.json"):
            continue
        with open(f"{path}.json", encoding="utf-8") as file:
            run = json.load(file)
        nr_bytes = None
        if os.path.exists(f"{path}.bytes.json"):
            with open(f"{path}.bytes.json", encoding="utf-8") as file:
                nr_bytes = json.load(file)["bytes"]
        results.append((work, run["results"], nr_bytes))
        rounds.add(run["rounds"])
        names += [name for name in run["results"] if name not in names]
    if not results:
        raise Failure(f"no figures in {out}")
    print("\nUser+system time and peak resident memory: medians; the time's ratio is to the better "
          "of\nglibc and jemalloc, the memory's to glibc: the median of the rounds' ratios [95 % "
          "interval of\nthe sign test]. Rounds: " + ", ".join(map(str, sorted(rounds))) + ".\n")
    print_times(results, names)
    print("\nMinor faults for each MiB that the program requests from malloc, and in all.\n")
    print_faults(results, names)


def parse_arguments(arguments):
    names = [work.name for work in ALL_WORKS]
    parser = argparse.ArgumentParser(
        prog="programs.py", description=__doc__, epilog="programs: " + " ".join(names),
        allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter,
        usage=argparse.SUPPRESS)
    parser.add_argument("-n", type=int, default=20, metavar="ROUNDS",
                        help="of each program (20); six for an interval")
    parser.add_argument("--together", action="store_true",
                        help="all allocators at once, on one processor (bench/pair --help)")
    parser.add_argument("--only", action="append", choices=names, metavar="NAME",
                        help="this program; may be repeated")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=LIBRARY",
                        help="one more allocator; may be repeated")
    parser.add_argument("--out", metavar="DIR", help="for the figures (BUILD-TREE/programs)")
    parser.add_argument("--quick", action="store_true",
                        help="little work, to see that all of it runs; no figures to keep")
    parser.add_argument("--tables", action="store_true",
                        help="run nothing, print the tables of what DIR has")
    parser.add_argument("build", metavar="BUILD-TREE")
    options = parser.parse_args(arguments)
    options.build = os.path.realpath(options.build)
    options.out = os.path.realpath(options.out or f"{options.build}/programs")
    options.works = [work for work in ALL_WORKS if not options.only or work.name in options.only]
    for peer in options.peer:
        name, equals, library = peer.partition("=")
        if not name or not equals or not os.path.isfile(library):
            parser.error(f"--peer {peer}: NAME=LIBRARY is needed")
    return options


def check_tools(options):
    """All that is missing at once."""
    needed = NEEDED + [need for work in options.works for need in work.packages]
    missing = {package: None for path, package in needed
               if not (os.path.exists(path) if "/" in path else shutil.which(path))}
    if missing:
        progress(f"missing: apt-get install {' '.join(missing)}")
    files = ["libstitchmalloc.so", "stitchmalloc", "libstitchrecord.so", "bench/replay"]
    unbuilt = [name for name in files if not os.path.exists(f"{options.build}/{name}")]
    if unbuilt:
        progress(f"not in {options.build}: {' '.join(unbuilt)}: build it first")
    return not missing and not unbuilt


def run_work(work, options):
    path = f"{options.out}/{work.name}"
    if os.path.exists(f"{path}.json"):
        os.unlink(f"{path}.json")
    with make_scratch() as tmp:
        os.chmod(tmp, 0o755)
        if work.prepare:
            work.prepare(tmp, options.quick)
        run = Run(work, options, tmp)
        run.measure(f"{path}.json")
        if work.recorded:
            run.record(f"{path}.bytes.json")


def main(arguments):
    options = parse_arguments(arguments)
    set_environment()
    failed = 0
    if not options.tables:
        if not check_tools(options):
            return 2
        os.makedirs(options.out, exist_ok=True)
        for number, work in enumerate(options.works, 1):
            progress(f"{work.name} ({number} of {len(options.works)})")
            try:
                run_work(work, options)
            except (Failure, subprocess.CalledProcessError) as failure:
                progress(f"{work.name}: FAILED: {failure}")
                failed = 1
    print_tables(options.works, options.out)
    return failed


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Failure as message:
        sys.exit(f"programs: {message}")
    except KeyboardInterrupt:
        sys.exit("programs: interrupted; --tables prints what has been measured")
