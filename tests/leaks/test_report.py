#!/usr/bin/python3
"""What a leak report says, when there is one, where it goes, and that it disturbs nobody.

usage: test_report.py LIBRARY LAUNCHER [WORKDIR] [-k NAME]... [-j N]

The programs of report/ are built into WORKDIR (a temporary one unless given) with $CC and $CXX, gcc
and g++ unless set, and run with LIBRARY preloaded. actions does what its arguments say. Each test
is a function test_*; -k runs those that have NAME in theirs. A line for each; the status is 1 if
one fails. What cannot be had here (a tool, root) is skipped, with a line. Which bytes are lost with
which stack is check_corpus.py's part.
"""
import concurrent.futures
import itertools
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import time

from check_corpus import parse_leaks
from report.bench import (TIME_LIMIT, Skipped, build_id, check, frames, functions, main,
                          needs, resolved, same)

EXITS = ("return", "exit", "_exit", "_Exit", "quick_exit", "thread_exit", "nested_exit")
KNOWN = ("lose=100", "lose_other=200", "lose_ten=300", "exit=7")

# --- when there is a report ----------------------------------------------------------------------

def test_nothing_lost(bench):
    """Not a byte, not a descriptor more for the program to see below 100."""
    for conf in ("leaks=1", "leaks=full", "leaks=full exitcode=9 log_path=nothing.log"):
        for way in EXITS:
            result = bench.act("keep=100", "print=hello", "vfork=4", f"{way}=7", conf=conf)
            same((result.status, result.out, result.err), (7, "hellochild 4 ", ""), conf, way)
    check(not (bench.work / "nothing.log").exists(), "a log without a leak")


def test_status_is_untouched(bench):
    for level in ("1", "full"):
        for way in EXITS:
            result = bench.act("lose=100", f"{way}=7", conf=f"leaks={level}")
            same(result.status, 7, way)
            same(result.totals["definite"][1], 1, way)


def test_output_is_untouched(bench):
    """What is buffered at the end is written where it would be without us, and else is not."""
    for way in EXITS:
        without = bench.act("print=hello", f"{way}=7", preloaded=False)
        for conf in ("leaks=full", "leaks=full exitcode=23"):
            result = bench.act("lose=100", "print=hello", f"{way}=7", conf=conf)
            same(result.out, without.out, way, conf)


def test_exitcode(bench):
    for way in EXITS:
        result = bench.act("lose=100", f"{way}=7", conf="leaks=full exitcode=23")
        same(result.status, 23, way)
        result = bench.act("lose=100", f"{way}=0", conf="leaks=1 exitcode=255")
        same(result.status, 255, way)


def test_exitcode_and_kind(bench):
    """Only what is listed is a leak."""
    for show, status in (("definite", 7), ("possible", 23), ("reachable", 23)):
        result = bench.act("keep_interior=100", "exit=7",
                           conf=f"leaks=full exitcode=23 leak_show={show}")
        same(result.status, status, show)
    result = bench.act("keep=100", "exit=7", conf="leaks=full exitcode=23 leak_print=always")
    same(result.status, 7, "reachable")


def test_vfork_child(bench):
    """It has the parent's memory, and is none of our business."""
    result = bench.act("lose=100", "vfork=5", "exit=7", conf="leaks=full exitcode=23")
    same((result.status, result.out), (23, "child 5 "), result)
    same(list(result.reports), [result.pid], result)


def test_ended_by_signal(bench):
    result = bench.act("lose=100", f"raise={int(signal.SIGTERM)}")
    same((result.status, result.err), (-signal.SIGTERM, ""))


def test_fork(bench):
    result = bench.act("lose=100", "fork=200", "exit=7")
    same((result.status, result.out, len(result.reports)), (7, "child 5 ", 2), result)
    same(result.totals["definite"], (100, 1))
    child, = (report for pid, report in result.reports.items() if pid != result.pid)
    same(child.totals["definite"], (300, 2), "what the parent has lost before is lost there, too")
    result = bench.act("lose=100", "fork=200", "exit=7", conf="leaks=full children=0 exitcode=9")
    same((result.status, result.out, list(result.reports)), (9, "child 5 ", [result.pid]), result)
    result = bench.act("fork=200", "exit=7", conf="leaks=full exitcode=9")
    same((result.status, result.out), (7, "child 9 "), result)


def test_exec(bench):
    result = bench.act("exec=lose=300", "exit=7")
    same((result.status, result.out, len(result.reports)), (7, "child 6 ", 1), result)
    check(result.pid not in result.reports, "no report of the parent")
    same(result.lines("^=== command: "), ["=== command: again lose=300 exit=6"])


