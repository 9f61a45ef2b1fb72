#!/usr/bin/python3
"""Every executable of /usr/bin and /usr/sbin with --version and --help, without and with a preload.

usage: sweep.py LIBRARY [NAME=VALUE]... [--only REGEX] [--jobs N] [--verbose]

Both runs must end with the same status and print the same to stdout and stderr. The pairs
NAME=VALUE go into the environment of the preloaded runs only. Two kinds of programs can be compared
less strictly only: what "waits" (does not end by itself; that must be so with the preload too) and
what is "unsteady" (prints something else every time; compared with numbers masked and lines
sorted). Those known are listed by name in sweep_exceptions.txt with the reason found. A machine may
have others: they must show it without the preload, and be few.

Programs such as init, killall5 and reboot are among them, so everything runs in namespaces of its
own: no network, all file systems read-only, no devices but the harmless ones, and for each run a
new process namespace (the same process numbers every time; what it leaves behind dies with it)
and a new empty /tmp that is also HOME and the current directory.
"""
import argparse
import concurrent.futures
import os
import re
import selectors
import shutil
import stat
import struct
import subprocess
import sys
import threading
import time

DIRECTORIES = ("/usr/bin", "/usr/sbin")
OPTIONS = ("--version", "--help")
TIME_LIMIT = 5          # seconds of one run; who needs longer gets PATIENCE times this
PATIENCE = 6
WAIT_LIMIT = 2          # seconds of a program known to wait for ever
STOPPED = "stopped"
UNLISTED = ", and is not listed"
UNLISTED_SHARE = 0.02   # of all runs at most, and a few of few; with more, too little is compared
UNLISTED_MIN = 10
PLAIN_AGAIN = 5         # plain runs that must agree before a difference is blamed on the preload
OUTPUT_LIMIT = 4 << 20  # bytes; a program that prints without end is stopped here
PRELOAD_DIR = "/run/preload"
ENVIRON = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/tmp", "TMPDIR=/tmp", "LANG=C.UTF-8",
           "LC_ALL=C.UTF-8", "TZ=UTC", "TERM=dumb", "USER=root", "PYTHONHASHSEED=0",
           "PERL_HASH_SEED=0"]
# What no --help needs and what could hurt beyond the namespaces.
DROPPED = ",".join("-" + c for c in "sys_admin sys_boot sys_module sys_rawio sys_time mknod "
                   "mac_admin sys_tty_config syslog audit_control".split())
RUN = ["unshare", "--mount", "--pid", "--net", "--fork", "--kill-child", "sh", "-c",
       "mount -t proc -o ro proc /proc && mount -t tmpfs tmpfs /tmp && cd /tmp || exit 99\n"
       "\"$@\"\nexit $?", "sh", "setpriv", "--bounding-set", DROPPED, "env", "-i"] + ENVIRON


# ---- the sandbox

def enter(argv):
    """Starts this program again inside new namespaces; root of a user namespace if not root."""
    for tool in ("unshare", "setpriv", "mount"):
        if not shutil.which(tool):
            sys.exit("sweep: FAIL: no program '%s': apt-get install util-linux" % tool)
    user = [] if os.getuid() == 0 else ["--user", "--map-root-user"]
    os.execvp("unshare", ["unshare", *user, "--mount", "--net", "--ipc", "--uts", "--pid", "--fork",
                          "--kill-child", "--mount-proc", sys.executable,
                          os.path.abspath(__file__), *argv, "--inside"])


def mount(*args):
    subprocess.run(["mount", *args], check=True)


def mount_points():
    with open("/proc/self/mountinfo", encoding="utf-8") as f:
        return [line.split()[4].encode().decode("unicode_escape") for line in f]


def read_only(path):
    mount("-o", "remount,bind,ro", path)


def private_dev():
    os.mkdir("/tmp/dev")
    mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", "/tmp/dev")
    for name in ("null", "zero", "full", "random", "urandom"):
        open("/tmp/dev/" + name, "w", encoding="ascii").close()
        mount("--bind", "/dev/" + name, "/tmp/dev/" + name)
    for name, target in (("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")):
        os.symlink("/proc/self/fd" + target, "/tmp/dev/" + name)
    mount("--rbind", "/tmp/dev", "/dev")


def build_sandbox(library):
    """Returns the path of the library inside."""
    with open(library, "rb") as f:
        image = f.read()
    mount("--make-rprivate", "/")
    # A point may be hidden by a later mount; of those with one name the last counts.
    for point in dict.fromkeys(mount_points()):
        if point != "/proc" and os.path.exists(point):
            read_only(point)
    for path in ("/tmp", "/var/tmp", "/run"):
        mount("-t", "tmpfs", "-o", "mode=1777", "tmpfs", path)
    os.mkdir(PRELOAD_DIR)
    inside = os.path.join(PRELOAD_DIR, os.path.basename(library))
    with open(inside, "wb") as f:
        f.write(image)
    os.chmod(inside, 0o755)
    private_dev()
    for path in ("/var/tmp", "/run", "/dev"):
        read_only(path)
    os.chdir("/")
    return inside


