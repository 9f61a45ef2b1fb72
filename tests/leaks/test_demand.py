#!/usr/bin/python3
"""Leak reports of programs that live on: by a call, by a signal, from outside.

usage: test_demand.py LIBRARY LAUNCHER [WORKDIR] [-k NAME]... [-j N]

As test_report.py, with the program report/lives_on.c.
"""
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from check_corpus import parse_leaks
from report.bench import TIME_LIMIT, Failed, Skipped, check, main, needs, same

NEW, ALWAYS, QUIET = 1, 2, 4
USR2 = int(signal.SIGUSR2)
EINVAL = 22


def live(bench, *actions, conf="", **more):
    """A process reports more than once."""
    return bench.act(*actions, "exit=7", conf=conf, program="lives_on", once=False, **more)


def lost(result):
    """What the calls have returned."""
    return [int(number) for number in re.findall(r"^lost (-?\d+) errno \d+$", result.out, re.M)]


def reports(text):
    """Each report, as the group lines and the totals of definite, indirect, possible leaks."""
    found = []
    for report in text.split("=== stitchmalloc ")[1:]:
        groups = re.findall(r"^(\d+) bytes? in (\d+) blocks?.* (definitely|possibly) lost \[",
                            report, re.M)
        totals = re.findall(r"^ +(?:definitely|indirectly|possibly) lost: (\d+) bytes? in (\d+)",
                            report, re.M)
        found.append(([(int(size), int(nr), kind) for size, nr, kind in groups],
                      [(int(size), int(nr)) for size, nr in totals]))
    return found