def test_exe(bench):
    for pattern, wanted in (("actions", 1), ("act*", 1), ("*ons", 1), ("a*c*s", 1), ("*", 1),
                            ("action", 0), ("actions.c", 0), ("*x*", 0), ("/actions", 0)):
        result = bench.act("lose=100", "exit=7", conf=f"leaks=full exitcode=9 exe={pattern}")
        same((result.status, len(result.reports)), (9 if wanted else 7, wanted), pattern, result)
        check(wanted or not result.err, pattern, result)


def test_programs_that_close_stderr(bench):
    """Their last handler closes stdout and stderr before ours comes."""
    text = bench.file("b\na\n")
    for command in (["sort", str(text)], ["ls", str(text)], ["cat", str(text)]):
        without = bench.run(*command, preloaded=False)
        for level in ("1", "full"):
            result = bench.run(*command, conf=f"leaks={level} leak_print=always")
            same((result.status, result.out), (0, without.out), command)
            same(len(result.reports), 1, command, result)
            check(result.totals["reachable"][1] > 0, "nothing reachable", result)


def test_programs_that_leave_by_exit(bench):
    for command in (["sh", "-c", ":"], ["sh", "-c", "exit 3"], ["mawk", "BEGIN { exit 3 }"]):
        if not shutil.which(command[0]):
            continue
        without = bench.run(*command, preloaded=False)
        result = bench.run(*command, conf="leaks=1 leak_print=always")
        same((result.status, result.out, list(result.reports)), (without.status, "", [result.pid]),
             command, result)


# --- where it goes -------------------------------------------------------------------------------

def test_descriptors_from_3_on_closed(bench):
    """By daemons, and what starts others: stderr is still there."""
    for opened in ([], ["open_up_to=150"]):
        result = bench.act("lose=100", "close_all=3", *opened, "exit=7")
        same((result.status, result.totals["definite"]), (7, (100, 1)), opened, result)


def test_few_descriptors(bench):
    result = bench.run("sh", "-c", f'ulimit -n 50; exec "{bench.work}/actions" lose=100 exit=7')
    same((result.status, result.totals["definite"]), (7, (100, 1)), result)


def test_no_descriptors_left(bench):
    """A report, or a line why not. With one: which pages have contents need not be known."""
    result = bench.act("lose=100", "open_all=/dev/null", "exit=7")
    same((result.status, len(result.reports) + len(result.lines("^stitchmalloc: "))), (7, 1),
         result)
    for free in (["close=3"], ["close=3", "close=4"]):
        result = bench.act("lose=100", "open_all=/dev/null", *free)
        same(result.totals["definite"], (100, 1), result)


def test_descriptors_are_not_inherited(bench):
    result = bench.run("sh", "-c", "LD_PRELOAD= ls /proc/self/fd; :")
    same(result.out, "0\n1\n2\n3\n", "ls opens the folder")


def test_reports_at_the_same_time(bench):
    """Of a `make -j`, in one file: each is in one piece."""
    log = bench.folder() / "log"
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        for _ in range(60):
            pool.submit(bench.act, "lose_pair=50", *KNOWN, conf=f"leaks=full log_path={log}")
    ends = re.findall("leak report of process|^SUMMARY: ", log.read_text(), re.M)
    same(ends, ["leak report of process", "SUMMARY: "] * 60, "a report in another one")
    same(len(parse_leaks(log.read_text())), 60)


def check_data(folder, opened, *what):
    text = (folder / "data").read_text() if opened else ""
    same(text, "", "in the program's own file", opened, *what)


def test_all_descriptors_closed(bench):
    """Nothing of ours goes into what has the numbers then."""
    for opened in ([], ["open_up_to=2"], ["open_up_to=150"]):
        folder = bench.folder()
        for log in (folder / "log", "/no/such/folder/log"):
            result = bench.act("lose=100", "close_all=0", *opened, "exit=7",
                               conf=f"leaks=full log_path={log}", directory=folder)
            same((result.status, result.err), (7, ""), opened)
            check_data(folder, opened, log)
        same(len(parse_leaks((folder / "log").read_text())), 1, "in the log")
        result = bench.act("lose=100", "close_all=0", *opened, "exit=7", directory=folder)
        same((result.status, result.err), (7, ""), opened)
        check_data(folder, opened)


def test_started_without_stderr(bench):
    folder = bench.folder()
    for conf in ("leaks=full", "leaks=full log_path=/no/such/folder/log suppressions=/no/file"):
        result = bench.run("sh", "-c", f'exec "{bench.work}/actions" lose=100 open_up_to=2 exit=7 '
                           "2>&-", conf=conf, directory=folder)
        same((result.status, result.err), (7, ""))
        same((folder / "data").read_text(), "", "in the program's file")


def test_log_path(bench):
    folder = bench.folder()
    result = bench.act("lose=100", "exit=7",
                       conf=f"leaks=full log_path={folder}/%e.%p.%h.100%%.%x.%")
    same((result.status, result.err), (7, ""))
    name = f"actions.{result.pid}.{platform.node()}.100%.%x.%"
    same([path.name for path in folder.iterdir()], [name])
    same(list(parse_leaks((folder / name).read_text())), [result.pid])