# ---- one run

class Result:
    """What a run left: its status (STOPPED if it did not end by itself), stdout and stderr."""

    def __init__(self, status, out):
        self.status, self.out = status, out

    def __eq__(self, other):
        return (self.status, self.out) == (other.status, other.out)

    __hash__ = None

    def masked(self):
        """Numbers, addresses and random names out, lines in order of text."""
        lines = [re.sub(rb"(0x)?[0-9a-fA-F]{4,}|\d+|(?<=tmp)\w+", b"#", part)
                 for text in self.out for part in text.splitlines()]
        return Result(self.status, sorted(lines))


def collect(child, limit):
    """Reads both pipes until they close; returns None if time or room does not suffice."""
    out = {child.stdout: b"", child.stderr: b""}
    end = time.monotonic() + limit
    with selectors.DefaultSelector() as selector:
        for pipe in out:
            selector.register(pipe, selectors.EVENT_READ)
        while selector.get_map():
            left = end - time.monotonic()
            if left <= 0:
                return None
            for key, _ in selector.select(left):
                data = os.read(key.fileobj.fileno(), 1 << 16)
                if not data:
                    selector.unregister(key.fileobj)
                out[key.fileobj] += data
                if len(out[key.fileobj]) > OUTPUT_LIMIT:
                    return None
    return list(out.values())


def run(program, option, preload, limit):
    with subprocess.Popen(RUN + preload + [program, option], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          start_new_session=True) as child:
        out = collect(child, limit)
        try:
            if out is not None:
                return Result(child.wait(limit), out)
        except subprocess.TimeoutExpired:
            pass
        child.kill()
    # What had been printed when time or room ended is a matter of chance.
    return Result(STOPPED, [b"", b""])


# ---- one program

def compare(program, option, preload, mode):
    """Returns a verdict and, unless all is well, the two results that differ.

    mode is the exception that holds for this program: None, "unsteady" or "waits".
    """
    limit = WAIT_LIMIT if mode == "waits" else TIME_LIMIT

    def view(result):
        return result.masked() if mode == "unsteady" else result

    def both(limit):
        return [view(run(program, option, words, limit)) for words in ([], preload)]

    plain, under = both(limit)
    if mode != "waits" and STOPPED in (plain.status, under.status):
        plain, under = both(TIME_LIMIT * PATIENCE)
    if plain == under:
        if isinstance(plain.status, int) or mode == "waits":
            return mode or "same", None
        return "waits" + UNLISTED, None
    for _ in range(PLAIN_AGAIN):
        again = view(run(program, option, [], TIME_LIMIT * PATIENCE))
        if again != plain:
            return compare_unsteady(program, option, preload, again)
    return "differs", (plain, under)


def compare_unsteady(program, option, preload, plain):
    """compare() of a program that was seen to print something else without the preload."""
    for _ in range(PLAIN_AGAIN):
        under = run(program, option, preload, TIME_LIMIT * PATIENCE)
        if under.masked() == plain.masked():
            return "unsteady" + UNLISTED, None
        plain = run(program, option, [], TIME_LIMIT * PATIENCE)
    return "differs", (plain, under)


def kind(path):
    """static, dynamic, script or other; by the program header that names the loader."""
    with open(path, "rb") as f:
        head = f.read(64)
        if head[:2] == b"#!":
            return "script"
        if head[:5] != b"\x7fELF\x02":
            return "other"
        offset, size, count = (struct.unpack_from(fmt, head, at)[0]
                               for fmt, at in (("<Q", 32), ("<H", 54), ("<H", 56)))
        f.seek(offset)
        table = f.read(size * count)
    types = [struct.unpack_from("<I", table, i * size)[0] for i in range(count)]
    return "dynamic" if 3 in types else "static"


def executables(only):
    for directory in DIRECTORIES:
        for name in sorted(os.listdir(directory)):
            path = os.path.join(directory, name)
            if os.path.isfile(path) and os.access(path, os.X_OK) and re.search(only, path):
                yield path


def read_exceptions():
    """Lines of PROGRAM OPTION MODE REASON; "*" is both options."""
    found = {}
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sweep_exceptions.txt")
    with open(path, encoding="utf-8") as f:
        for line in f:
            if not line.strip() or line.startswith("#"):
                continue
            name, option, mode, _reason = line.split(None, 3)
            for opt in OPTIONS if option == "*" else (option,):
                found[name, opt] = mode
    return found