class Running:
    """The program while it runs; its stderr is a file."""

    def __init__(self, bench, *actions, conf="", preloaded=True):
        self.log = bench.folder() / "stderr"
        environment = bench.environment(conf)
        if not preloaded:
            del environment["LD_PRELOAD"]
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [str(bench.work / "lives_on"), *actions], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True,
                env=environment)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.returncode is None: # with children: one in vfork has its stdout open
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate()

    @property
    def pid(self):
        return self.process.pid

    def expect(self, line):
        same(self.process.stdout.readline(), line + "\n", self.err)

    def tell(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def end(self, status):
        self.tell()
        out, _ = self.process.communicate(timeout=TIME_LIMIT)
        same((self.process.returncode, out), (status, ""), self.err)

    @property
    def err(self):
        return self.log.read_text(errors="replace")

    def until(self, condition, *what):
        end = time.monotonic() + TIME_LIMIT
        while not condition():
            check(time.monotonic() < end, "never", *what, self.err)
            time.sleep(0.01)

    def copies(self):
        """Children of ours, ended or not."""
        return [int(pid) for task in Path(f"/proc/{self.pid}/task").iterdir()
                for pid in (task / "children").read_text().split()]

    def states(self):
        """Of its threads: S for asleep, t for stopped by a tracer, ..."""
        return {state_of(task) for task in Path(f"/proc/{self.pid}/task").iterdir()}


def state_of(folder):
    return (Path(folder) / "stat").read_text().rpartition(")")[2].split()[0]


# --- by a call -----------------------------------------------------------------------------------

def test_working_threads(bench):
    """They allocate and free all the time: what is lost is found, and nothing else."""
    for conf, size in (("", 112), ("leaks=full", 100)):
        result = live(bench, "lose=100", "workers=3", "sleepers=2", *["scan=6"] * 6,
                      "scan=0", conf=conf)
        same((result.status, lost(result)), (7, [size] * 7), conf, result)
        same(reports(result.err)[0], ([(size, 1, "definitely")], [(size, 1), (0, 0), (0, 0)]),
             conf, result)
        check("6 threads" in result.err and "could not be stopped" not in result.err, result)


def test_ended_thread(bench):
    """What only the stack of one holds that has ended is lost."""
    result = live(bench, "lose_in_thread=100", "scan=4")
    same(lost(result), [112], result)


def test_report_at_the_end(bench):
    """As ever, of everything."""
    result = live(bench, "lose=100", "scan=0", "lose=200", "scan=1", conf="leaks=full")
    same([totals[0] for _, totals in reports(result.err)], [(100, 1), (200, 1), (300, 2)], result)
    same(len(re.findall("on demand", result.err)), 2, result)


def test_stacks(bench):
    result = live(bench, "lose=100", "scan=0", conf="leaks=full leak_print=lost")
    check(re.search(r"#1 0x\w+ in lose \S*lives_on.c:\d+ ", result.err), result)


def test_flags(bench):
    result = live(bench, "scan=0", f"scan={QUIET}", f"scan={ALWAYS}", "scan=8", "lose=100",
                  f"scan={QUIET}", f"scan={ALWAYS | QUIET}")
    same(result.out, f"lost 0 errno 0\n" * 3 + f"lost -1 errno {EINVAL}\n"
         + "lost 112 errno 0\n" * 2, result)
    same(len(reports(result.err)), 1, result)


def test_new_since(bench):
    start = time.monotonic()
    result = live(bench, "lose=100", "scan=1", "scan=3", "lose=200", "lose=200", "scan=1",
                  "scan=5", "scan=0", conf="leak_groups=9")
    elapsed = time.monotonic() - start
    same(lost(result), [112, 0, 416, 0, 528], result)
    same([groups for groups, _ in reports(result.err)],
         [[(112, 1, "definitely")], [], [(416, 2, "definitely")],
          [(416, 2, "definitely"), (112, 1, "definitely")]], result)
    seconds = [int(nr) for nr in re.findall(r"\b(\d+) seconds? before$", result.err, re.M)]
    check(len(seconds) == 2 and max(seconds) <= elapsed, seconds, elapsed)
    same([re.sub(r"\b\d+ seconds? before$", "N seconds before", line)
          for line in result.lines("^=== scan ")],
         ["=== scan 1 on demand", "=== scan 2 on demand; only what is new since scan 1, N seconds "
          "before", "=== scan 3 on demand; only what is new since scan 2, N seconds before",
          "=== scan 5 on demand"], result)


def test_new_with_old(bench):
    """What is lost with something that was lost before; what was perhaps lost and now is."""
    result = live(bench, "lose_head=100", "scan=0", "hang_on=50", "scan=1", "scan=1")
    same(lost(result), [112, 64, 0], result)
    same(reports(result.err)[1], ([(64, 1, "definitely")], [(0, 0), (64, 1), (0, 0)]), result)
    result = live(bench, "keep_middle=100", "scan=1", "scan=1", "lose_middle", "scan=1", "scan=1")
    same(lost(result), [0, 0, 112, 0], result)
    same([groups for groups, _ in reports(result.err)],
         [[(112, 1, "possibly")], [(112, 1, "definitely")]], result)


def test_wait_sees_no_copy(bench):
    result = live(bench, "watch_children", "lose=100", "scan=4", "wait_for_all", "fork_child=3",
                  "scan=4", "fork_child=3", "wait_for_all", f"signal_self={USR2}", "nap=200",
                  "wait_for_all", conf=f"leak_signal={USR2}")
    found = re.findall(r"^children (\d) errno 1 signals (\d)", result.out, re.M)
    same([children for children, _ in found], ["0", "2", "0"], result)
    signals = [nr for _, nr in found]
    # Of two children that end at the same time one signal is left.
    check(signals in (["0", "2", "2"], ["0", "1", "1"]), signals, result)


def test_two_at_once(bench):
    result = live(bench, "lose=100", "scan_twice_at_once=0")
    same(lost(result), [112, 112], result)


def test_fork(bench):
    """The child knows nothing of its parent's scans, and the parent nothing of the child's."""
    result = live(bench, "lose=100", "scan=4", "scan_in_child=5", "lose=200", "scan=5", "scan=5")
    same(lost(result), [112, 112, 208, 0], result)


def test_no_copy_allowed(bench):
    result = live(bench, "lose=100", "workers=2", "forbid_copies", "scan=0", "lose=200", "scan=1",
                  "scan=4")
    same((result.status, lost(result)), (7, [112, 208, 320]), result)
    same([totals[0] for _, totals in reports(result.err)], [(112, 1), (208, 1)], result)


def test_memory_that_is_not_copied(bench):
    for size in (100, 5000, 300000):
        result = live(bench, "lose=100", f"keep_from_copies={size}", "scan=0")
        same((result.status, lost(result)), (7, [112]), size, result)


def test_log(bench):
    """Of the program, and not of the copy."""
    folder = bench.folder()
    result = live(bench, "lose=100", "scan=0", conf="log_path=%e.%p.log", directory=folder)
    same(result.err, "")
    same([path.name for path in folder.iterdir()], [f"lives_on.{result.pid}.log"])


# --- by a signal ---------------------------------------------------------------------------------

def test_signal(bench):
    for name in ("USR2", "SIGUSR2", str(USR2)):
        with Running(bench, "lose=100", "workers=2", "deaf=1", "say=ready", "read_line", "exit=7",
                     conf=f"leak_signal={name} leaks=0") as program:
            program.expect("ready")
            for nr in range(1, 4):
                program.process.send_signal(signal.SIGUSR2)
                program.until(lambda: program.err.count("SUMMARY") == nr, nr)
            same([totals[:2] for _, totals in reports(program.err)], [[(112, 1), (0, 0)]] * 3)
            program.until(lambda: len(program.copies()) <= 1, "only the last one is left")
            program.end(7)


def test_signal_names(bench):
    for name in ("NO", "0", "11", "SEGV", "KILL", "99", "RTMAX+1"):
        result = live(bench, conf=f"leak_signal={name}")
        same((result.status, len(result.lines(f"^stitchmalloc: leak_signal={re.escape(name)}"))),
             (7, 1), result)
    for name in ("HUP", "RTMIN", "RTMIN+3"):
        same(live(bench, conf=f"leak_signal={name}").err, "", name)


def test_signal_amid_malloc(bench):
    """A handler that comes then is put off; each report has what is lost and nothing else."""
    with Running(bench, "lose=100", "say=ready", "work_for=2000", "say=done", "read_line",
                 "exit=7", conf="leak_signal=USR2") as program:
        program.expect("ready")
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            program.process.send_signal(signal.SIGUSR2)
            time.sleep(0.02)
        program.expect("done")
        while program.err.count("SUMMARY") < 5: # on a busy machine few of them came amid malloc
            nr = program.err.count("SUMMARY")
            program.process.send_signal(signal.SIGUSR2)
            program.until(lambda: program.err.count("SUMMARY") > nr)
        program.end(7)
        for groups, totals in reports(program.err):
            same((groups, totals[0]), ([(112, 1, "definitely")], (112, 1)), program.err)


def test_signal_in_python(bench):
    """With threads; a real program."""
    script = ("import os, threading, time\n"
              "def work():\n  for i in range(200): [[0] * 100 for _ in range(1000)]\n"
              "threads = [threading.Thread(target=work) for _ in range(3)]\n"
              "for thread in threads: thread.start()\n"
              f"os.kill(os.getpid(), {USR2})\n"
              "for thread in threads: thread.join()\n"
              "time.sleep(1)\nprint(os.system('exit 3') >> 8)")
    result = bench.run("/usr/bin/python3", "-c", script, conf="leak_signal=USR2", once=False)
    same((result.status, result.out, result.err.count("SUMMARY")), (0, "3\n", 1), result)


def test_copy_that_waits(bench):
    """Of a log that nobody reads yet: the program goes on, the copy has none of its descriptors."""
    fifo = bench.folder() / "fifo"
    os.mkfifo(fifo)
    with Running(bench, "lose=100", "open_high=300", "say=ready", "read_line", "work_for=100",
                 "say=on",
                 "read_line", "scan=4", "read_line", "exit=7",
                 conf=f"leak_signal=USR2 log_path={fifo}") as program:
        program.expect("ready")
        program.process.send_signal(signal.SIGUSR2)
        program.until(lambda: program.copies())
        copy, = program.copies()
        program.until(lambda: len(os.listdir(f"/proc/{copy}/fd")) == 1, "stderr alone")
        program.tell()
        program.expect("on")
        program.process.send_signal(signal.SIGUSR2)
        program.until(lambda: "the last one is still being made" in program.err)
        os.kill(copy, signal.SIGKILL)
        program.tell()
        program.expect("lost 112 errno 0")
        check("the copy of the process that looked has crashed" in program.err, program.err)
        program.end(7)


# --- from outside --------------------------------------------------------------------------------

def ask(bench, program):
    """`stitchmalloc leaks PID`: what it prints."""
    result = subprocess.run([bench.launcher, "leaks", str(program.pid)], text=True, check=False,
                            capture_output=True, timeout=TIME_LIMIT)
    if "may not be traced" in result.stderr:
        raise Skipped(result.stderr)
    same((result.returncode, result.stderr), (0, ""), program.err)
    return result.stdout


def check_from_outside(bench, *actions, conf="", size=112, times=3):
    with Running(bench, "lose=100", *actions, "say=ready", "read_line", "work_for=50",
                 "watch_children", "wait_for_all", "read_line", "exit=7", conf=conf) as program:
        program.expect("ready")
        for _ in range(times):
            same(reports(ask(bench, program)),
                 [([(size, 1, "definitely")], [(size, 1), (0, 0), (0, 0)])])
            same(program.copies(), [], "a zombie is left")
        program.tell()
        program.expect("children 0 errno 1 signals 0")
        program.end(7)
        check(conf or not program.err, program.err)


def test_outside_asleep(bench):
    """In a read that goes on afterwards."""
    check_from_outside(bench)
    check_from_outside(bench, conf="leaks=full", size=100)


def test_outside_threads(bench):
    """That work, sleep, block all signals."""
    check_from_outside(bench, "workers=3", "sleepers=2", "deaf=2")


def test_outside_late(bench):
    """A thread that cannot be stopped yet, and then goes on; no zombie is left meanwhile."""
    with Running(bench, "lose=100", "vfork=1", "say=ready", "read_line", "exit=7") as program:
        program.expect("ready")
        program.until(program.copies, "the thread is in vfork")
        for _ in range(2):
            text = ask(bench, program)
            check("1 could not be stopped" in text, text)
            same([state_of(f"/proc/{child}") for child in program.copies()], ["S"],
                 "a zombie is left")
        os.kill(program.copies()[0], signal.SIGKILL)
        program.until(lambda: program.states() == {"S"}, "its threads go on")
        program.end(7)


def test_outside_timer(bench):
    """With a signal on its way at nearly every moment."""
    with Running(bench, "lose=100", "timer=8000", "say=ready", "read_line", "exit=7") as program:
        program.expect("ready")
        for _ in range(10):
            ask(bench, program)
            same(program.copies(), [], "a zombie is left")
        program.end(7)


def test_outside_nap(bench):
    """A call with a timeout goes on for the rest of it."""
    with Running(bench, "lose=100", "say=ready", "read_line", "nap=1500", "say=woke", "read_line",
                 "exit=7") as program:
        program.expect("ready")
        start = time.monotonic()
        program.tell()
        ask(bench, program)
        program.expect("woke")
        check(1 < time.monotonic() - start < 10, "the nap was cut short or begun again")
        program.end(7)


def test_outside_amid_malloc(bench):
    """The heap is not whole then: a report that is right, or none."""
    with Running(bench, "lose=100", "say=ready", "work_for=2000", "read_line", "exit=7") as program:
        program.expect("ready")
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            result = subprocess.run([bench.launcher, "leaks", str(program.pid)], text=True,
                                    check=False, capture_output=True, timeout=TIME_LIMIT)
            if result.returncode:
                check(re.search("never out of malloc|may not be traced", result.stderr), result)
            else:
                groups, totals = reports(result.stdout)[0]
                same((groups, totals[0]), ([(112, 1, "definitely")], (112, 1)), result.stdout)
        program.end(7)


def run_outside(bench, program):
    result = subprocess.run([bench.launcher, "leaks", str(program.pid)], text=True, check=False,
                            capture_output=True, timeout=TIME_LIMIT)
    if "may not be traced" in result.stderr:
        raise Skipped(result.stderr)
    return result


def test_outside_to_a_full_disk(bench):
    """No report, no success; and the program goes on."""
    with Running(bench, "lose=100", "say=ready", "read_line", "exit=7") as program:
        program.expect("ready")
        with open("/dev/full", "wb") as full:
            result = subprocess.run([bench.launcher, "leaks", str(program.pid)], stdout=full,
                                    stderr=subprocess.PIPE, text=True, check=False,
                                    timeout=TIME_LIMIT)
        if "may not be traced" in result.stderr:
            raise Skipped(result.stderr)
        same((result.returncode, "No space left" in result.stderr), (125, True), result)
        same(program.copies(), [])
        program.end(7)


def test_outside_executes(bench):
    """Amid a look another image comes: an answer, and the program goes on."""
    with Running(bench, "lose=100", "say=ready", "exec_again") as program:
        program.expect("ready")
        end = time.monotonic() + 3
        while time.monotonic() < end:
            result = run_outside(bench, program)
            check(result.returncode in (0, 125), result)
            same(program.process.poll(), None, result)


def test_outside_filtered(bench):
    """A filter that kills for clone: a report (it is put off) or none, and nobody is killed."""
    with Running(bench, "lose=100", "kill_who_copies", "say=ready", "read_line",
                 "exit=7") as program:
        program.expect("ready")
        result = run_outside(bench, program)
        check("definitely lost" in result.stdout or "seccomp filter" in result.stderr, result)
        program.end(7)


def test_outside_loader_is_held(bench):
    """No report that needs names, but an answer."""
    with Running(bench, "lose=100", "hold_loader", "say=ready", "read_line", "exit=7",
                 conf="leaks=full") as program:
        program.expect("ready")
        result = run_outside(bench, program)
        check("definitely lost" in result.stdout or "and the loader" in result.stderr, result)
        program.process.kill()


def test_outside_first_thread_ended(bench):
    """It is listed to the end of the process."""
    code = ("import threading, ctypes, time\n"
            "def last():\n time.sleep(0.3); print('ready', flush=True); time.sleep(30)\n"
            "threading.Thread(target=last).start()\n"
            "ctypes.CDLL(None).pthread_exit(None)\n")
    with subprocess.Popen(["/usr/bin/python3", "-c", code], env=bench.environment(""),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        same(process.stdout.readline(), "ready\n")
        result = subprocess.run([bench.launcher, "leaks", str(process.pid)], text=True,
                                check=False, capture_output=True, timeout=TIME_LIMIT)
        alive = process.poll() is None
        from_outside = subprocess.run([bench.launcher, "report", str(process.pid), "meminfo"],
                                      text=True, check=False, capture_output=True)
        process.kill()
    if "may not be traced" in result.stderr:
        raise Skipped(result.stderr)
    check(alive and "SUMMARY" in result.stdout, result)
    check("MemTotal" in from_outside.stdout, from_outside)


def test_outside_interrupted(bench):
    """The tool is ended at any moment: the process goes on."""
    with Running(bench, "lose=100", "workers=2", "say=ready", "read_line", "exit=7") as program:
        program.expect("ready")
        for i in range(30):
            with subprocess.Popen([bench.launcher, "leaks", str(program.pid)],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as tool:
                time.sleep(0.0007 * i)
                tool.send_signal(signal.SIGTERM if i % 2 else signal.SIGINT)
                tool.wait(TIME_LIMIT)
            same(program.process.poll(), None, i)
        same(program.copies(), [], "a zombie is left")
        program.end(7)


def test_outside_wrong(bench):
    with Running(bench, "say=ready", "read_line", "exit=7", preloaded=False) as program:
        program.expect("ready")
        for pid, status in ((str(program.pid), 125), ("99999999", 125), ("x", 2),
                            (str(program.pid + (1 << 32)), 2)):
            result = subprocess.run([bench.launcher, "leaks", pid], text=True, check=False,
                                    capture_output=True, timeout=TIME_LIMIT)
            same((result.returncode, result.stdout, result.stderr.count("\n")), (status, "", 1),
                 result.stderr)
        program.end(7)


# --- under tools ---------------------------------------------------------------------------------

def under(bench, tool, *command):
    result = bench.run(*command, preloaded=False, once=False)
    if re.search("ptrace.*(Operation not permitted|Permission denied)", result.err):
        raise Skipped(f"{tool} may not trace here")
    same(lost(result), [112, 208], result)
    return result


def test_strace(bench):
    result = under(bench, "strace", needs("strace"), "-f", "-qq", "-o", "/dev/null",
                   "-E", f"LD_PRELOAD={bench.library}", str(bench.work / "lives_on"), "lose=100",
                   "workers=2", "scan=0", "lose=200", "scan=1", "exit=7")
    same(result.status, 7, result)


def test_gdb(bench):
    result = under(bench, "gdb", needs("gdb"), "--batch", "-nx", "-ex",
                   "set startup-with-shell off",
                   "-ex", f"set environment LD_PRELOAD={bench.library}", "-ex", "run", "--args",
                   str(bench.work / "lives_on"), "lose=100", "sleepers=2", "scan=0", "lose=200",
                   "scan=1", "exit=7")
    check("exited with code 07" in result.out, result)


if __name__ == "__main__":
    sys.exit(main(__doc__, globals()))