def test_log_is_appended_to(bench):
    log = bench.file("before\n")
    first, second = (bench.act("lose=100", "fork=200", "exit=7", conf=f"leaks=full log_path={log}")
                     for _ in range(2))
    text = log.read_text()
    check(text.startswith("before\n"), text)
    same(len(parse_leaks(text)), 4)
    check({first.pid, second.pid} < set(parse_leaks(text)), text)


def test_line_of_who_has_closed_stderr(bench):
    """A word on why the report is not where it should be comes through, too."""
    for conf, text in (("log_path=/no/such/folder/log", "/no/such/folder/log"),
                       ("suppressions=/no/such/file", "/no/such/file")):
        result = bench.run("ls", str(bench.work), conf=f"leaks=full leak_print=always {conf}")
        check(result.status == 0 and len(result.lines(f"^stitchmalloc: .*{text}")) == 1, conf,
              result)


def check_one_line(bench, conf, text, report_anyway=True):
    result = bench.act("lose=100", "print=hello", "exit=7", conf=conf)
    same((result.status, result.out), (7, "hello"), result)
    lines = result.lines("^stitchmalloc: ")
    check(len(lines) == 1 and text in lines[0], f"not one line with {text}", result)
    same(len(result.reports), 1 if report_anyway else 0, result)


def test_log_cannot_be_written(bench):
    check_one_line(bench, "leaks=full log_path=/no/such/folder/log", "/no/such/folder/log")
    check_one_line(bench, f"leaks=full log_path={bench.work}", str(bench.work))


def test_disk_is_full(bench):
    check_one_line(bench, "leaks=full log_path=/dev/full", "/dev/full", report_anyway=False)
    with open("/dev/full", "w", encoding="ascii") as full:
        result = bench.act("lose=100", "print=hello", "exit=7", stderr=full)
    same((result.status, result.out), (7, "hello"), "stderr is /dev/full")


def test_file_size_limit(bench):
    """SIGXFSZ would end the program."""
    log = bench.folder() / "log"
    result = bench.run("sh", "-c", f'ulimit -f 0; exec "{bench.work}/actions" lose=100 exit=7',
                       conf=f"leaks=full log_path={log}")
    same((result.status, len(result.lines("^stitchmalloc: "))), (7, 1), result)


def test_closed_pipe(bench):
    """SIGPIPE would end the program."""
    for conf, status in (("leaks=full", 7), ("leaks=full exitcode=9", 9),
                         ("leaks=full suppressions=/no/such/file", 7)):
        for way in ("exit", "_exit", "thread_exit"):
            end, other = os.pipe()
            os.close(end)
            result = bench.act("lose=100", f"{way}=7", conf=conf, stderr=other)
            os.close(other)
            same(result.status, status, conf, way)


def test_folder_is_changed(bench):
    """A name without / is in the folder that the program was started in, with the launcher."""
    folder = bench.folder()
    (folder / "rules").write_text("leak:^lose_other$\n")
    result = bench.run(bench.launcher, "run", "--lib", bench.library, "--leaks=full", "--log=log",
                       "--suppressions=rules", "--", str(bench.work / "actions"), "chdir=/",
                       "lose=100", "lose_other=200", "exit=7", preloaded=False, directory=folder)
    same((result.status, result.err), (7, ""))
    same(parse_leaks((folder / "log").read_text())[result.pid].totals["definite"], (100, 1))


# --- what it says --------------------------------------------------------------------------------

def test_header(bench):
    result = bench.act("print=\x1b[1m\n", "lose=100")
    actions = bench.work / "actions"
    for line in (f"leak report of process {result.pid}, {actions}$",
                 "^=== leaks=full: sizes as requested$",
                 "=== command: " + re.escape(f"{actions} print= [1m  lose=100") + "$"):
        same(len(result.lines(line)), 1, line, result)
    same(len(bench.act("lose=100", conf="leaks=1").lines("=== leaks=1: usable sizes")), 1)
    check(result.err.endswith("SUMMARY: stitchmalloc: 100 byte(s) leaked in 1 allocation(s).\n"),
          "the last line", result)


def test_top_frame(bench):
    """It is the function that the program has called, and no part of ours."""
    for action, name in (("lose", "malloc"), ("lose_other", "calloc")):
        result = bench.act(f"{action}=100")
        same(functions(result.err)[0], name, result)
        check("main" in functions(result.err), result)
    found = functions(bench.run(str(bench.work / "names")).err)
    check(found[0].startswith("operator new"), found)


ENTRIES = ("malloc", "calloc", "realloc", "memalign", "posix_memalign", *6 * ["operator new"])