# ---- all of them

class Sweep:
    """Counts of what was seen, and the differences."""

    def __init__(self, preload, exceptions, verbose):
        self.preload, self.exceptions, self.verbose = preload, exceptions, verbose
        self.counts, self.names, self.kinds = {}, {}, {}
        self.lock = threading.Lock()

    def check(self, path, option):
        mode = self.exceptions.get((os.path.basename(path), option))
        start = time.monotonic()
        verdict, pair = compare(path, option, self.preload, mode)
        with self.lock:
            self.counts[verdict] = self.counts.get(verdict, 0) + 1
            self.names.setdefault(verdict, []).append("%s %s" % (path, option))
            if pair:
                print_difference(path, option, verdict, *pair)
            if self.verbose:
                print("%s %s: %s %.2f s" % (path, option, verdict, time.monotonic() - start),
                      flush=True)

    def count_kinds(self, paths):
        for path in paths:
            kinds = [kind(path)]
            if os.stat(path).st_mode & (stat.S_ISUID | stat.S_ISGID):
                kinds.append("set-id")
            for k in kinds:
                self.kinds.setdefault(k, []).append(os.path.basename(path))

    def report(self, nr):
        print("sweep: %d executables: %s" % (nr, ", ".join(
            "%d %s" % (len(v), k) for k, v in sorted(self.kinds.items()))))
        print("sweep: the preload has no effect of its own in the static ones, and in set-id ones "
              "when the id really changes: " + " ".join(self.kinds.get("set-id", [])))
        for verdict in sorted(set(self.names) - {"same", "differs"}):
            print("sweep: %s: %s" % (verdict, ", ".join(sorted(self.names[verdict]))))
        bad = self.counts.get("differs", 0)
        unlisted = sum(n for verdict, n in self.counts.items() if verdict.endswith(UNLISTED))
        if unlisted > max(UNLISTED_MIN, UNLISTED_SHARE * sum(self.counts.values())):
            print("sweep: FAIL: %d runs could not be compared strictly and are not listed" %
                  unlisted)
            bad += unlisted
        print("sweep: %s: compared status, stdout and stderr of %d runs with and without: %s" % (
            "FAIL" if bad else "PASS", sum(self.counts.values()),
            ", ".join("%d %s" % (v, k) for k, v in sorted(self.counts.items()))))
        return 1 if bad else 0


def print_difference(path, option, verdict, plain, other):
    print("sweep: FAIL: %s %s: %s: status %s without, %s with" % (
        path, option, verdict, plain.status, other.status))
    lines_a, lines_b = (b"\n".join(result.out).splitlines() for result in (plain, other))
    for sign, mine, its in (("-", lines_a, lines_b), ("+", lines_b, lines_a)):
        for line in [line for line in mine if line not in its][:5]:
            print("    %s %s" % (sign, line[:200].decode(errors="replace")))


def check_sandbox(preload, library):
    """The preload must be there in these very conditions, or all comparisons would be idle."""
    for words, wanted in ((preload, True), ([], False)):
        maps = run("/usr/bin/cat", "/proc/self/maps", words, TIME_LIMIT * PATIENCE)
        if maps.status != 0 or (library.encode() in maps.out[0]) != wanted:
            sys.exit("sweep: FAIL: cat under %r: status %r, stderr %r; preload expected: %s" % (
                words, maps.status, maps.out[1], wanted))
    print("sweep: %s is mapped in the preloaded runs alone" % os.path.basename(library))


def main():
    parser = argparse.ArgumentParser(description="Sweep of all programs under a preload.")
    parser.add_argument("preload", metavar="library")
    parser.add_argument("pairs", nargs="*", metavar="NAME=VALUE")
    parser.add_argument("--only", default="", help="regular expression on the path")
    parser.add_argument("--jobs", type=int, default=3)
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if not os.path.isfile(args.preload):
        sys.exit("sweep: FAIL: no library '%s'" % args.preload)
    if not args.inside:
        enter(sys.argv[1:])
    start = time.monotonic()
    exceptions = read_exceptions()
    library = build_sandbox(os.path.abspath(args.preload))
    preload = args.pairs + ["LD_PRELOAD=" + library]
    check_sandbox(preload, library)
    sweep = Sweep(preload, exceptions, args.verbose)
    paths = list(executables(args.only))
    sweep.count_kinds(paths)
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        list(pool.map(lambda job: sweep.check(*job), [(p, o) for p in paths for o in OPTIONS]))
    status = sweep.report(len(paths))
    print("sweep: %d s" % (time.monotonic() - start))
    return status


sys.exit(main())