def test_names_of_entries(bench):
    """They do not come from the symbol table of the library, which a distribution strips."""
    whole = bench.environment("")["LD_PRELOAD"]
    stripped = bench.folder() / "stripped.so"
    subprocess.run(["strip", whole, "-o", stripped], check=True)
    for library, conf in itertools.product((whole, stripped), ("full", "sample:1")):
        env = {**bench.environment(f"leaks={conf}"), "LD_PRELOAD": str(library)}
        result = bench.run(str(bench.work / "entries"), env=env)
        found = [re.sub("^(__libc_|__)", "", frame[2] or "-") for frame in frames(result.err)
                 if frame[0] == "0"]
        same(len(found), len(ENTRIES), result)
        for name, wanted in zip(reversed(found), ENTRIES):
            check(name.startswith(wanted), f"{name}, not {wanted}", library, result)


def test_names_of_cxx(bench):
    result = bench.run(str(bench.work / "names"))
    for name in ("(anonymous namespace)::outer::holder<double>::lose(", "lose_all()::",
                 "lose_all()"):
        check(any(function and name in function for function in functions(result.err)),
              f"no {name}", result)


ALL_KINDS = ("lose_ten=100", "lose_other=5000", "lose_pair=300", "keep=70", "keep_interior=60")


def group_lines(result):
    return result.lines(r" blocks? .*\[\d+ of \d+\]$")


def test_leak_show(bench):
    for show, kinds in (("definite", "ddd"), ("possible", "dddp"), ("reachable", "dddps")):
        result = bench.act(*ALL_KINDS, conf=f"leaks=full leak_show={show}")
        found = [re.search("definitely|possibly|still", line)[0][0]
                 for line in group_lines(result)]
        same("".join(found), kinds, show, result)
        same(result.totals["definite"], (6300, 12), result)
        same([result.totals[kind] for kind in ("indirect", "possible", "reachable")],
             [(300, 1), (60, 1), (70, 1)], "what is not listed is counted")
    for show, printed in (("definite", 0), ("possible", 1)):
        result = bench.act("keep_interior=100", conf=f"leaks=full leak_show={show}")
        same(len(result.reports), printed, show)


def test_order_and_sort(bench):
    """The indirect part counts; an order for each key."""
    sizes = {"bytes": [5000, 1000, 600, 60], "blocks": [1000, 600, 5000, 60]}
    for key, want in sizes.items():
        result = bench.act(*ALL_KINDS, conf=f"leaks=full leak_sort={key}")
        same([int(line.split()[0]) for line in group_lines(result)], want, key, result)
    same(len(result.lines(r"^600 bytes in 2 blocks \(300 in 1 directly, 300 in 1 indirectly\) "
                          r"definitely lost \[2 of 4\]$")), 1, result)
    same(len(result.lines(r"^5000 bytes in 1 block definitely lost \[3 of 4\]$")), 1, result)


def test_leak_groups(bench):
    for nr, rest in ((0, "... and 4 more groups, 6660 bytes in 14 blocks"),
                     (2, "... and 2 more groups, 660 bytes in 3 blocks"),
                     (3, "... and 1 more group, 60 bytes in 1 block ("), (4, ""), (5, "")):
        result = bench.act(*ALL_KINDS, conf=f"leaks=full leak_groups={nr}")
        same(len(group_lines(result)), min(nr, 4), nr)
        check(rest in result.err if rest else "more group" not in result.err, rest, result)
        same(result.totals["definite"], (6300, 12), "totals")


def test_leak_objects(bench):
    result = bench.act("lose=20", "lose_ten=100", "keep_interior=60", "keep=70",
                       conf="leaks=full leak_objects=1 leak_show=reachable")
    same(len(result.lines("^    at 0x[0-9a-f]+$")), 5, "one, four of ten", result)
    same(len(result.lines(r"^    \.\.\. and 6 more$")), 1, result)
    check("  78 78 78 78 78 78 78 78  78 78 " in result.err, "no first bytes", result)
    same(len(result.lines("^    at 0x[0-9a-f]+, held by 0x[0-9a-f]+ outside the heap$")), 2, result)
    check("    at 0x" not in bench.act("lose=20").err, "unasked for")


def test_leak_objects_show_requested_bytes(bench):
    """Not what lies behind them."""
    result = bench.act("lose=20", conf="leaks=full leak_objects=1")
    dump, = result.lines("^ +78 78 78")
    same(dump.count(" 78"), 20, result)
    check(dump.endswith("  " + 20 * "x"), dump)


def test_leak_print(bench):
    for conf in ("leaks=1", "leaks=full"):
        result = bench.act("keep=100", "exit=7", conf=f"{conf} leak_print=always")
        same((result.status, list(result.reports)), (7, [result.pid]), result)
        same(result.totals["definite"], (0, 0))
        check("SUMMARY: stitchmalloc: 0 byte(s) leaked in 0 allocation(s)." in result.err, result)


def test_threads_are_named(bench):
    result = bench.act("lose=100")
    check("; " not in result.lines("^=== leaks=full")[0], "one thread", result)
    same(result.lines("by thread"), [], result)


# --- symbols -------------------------------------------------------------------------------------

def test_without_symbols(bench):
    """Modules, offsets and build-ids that other tools understand."""
    result = bench.act("lose=100", f"load={bench.work}/first.so", conf="leaks=full symbolize=0")
    check(not any(functions(result.err)), "names", result)
    found = frames(result.err)
    for frame in found:
        same(frame[7], build_id(frame[5]), frame)
    names = [name for frame in found for name in resolved(frame[5], frame[6])]
    for want in (("lose_one", "actions.c"), ("lose_first", "module.c"),
                 ("lose_in_module", "module.c"), ("main", "actions.c")):
        check(want in names, f"no {want} in {names}", result)


def test_stripped(bench):
    result = bench.act("lose=100", program="stripped")
    found = [frame for frame in frames(result.err) if frame[5] and frame[5].endswith("/stripped")]
    names = [name for frame in found for name, _ in resolved(str(bench.work / "actions"), frame[6])]
    same([names[0], "main" in names], ["lose_one", True], result)
    check(all(frame[4] is None for frame in found), "lines from nowhere", result)


def test_below_main(bench):
    """Of libc's start no lines are looked for, which every program would pay with 0.1 s. Of what
    the program calls of libc there are, if libc has its debug information (libc6-dbg)."""
    result = bench.act("lose_sorting=100", program="stripped")
    libc = [frame for frame in frames(result.err) if "/libc.so" in (frame[5] or "")]
    check(len(libc) > 3, "libc's frames", result)
    same([frame[2:4] for frame in libc[-2:]], 2 * [("(below main)", None)], result)
    if resolved(libc[0][5], libc[0][6])[0][1] != "??":
        check(all(frame[3] for frame in libc[:-2]), "no lines of qsort", result)


def test_closed_module(bench):
    """Its frames are said to be in no module; those around them are as ever."""
    result = bench.act(f"load_and_close={bench.work}/first.so", "exit=7")
    same(result.status, 7)
    same(len(result.lines("unloaded")), 2, result)
    check({"load_and_close", "main"} < set(functions(result.err)), result)


def test_stack_without_end(bench):
    for conf in ("leaks=full", "leaks=full symbolize=0"):
        result = bench.act("lose_without_tables=100", conf=conf)
        same(len(result.lines("no unwind information beyond this")), 1, result)


def test_deep_stack(bench):
    for level in ("1", "full"):
        result = bench.act("lose_deep=100000", "exit=7", conf=f"leaks={level}")
        same((result.status, result.totals["definite"][1]), (7, 1), result)
    same(functions(result.err)[1:3], ["lose_one", "descend"], result)


def test_many_groups(bench):
    start = time.monotonic()
    result = bench.run(str(bench.work / "groups"), conf="leaks=full leak_groups=3")
    same(result.totals["definite"], (50500000, 1000000))
    same(group_lines(result), [f"100000 bytes in 1000 blocks definitely lost [{i} of 1000]"
                               for i in (1, 2, 3)])
    check("... and 997 more groups, 50200000 bytes in 997000 blocks" in result.err, result)
    check(time.monotonic() - start < TIME_LIMIT, "too slow")


def test_devices(bench):
    """What a live device owns is reachable; what a lost or gone one had is named."""
    for level in ("1", "full"):
        result = bench.act("live", program="devices", conf=f"leaks={level} leak_print=always")
        same([result.totals[kind] for kind in ("definite", "indirect", "possible")],
             [(0, 0)] * 3, level, result)
        same(result.totals["reachable"][1], 8, level, result)
        for what, nr in (("lost", 9), ("abandoned", 8)):
            result = bench.act(what, program="devices", conf=f"leaks={level}")
            same([result.totals[kind][1] for kind in ("definite", "indirect", "possible")],
                 [1, nr - 1, 0], level, what, result)
    same(result.totals["indirect"][0] + result.totals["definite"][0],
         3000 + 7 + (4 << 12) + 200 + 32 * 2 + 48 * 2 + 40 + 56, result)
    for what, owner in (("lost", "lose_device"), ("abandoned", "abandon_device")):
        result = bench.act(what, program="devices", conf="leaks=sample:1")
        check({"own_memory", "own_pages", "own_action", owner} <= set(functions(result.err)),
              what, result)


# --- known leaks ---------------------------------------------------------------------------------

def suppress(bench, rules, *actions, conf="leaks=full", **more):
    path = bench.file(rules)
    return path, bench.act(*(actions or KNOWN), conf=f"{conf} suppressions={path}", **more)


def test_rules(bench):
    for rule, bytes_left, blocks_left in (
            ("leak:^lose_other$", 3100, 11), ("leak:lose_o", 3000, 10), ("leak:^ose_o", 3300, 12),
            ("leak:lose_*r$", 3100, 11), ("leak:^calloc$", 3100, 11),
            ("stack:calloc;lose_other;^main$", 3300, 12), ("stack:*;lose_other;*;main", 3100, 11),
            ("stack:malloc;lose_*", 200, 1), ("stack:malloc;*;main", 200, 1),
            ("max:3 leak:lose_ten", 2400, 9), ("max:1 leak:^lose_", 0, 0),
            ("# a comment\n\n   leak:lose_ten   \n", 300, 2)):
        _, result = suppress(bench, rule)
        if rule.startswith("max:1 "):       # whichever is the first
            same(sum(report.totals["definite"][1] for report in result.reports.values()), 11, rule)
            continue
        same((result.status, result.totals["definite"]), (7, (bytes_left, blocks_left)), rule,
             result)
        suppressed = result.lines("^ +suppressed: ")[0].split()[1]
        same(int(suppressed), 3300 - bytes_left, rule, result)


def test_rules_for_files_and_modules(bench):
    for rule in ("leak:actions.c", "leak:/actions$", "leak:^main$", "leak:*"):
        _, result = suppress(bench, rule, conf="leaks=full exitcode=9")
        same((result.status, result.err), (7, ""), rule)


def test_table_of_rules(bench):
    rules = "leak:^lose_other$\nleak:no_such\nmax:4 leak:^lose_ten$\nstack:malloc;lose_one\n"
    path, result = suppress(bench, rules, *KNOWN)
    table = ["Suppressions used:", "  count      bytes template",
             "      4       1200 max:4 leak:^lose_ten$",
             "      1        200 ^lose_other$", "      1        100 stack:malloc;lose_one"]
    check("\n".join(table) in result.err, "the table is not", "\n".join(table), result)
    check("never used" not in result.err, result)
    path, result = suppress(bench, rules, conf="leaks=full leak_print=always")
    check(f"Suppressions never used:\n  {path}:2: leak:no_such\n" in result.err, result)


def test_bad_rules(bench):
    for line, complaint in (("leek:x", "neither leak: nor stack:"), ("leak:", "empty pattern"),
                            ("max:x leak:y", "not a number of blocks")):
        path, result = suppress(bench, f"leak:^lose_other$\n{line}\nleak:^lose_ten$\n")
        same(result.status, 7)
        same(result.lines("^stitchmalloc: "),
             [f"stitchmalloc: suppressions, {path}:2: {complaint}: {line}"])
        same(result.totals["definite"], (100, 1), "the other lines hold", line)


def test_unreadable_rules(bench):
    check_one_line(bench, "leaks=full suppressions=/no/such/file", "suppressions=/no/such/file")
    check_one_line(bench, f"leaks=full suppressions={bench.work}", f"suppressions={bench.work}")


def test_rules_need_stacks(bench):
    """leaks=1 has none: it says so, rather than that a rule has not worked."""
    result = suppress(bench, "leak:lose_ten", conf="leaks=1")[1]
    same(result.totals["definite"][1], 12)
    check("suppressions" in result.err, "not a word about it", result)


def test_generated_rules(bench):
    """Each suppresses what it stands behind, and nothing else."""
    result = bench.act(*KNOWN, conf="leaks=full gen_suppressions=1")
    rules = result.lines("^(leak|stack):")
    same(rules, ["leak:^lose_ten$", "leak:^lose_other$", "leak:^lose_one$"], result)
    for i, left in enumerate(((300, 2), (3100, 11), (3200, 11))):
        same(suppress(bench, rules[i])[1].totals["definite"], left, rules[i])
    same(suppress(bench, "\n".join(rules))[1].err, "")
    same(bench.act(*KNOWN).lines("^leak:"), [], "unasked for")


def test_generated_rules_of_names(bench):
    result = bench.run(str(bench.work / "names"), conf="leaks=full gen_suppressions=1")
    rules = result.lines("^(leak|stack):")
    same(len(rules), 2, result)
    for rule in rules:
        path = bench.file(rule)
        one = bench.run(str(bench.work / "names"), conf=f"leaks=full suppressions={path}")
        same(one.totals["definite"][1], 1, rule)


def test_generated_rules_of_stripped(bench):
    """None is better than one for libc's frames below main: that would hide all leaks."""
    result = bench.act(*KNOWN, program="stripped", conf="leaks=full gen_suppressions=1")
    same([line for line in result.lines("^leak:") if "libc" in line or "start" in line], [], result)


def test_own_rules(bench):
    result = bench.act(*KNOWN, program="suppressing")
    same((result.status, result.totals["definite"]), (7, (3100, 11)), result)
    check("200 ^lose_other$" in result.err, "not in the table", result)
    _, result = suppress(bench, "leak:^lose_ten$", program="suppressing")
    same(result.totals["definite"], (100, 1), "both count", result)
    twice = suppress(bench, "max:10 leak:^lose_ten$", "lose_ten=300", "check_recoverably", "exit=7",
                     conf="leaks=full exitcode=9")[1]
    same((twice.status, twice.out), (7, "found 0 "), twice)


# --- annotations ---------------------------------------------------------------------------------

def test_ignored_objects(bench):
    for level in ("1", "full"):
        result = bench.act("lose_ignored=100", "lose=300", "exit=7", conf=f"leaks={level}")
        same((result.totals["definite"][1], result.totals["indirect"][1]), (1, 0), level, result)


def test_disabled(bench):
    for conf in ("leaks=full", "leaks=sample:1"):
        result = bench.act("lose_disabled=100", "lose=300", conf=conf)
        same(result.totals["definite"][1], 1, conf, result)


def test_root_regions(bench):
    for level in ("1", "full"):
        for actions, lost in ((["register"], 0), ([], 1), (["register", "unregister"], 1)):
            result = bench.act("hold_in_region=100", *actions, "exit=7", conf=f"leaks={level}")
            same((result.status, len(result.reports)), (7, lost), level, actions, result)


def test_check_now(bench):
    """The last look is that one."""
    result = bench.act("lose=100", "check", "lose_other=200", "exit=7")
    same((result.status, result.out), (7, "checked "), result)
    same(result.totals["definite"], (100, 1), result)
    result = bench.act("print=hello ", "lose=100", "check", "exit=7", conf="leaks=full exitcode=9")
    same((result.status, result.out), (9, "hello "), result)
    same(bench.act("keep=100", "check", "exit=7", conf="leaks=full exitcode=9").status, 7)
    result = bench.act("lose=100", "check", "exit=7", conf="leaks=0")
    same((result.status, result.out, result.err), (7, "checked ", ""), "not asked for")


def test_program_goes_on(bench):
    """After a check that has found nothing threads run and signals come."""
    for level in ("1", "full"):
        result = bench.run(str(bench.work / "goes_on"), conf=f"leaks={level}")
        same((result.status, result.out, result.err), (0, "goes on\n", ""), result)


def test_check_recoverably(bench):
    result = bench.act("check_recoverably", "lose=100", "check_recoverably", "exit=7",
                       conf="leaks=1 exitcode=9", once=False)
    same((result.status, result.out), (9, "found 0 found 1 "), result)
    same(result.err.count(f"leak report of process {result.pid},"), 2, result)


# --- hard places ---------------------------------------------------------------------------------

def test_running_threads(bench):
    """What their stacks hold is no leak; those that cannot be stopped are counted."""
    for kind, note in (("read", "; 4 threads$"), ("spin", "; 4 threads$"),
                       ("alloc", "; 4 threads$"),
                       ("block", "; 4 threads, of which 3 could not be stopped$")):
        for level in ("1", "full"):
            for way in ("exit", "_exit"):
                result = bench.act("lose=100", f"threads={kind}", f"{way}=7",
                                   conf=f"leaks={level}")
                same((result.status, result.totals["definite"][1]), (7, 1), kind, level, result)
                same(len(result.lines(note)), 1, note, result)


def test_threads_with_locks(bench):
    """Of stdin, which exit does not wait for; of the loader, in malloc."""
    for kind, conf in (("line", "leaks=1 exitcode=9"), ("line", "leaks=full exitcode=9"),
                       ("phdr", "leaks=full exitcode=9")):
        end, other = os.pipe()
        try:
            result = bench.act("lose=100", f"threads={kind}", "exit=7", conf=conf, stdin=end)
        finally:
            os.close(end)
            os.close(other)
        same((result.status, result.totals["definite"][1]), (9, 1), kind, result)


def test_two_threads_end_the_program(bench):
    """The second by _exit, amid the report, which is whole all the same."""
    for _ in range(3):
        result = bench.act("lose_deep=50", "load_and_close=./first.so", "exit_twice=7")
        check(result.status in (3, 7), result)
        same(result.totals["definite"], (800, 2), result)


def test_programs_without_privileges(bench):
    """Files in /proc belong to root then."""
    if os.geteuid():
        raise Skipped("only root can become another user")
    for level in ("1", "full"):
        result = bench.act("lose=100", "setuid=65534", "exit=7", conf=f"leaks={level}")
        same((result.status, result.totals["definite"][1]), (7, 1), level, result)


def test_small_stack(bench):
    """Of a thread that calls exit, of a handler that calls _exit."""
    for level in ("1", "full"):
        for way in ("small_stack_exit", "stack_exit"):
            result = bench.act("lose=100", f"{way}=7", conf=f"leaks={level}")
            same((result.status, result.totals["definite"][1]), (7, 1), level, way, result)


def test_shared_memory(bench):
    """What is mapped and was not touched by this process holds something all the same."""
    result = bench.act("hold_in_shared=100", "fork=200", "exit=7")
    same(result.out, "child 5 ")
    child, = result.reports.values()
    same(child.totals["definite"], (200, 1), result)


def test_exit_in_handler(bench):
    """Amid malloc: a report, or a line why not; no hang, no crash."""
    for level in ("1", "full"):
        for i in range(12):
            result = bench.act("lose=100", f"handler_exit={20000 + 137 * i}",
                               conf=f"leaks={level} leak_print=always")
            same(result.status, 9, level, result)
            check(result.reports or len(result.lines("^stitchmalloc: no leak report: ")) == 1,
                  level, result)


def test_sandbox(bench):
    """A report, or a line why not."""
    for what in ("copies", "all"):
        for conf in ("leaks=1", "leaks=full", "leaks=full symbolize=0"):
            result = bench.act("lose=100", f"forbid={what}", "exit=7", conf=conf)
            same(result.status, 7, what, conf, result)
            lines = result.lines("^stitchmalloc: ")
            check(len(result.reports) + len(lines) == 1, what, conf, result)
            if result.reports:
                same(result.totals["definite"][1], 1, what, conf, result)
    same(len(bench.act("lose=100", "forbid=copies", "exit=7").reports), 1, "it needs no copies")


def traced(bench, command, tool):
    """The tool's own malloc is left alone."""
    result = bench.run(*command, preloaded=False)
    if re.search("ptrace.*(Operation not permitted|Permission denied)", result.err):
        raise Skipped(f"{tool} may not trace here")
    same(len(result.reports), 1, tool, result)
    report, = result.reports.values()
    same((report.totals["definite"], report.totals["reachable"]), ((100, 1), (900, 3)), result)
    return result


def test_strace(bench):
    result = traced(bench, [needs("strace"), "-f", "-qq", "-o", "/dev/null",
                            "-E", f"LD_PRELOAD={bench.library}", "-E", "STITCH_CONF=leaks=full",
                            str(bench.work / "actions"), "lose=100", "threads=read", "exit=7"],
                    "strace")
    same(result.status, 7, result)


def test_gdb(bench):
    result = traced(bench, [needs("gdb"), "--batch", "-nx", "-ex", "set startup-with-shell off",
                            "-ex", f"set environment LD_PRELOAD={bench.library}",
                            "-ex", "set environment STITCH_CONF=leaks=full", "-ex", "run", "--args",
                            str(bench.work / "actions"), "lose=100", "threads=read", "exit=7"],
                    "gdb")
    check("exited with code 07" in result.out, result)


def test_without_proc(bench):
    """A line why not."""
    if os.geteuid():
        raise Skipped("only root may unmount /proc")
    script = ("mount --make-rprivate / && umount -l /proc || exit 77\n"
              'LD_PRELOAD=$1 STITCH_CONF=$2 exec "$3" lose=100 exit=7')
    for conf in ("leaks=1", "leaks=full", "leaks=full,exitcode=9"):
        result = bench.run(needs("unshare"), "-m", "sh", "-c", script, "sh", bench.library, conf,
                           str(bench.work / "actions"), preloaded=False)
        if result.status in (1, 77):
            raise Skipped(f"/proc cannot be unmounted here: {result.err.strip()}")
        lines = result.err.split("\n")
        same((result.status, len(lines)), (7, 2), result)
        check(lines[0].startswith("stitchmalloc: no leak report: ") and "/proc" in lines[0], result)


# --- the launcher --------------------------------------------------------------------------------

def test_launcher(bench):
    def launch(*flags, actions=KNOWN):
        return bench.run(bench.launcher, "run", "--lib", bench.library, *flags, "--",
                         str(bench.work / "actions"), *actions, preloaded=False)

    rules = bench.file("leak:^lose_ten$\n")
    same(launch().err, "")
    check("leaks=1: usable" in launch("--leaks").err, "--leaks")
    same(launch("--leaks=full").totals["definite"], (3300, 12))
    same(launch("--leaks=full", f"--suppressions={rules}").totals["definite"], (300, 2))
    same(len(launch("--leaks=full", "--gen-suppressions").lines("^leak:")), 3)
    same(launch("--leaks", "--exitcode=9").status, 9)
    same((launch("--leaks", "--exe=cat").err, launch("--leaks", "--exe=act*").status), ("", 7))
    log = bench.folder() / "log"
    same((launch("--leaks", f"--log={log}").err, log.exists()), ("", True))
    kinds = launch("--leaks=full", "--show=reachable", actions=("keep=100", "lose=100"))
    same(len(group_lines(kinds)), 2, kinds)
    same(launch("--leaks=full", "--show=definite", actions=("keep_interior=100",)).err, "")
    same(len(launch("--leaks=full", "--no-children", actions=("lose=1", "fork=1")).reports), 1)
    same(launch("--leaks=some").status, 7, "not a reason to run nothing")
    same(launch("--exitcode").status, 2)


if __name__ == "__main__":
    sys.exit(main(__doc__, globals()))
