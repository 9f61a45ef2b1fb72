#!/usr/bin/python3
"""The formats of a leak report: that they say what the text says, and that their readers read them.

usage: test_formats.py LIBRARY LAUNCHER [WORKDIR] [-k NAME]... [-j N]

As test_report.py, with the same programs. jeprof, google-pprof and jsonschema are Debian's; tests
that need one that is not here are skipped, with a line.
"""
import concurrent.futures
import copy
import json
import os
import re
import socket
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from report.bench import Skipped, check, frames, main, needs, same

TOOLS = Path(__file__).resolve().parents[2] / "tools"
SUFFIXES = {"text": "", "json": ".json", "collapsed": ".collapsed", "heap_v2": ".heap",
            "pprof": ".pprof"}
ALL = "+".join(SUFFIXES)
KINDS = {"definitely lost": "definite", "indirectly lost": "indirect", "possibly lost": "possible",
         "still reachable": "reachable", "suppressed": "suppressed"}
LOSE = ("lose=100", "lose_other=200", "lose_pair=50", "lose_ten=30", "keep=70", "keep_interior=60",
        "exit=7")
GROUP = re.compile(r"(\d+) bytes? in (\d+) blocks?(?: \((\d+) in (\d+) directly, (\d+) in (\d+) "
                   r"indirectly\))? ([a-z]+ [a-z]+) \[\d+ of (\d+)\]")
TOTAL = re.compile(r" +([a-z ]+): (\d+) bytes? in (\d+) blocks?")
REST = re.compile(r"\.\.\. and (\d+) more groups?, (\d+) bytes? in (\d+) blocks?")
RULE = re.compile(r" *(\d+) +(\d+) (\S+)")


def amount(size, blocks):
    return {"bytes": int(size), "blocks": int(blocks)}


# --- what the text says, as JSON has it -----------------------------------------------------------

def group_of(found, body):
    own = found.groups()[2:6] if found[3] else (found[1], found[2], 0, 0)
    cache = re.match(r"    (kmalloc-\w+|\d+ pages)$", body[0]) if body else None
    return {"kind": KINDS[found[7]], **amount(found[1], found[2]), "direct": amount(*own[:2]),
            "indirect": amount(*own[2:]), "cache": cache and cache[1],
            "frames": [frame[1:] for frame in frames("\n".join(body))],
            "objects": [line.split()[1].strip(",") for line in body
                        if line.startswith("    at 0x")]}


def read_text(text):
    groups, totals, rules, rest = [], {}, [], amount(0, 0) | {"groups": 0}
    for part in text.split("\n\n"):
        lines = part.split("\n")
        for line in lines:
            if found := TOTAL.fullmatch(line):
                totals[KINDS[found[1]]] = amount(*found.groups()[1:])
            if found := RULE.fullmatch(line):
                rules.append((int(found[2]), int(found[1]), found[3]))
            if found := REST.match(line):
                rest = amount(*found.groups()[1:]) | {"groups": int(found[1])}
        if found := GROUP.fullmatch(lines[0]):
            groups.append(group_of(found, lines[1:]))
    leaked = re.search(r"^SUMMARY: \w+: (\d+) byte\(s\) leaked in (\d+) alloc", text, re.M)
    header = re.search(r"leak report of process (\d+), (.*)\n=== command: (.*)\n", text)
    return {"pid": int(header[1]), "exe": header[2], "command": header[3], "groups": groups,
            "totals": totals, "rules": rules, "rest": rest, "leaked": amount(*leaked.groups())}


def frame_of(frame, with_ids):
    """As bench.frames has one."""
    line = frame.get("line")
    module = frame.get("module", None if frame.get("function") else "?")
    return (frame["pc"][2:], frame.get("function"), frame.get("file"),
            None if line is None else str(line), module,
            frame["offset"][2:] if module else None, frame.get("build_id") if with_ids else None)


def simplified(report):
    """JSON without what the text does not tell."""
    groups = [{"kind": group["kind"], "bytes": group["bytes"], "blocks": group["blocks"],
               "direct": group["direct"], "indirect": group["indirect"],
               "cache": group.get("cache"),
               "frames": [frame_of(frame, not report["symbolized"]) for frame in group["frames"]],
               "objects": [one["address"] for one in group.get("objects", [])]}
              for group in report["groups"]]
    rules = [(rule["bytes"], rule["blocks"], rule["rule"].removeprefix("leak:"))
             for rule in report["suppressions"]]
    return {**{name: report[name] for name in ("pid", "exe", "command", "totals", "rest",
                                                "leaked")}, "groups": groups, "rules": rules}


# --- running --------------------------------------------------------------------------------------

class Written:
    """The reports of a run, by format."""

    def __init__(self, bench, *actions, conf="leaks=full", program="actions", formats=ALL):
        log = bench.folder() / "log"
        self.result = bench.act(*actions, program=program,
                                conf=f"{conf} leak_format={formats} log_path={log}")
        same(self.result.err, "")
        self.paths = {name: Path(f"{log}{suffix}") for name, suffix in SUFFIXES.items()}
        self.text = {name: path.read_text() for name, path in self.paths.items() if path.exists()}
        self.json = [json.loads(line) for line in self.text.get("json", "").splitlines()]


CONFS = ("leaks=1", "leaks=1 leak_show=reachable leak_objects=1", "leaks=full",
         "leaks=full leak_show=reachable leak_objects=1 leak_sort=blocks",
         "leaks=full leak_show=definite leak_groups=2", "leaks=full leak_groups=0",
         "leaks=full symbolize=0")


def runs(bench):
    rules = bench.file("leak:lose_ten\nstack:^*;lose_other\n")
    for conf in (*CONFS, f"leaks=full suppressions={rules}"):
        yield conf, Written(bench, *LOSE, conf=conf)


# --- JSON -----------------------------------------------------------------------------------------

def test_numbers_are_those_of_the_text(bench):
    for conf, written in runs(bench):
        report, = written.json
        got, want = simplified(report), read_text(written.text["text"])
        check(want["leaked"]["blocks"] >= 3, conf, "the test's own: too little is lost")
        same(set(want["totals"]), set(KINDS.values()), conf)
        for name, value in want.items():
            same(got[name], value, conf, name)


def test_guarded_objects(bench):
    """They are lost as others are; their bytes are the program's own."""
    for conf in ("leaks=1 leak_objects=1", "leaks=full leak_objects=1"):
        written = Written(bench, "lose_guarded=65536", conf=conf)
        group, = written.json[0]["groups"]
        same([found["first_bytes"] for found in group["objects"]], [""], conf)
        check("(not to be read)" in written.text["text"], conf, written.text["text"])


def strictly(schema):
    """A copy that forbids members that it does not name."""
    if isinstance(schema, list):
        return [strictly(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    strict = {name: strictly(part) for name, part in schema.items()}
    if "properties" in schema:
        strict["additionalProperties"] = False
    return strict


def validator():
    try:
        from jsonschema.validators import validator_for
    except ImportError:
        raise Skipped("apt-get install python3-jsonschema") from None
    schema = json.loads((TOOLS / "schema" / "leaks-1.schema.json").read_text())
    validator_for(schema).check_schema(schema)
    return validator_for(schema)(strictly(schema))


def test_schema(bench):
    """Whatever is written is in it; so is whatever it demands, or reports differ from it."""
    checker = validator()
    seen = None
    for conf, written in runs(bench):
        report, = written.json
        for error in checker.iter_errors(report):
            check(False, conf, error.json_path, error.message)
        seen = report
    for name in seen:
        broken = copy.deepcopy(seen)
        del broken[name]
        check(not checker.is_valid(broken), name, "may be missing")
    check(not checker.is_valid(seen | {"version": 2}), "another version")
    check(not checker.is_valid(seen | {"other": 0}), "what is not documented")


SAMPLED = re.compile(r"about (\d+) \+- (\d+) bytes in about (\d+) blocks? \((\d+) in the sample\)")


def test_samples(bench):
    """Estimates are the same in all formats, and in the schema."""
    written = Written(bench, program="samples", conf="leaks=sample:100K")
    report, = written.json
    for error in validator().iter_errors(report):
        check(False, error.json_path, error.message)
    same((report["mode"], report["sample_bytes"]), ("sample", 102400))
    same([(group["bytes"], group["estimate"]["error_bytes"], group["blocks"],
           group["estimate"]["samples"]) for group in report["groups"]],
         [tuple(map(int, found)) for found in SAMPLED.findall(written.text["text"])])
    check(len(report["groups"]) == 8, report)
    total = sum(group["bytes"] for group in report["groups"])
    same(sum(int(line.split()[-1]) for line in written.text["collapsed"].splitlines()), total)
    check(f": {total} [" in written.text["heap_v2"].split("\n")[1], written.text["heap_v2"][:200])


ODD = (b'q"u\\o\x01\x7f\t\n;\xff \xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\xed\xa0\x80\xc0\xaf'
       b'\xf4\x90.\xe2\x82')
ODD_TEXT = ('q"u\\o\x01\x7f\t\n;\ufffd \u00e4\u20ac\U0001f600\ufffd\ufffd\ufffd\ufffd\ufffd'
            '\ufffd\ufffd.\ufffd\ufffd')


def odd_run(bench, formats, *flags):
    """A program and a source file with all that a name may have in it. flags: of the linker."""
    folder = os.fsencode(bench.folder())
    source, program = folder + b"/" + ODD + b".c", folder + b"/" + ODD
    Path(os.fsdecode(source)).write_text(
        "#include <stdlib.h>\n"
        "static __attribute__((noinline)) void lose(void)\n"
        "{\n\tvoid *volatile lost = malloc(1234);\n\n\tlost = NULL;\n}\n"
        "int main(void)\n{\n\tlose();\n\tlose();\n\treturn 0;\n}\n")
    subprocess.run(["gcc", "-g", "-O1", "-fno-builtin", *flags, source, "-o", program],
                   check=True)
    log = folder + b"/log"
    result = bench.run(program, b'a"b\\', ODD, conf=f"leaks=full leak_format={formats} "
                       f"log_path={os.fsdecode(log)}")
    same((result.status, result.err), (0, ""))
    return Path(os.fsdecode(log)), os.fsdecode(folder)


def test_odd_names(bench):
    log, folder = odd_run(bench, "json")
    report = json.loads(log.read_bytes().decode())
    same(report["exe"], f"{folder}/{ODD_TEXT}")
    arguments = "".join(" " if c < " " else c for c in ODD_TEXT)
    same(report["command"], f'{folder}/{arguments} a"b\\ {arguments}')
    frame = report["groups"][0]["frames"][1]
    same((frame["function"], frame["file"], frame["module"]),
         ("lose", f"{folder}/{ODD_TEXT}.c", f"{folder}/{ODD_TEXT}"))
    same(list(validator().iter_errors(report)), [])


# --- stacks ---------------------------------------------------------------------------------------

def collapsed_of(group):
    names = [frame.get("function") or "{}+{}".format(Path(frame.get("module", "?")).name,
                                                     frame["offset"])
             for frame in reversed(group["frames"])]
    line = ";".join(names) or group.get("cache") or "(no stack)"
    return f"{re.sub(r'[ ]', '_', line)} {group['bytes']}"


def test_collapsed(bench):
    for conf, written in runs(bench):
        report, = written.json
        lines = [collapsed_of(group) for group in report["groups"]]
        rest = report["rest"]
        if rest["groups"]:
            lines.append(f"({rest['groups']}_more_group{'s' if rest['groups'] > 1 else ''}) "
                         f"{rest['bytes']}")
        same(written.text["collapsed"].splitlines(), lines, conf)


def test_collapsed_separators(bench):
    """What is between functions is nowhere else."""
    text = Written(bench, program="names", formats="text+collapsed").text["collapsed"]
    check(len(text.splitlines()) > 1 and ";operator_new 350\n" in text, text)
    for line in text.splitlines():
        check(re.fullmatch(r"[^ ;]+(;[^ ;]+)* \d+", line), line)
        same(line.split(";")[:2], ["main", "lose_all()"])
    log, _ = odd_run(bench, "collapsed")
    same(log.read_text(), "main;lose;malloc 1234\n" * 2)
    log, _ = odd_run(bench, "collapsed", "-s")
    for line in log.read_bytes().splitlines():
        check(re.fullmatch(rb"[^ ;]+(;[^ ;]+)* \d+", line), line)
        name = re.sub(rb"[\0- ]", b"_", ODD).replace(b";", b":")
        check(re.search(re.escape(name) + rb"\+0x\w+;malloc 1234", line), line)


def test_deep_stacks(bench):
    """64 frames, which is all that is kept: whole in each format."""
    written = Written(bench, *["lose_deep=50"] * 2)
    report, = written.json
    check(len(report["groups"][0]["frames"]) > 10, report)
    check(all(line.count(";") > 10 for line in written.text["collapsed"].splitlines()))


# --- profiles -------------------------------------------------------------------------------------

AMOUNT = r"(\d+): (\d+) \[\1: \2\]"
HEAP_V2 = re.compile(rf"heap_v2/0\n  t\*: {AMOUNT}\n((?:@(?: 0x[0-9a-f]+)+\n  t\*: .*\n)*)\n"
                     r"MAPPED_LIBRARIES:\n(.+)", re.S)
PPROF = re.compile(rf"heap profile: {AMOUNT} @ heapprofile\n((?:.* @(?: 0x[0-9a-f]+)+\n)*)\n"
                   r"MAPPED_LIBRARIES:\n(.+)", re.S)


def samples_of(body):
    """(blocks, bytes, addresses) of every stack, of either format."""
    for one, two in re.findall(rf"@((?: 0x\w+)+)\n  t\*: (.*)\n", body) or [
            (line.split("@")[1], line.split("@")[0].strip()) for line in body.splitlines()]:
        found = re.fullmatch(AMOUNT, two)
        yield int(found[1]), int(found[2]), [int(pc, 16) for pc in one.split()]


def test_profiles(bench):
    for conf, written in runs(bench):
        report, = written.json
        groups, rest = report["groups"], report["rest"]
        whole = tuple(sum(group[what] for group in groups) + rest[what]
                      for what in ("blocks", "bytes"))
        found = {name: pattern.fullmatch(written.text[name])
                 for name, pattern in (("heap_v2", HEAP_V2), ("pprof", PPROF))}
        for name, match in found.items():
            check(match, conf, name, written.text[name][:2000])
            same((int(match[1]), int(match[2])), whole, conf, name)
            check(re.search(rf"^\S+ r-xp .* {bench.work}/actions$", match[4], re.M), "maps")
            samples = list(samples_of(match[3]))
            same(len(samples), len(groups) + rest["groups"], "groups that are not listed, too")
            for group, (blocks, size, pcs) in zip(groups, samples):
                same((blocks, size), (group["blocks"], group["bytes"]), conf, name)
                check(not group["frames"] or int(group["frames"][1]["pc"], 16) == pcs[0], group)
        same(*(list(samples_of(match[3])) for match in found.values()))


def read_profile(tool, program, profile):
    """Total, and the functions by their own bytes."""
    out = subprocess.run([tool, "--text", "--show_bytes", program, profile], check=True,
                         capture_output=True, text=True).stdout.splitlines()
    return (re.fullmatch(r"Total: (\d+) B", out[0])[1],
            [(line.split()[0], line.split()[-1]) for line in out[1:] if line.split()[0] != "0"])


def test_readers_of_profiles(bench):
    """They tell of the program's own functions, to the byte: also of blocks of one."""
    actions = ("lose=300", "lose_ten=1", "lose_other=200", "exit=7")
    written = Written(bench, *actions)
    same(written.json[0]["leaked"], amount(510, 12))
    for tool, package, name in (("jeprof", "libjemalloc-dev", "heap_v2"),
                                ("jeprof", "libjemalloc-dev", "pprof"),
                                ("google-pprof", "google-perftools", "pprof")):
        path = needs(tool, package)
        total, functions = read_profile(path, bench.work / "actions", written.paths[name])
        same(total, "510", tool, name)
        same(functions, [("300", "lose_one"), ("200", "lose_other"), ("10", "lose_ten")], tool)


# --- where they go --------------------------------------------------------------------------------

def test_one_format_goes_to_the_log_itself(bench):
    for name, begin in (("text", "=== stitchmalloc"), ("json", '{"schema":'),
                        ("collapsed", "main;"), ("heap_v2", "heap_v2/0\n"),
                        ("pprof", "heap profile: ")):
        written = Written(bench, "lose=100", "exit=7", formats=name)
        folder = written.paths["text"].parent
        same([path.name for path in folder.iterdir()], ["log"], name)
        check(written.text["text"].startswith(begin), name, written.text["text"])
        result = bench.act("lose=100", "exit=7", conf=f"leaks=full leak_format={name}")
        same(result.status, 7)
        check(result.err.startswith(begin), name, "to standard error", result)


def test_several_formats_without_a_log(bench):
    """There is one place: for the text, if it is among them."""
    for formats, begin in (("json+text", "=== stitchmalloc"), ("pprof+json", '{"schema":')):
        result = bench.act("lose=100", "exit=7", conf=f"leaks=full leak_format={formats}")
        lines = result.lines("^stitchmalloc: ")
        same((result.status, len(lines)), (7, 1), result)
        check("log_path=FILE" in lines[0], lines)
        check(result.err.replace(lines[0] + "\n", "").startswith(begin), result)
        same(result.err.count("heap profile:") + result.err.count('"schema"'),
             0 if "text" in formats else 1, result)


def test_logs_that_cannot_be_written(bench):
    log = bench.folder() / "log"
    Path(f"{log}.json").mkdir()
    result = bench.act("lose=100", "exit=7",
                       conf=f"leaks=full leak_format=text+json log_path={log}")
    same((result.status, result.lines("^stitchmalloc: ")),
         (7, [f"stitchmalloc: leak report: cannot write to log_path={log}.json: Is a directory"]))
    same(result.err.count("\n"), 1, "the text is in the log")
    check("SUMMARY" in log.read_text(), log)
    result = bench.act("lose=100", "exit=7",
                       conf="leaks=full leak_format=text+json log_path=/no/such/folder/log")
    same((result.status, len(result.lines("cannot write to log_path=")), len(result.reports)),
         (7, 2, 1), result)
    result = bench.act("lose=100", "exit=7", conf="leaks=full leak_format=json log_path=/dev/full")
    same((result.status, len(result.lines("not all could be written"))), (7, 1), result)


def test_names_of_logs(bench):
    """% is the same for all; each process adds its own, profiles are replaced."""
    folder = bench.folder()
    result = bench.act("lose=100", "fork=200", "exit=7",
                       conf=f"leaks=full leak_format={ALL} log_path={folder}/%e.%p")
    same((result.status, result.err), (7, ""))
    check({f"actions.{result.pid}{suffix}" for suffix in SUFFIXES.values()} <
          {path.name for path in folder.iterdir()}, list(folder.iterdir()))
    same(len(list(folder.iterdir())), 2 * len(SUFFIXES))
    written = Written(bench, "lose=100", "fork=200", "exit=7")
    same([report["leaked"]["bytes"] for report in written.json], [300, 100], "child and parent")
    same(len(written.text["collapsed"].splitlines()), 3)
    same(written.text["heap_v2"].count("heap_v2/"), 1)
    check(HEAP_V2.fullmatch(written.text["heap_v2"])[2] == "100", "the last one")


def test_nothing_lost(bench):
    written = Written(bench, "keep=70", "exit=7")
    same((written.result.status, written.text), (7, {}))
    written = Written(bench, "keep=70", "exit=7", conf="leaks=full leak_print=always")
    same((written.json[0]["groups"], written.json[0]["totals"]["reachable"]["blocks"] > 0,
          written.text["collapsed"]), ([], True, ""))
    check(HEAP_V2.fullmatch(written.text["heap_v2"]), written.text["heap_v2"][:200])


def test_one_piece(bench):
    """Of a socket whose messages are what was written at once."""
    for name in ("json", "collapsed", "heap_v2", "pprof"):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours, theirs:
            result = bench.act(*LOSE, stderr=theirs,
                               conf=f"leaks=full leak_format={name} leak_show=reachable")
            theirs.close()
            pieces = [piece for piece in iter(lambda: ours.recv(1 << 20), b"") if piece]
        same((result.status, len(pieces)), (7, 1), name)
        check(len(pieces[0]) > 1024 or name == "collapsed", "the test's own: too short", name)


def test_reports_at_the_same_time(bench):
    """In one file, each is whole."""
    log = bench.folder() / "log"
    actions = [f"{name}=50"
               for name in ("lose", "lose_other", "lose_ten", "lose_pair", "lose_deep")]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for _ in range(6):
            pool.submit(bench.act, *actions, "exit=7", conf="leaks=full leak_objects=1 "
                        f"leak_format=json+collapsed log_path={log}")
    lines = Path(f"{log}.json").read_text().splitlines()
    same(len(lines), 6)
    same({len(json.loads(line)["groups"]) for line in lines}, {len(actions)})
    check(len(lines[0]) > 4096, "the test's own: too short to be in pieces")
    same(len(Path(f"{log}.collapsed").read_text().splitlines()), 6 * len(actions))


def test_launcher(bench):
    def launch(*flags):
        return bench.run(bench.launcher, "run", "--lib", bench.library, "--leaks=full", *flags,
                         "--", str(bench.work / "actions"), "lose=100", "exit=7", preloaded=False)

    folder = bench.folder()
    same(launch("--format=text,json,pprof", f"--log={folder}/log").err, "")
    same({path.name for path in folder.iterdir()}, {"log", "log.json", "log.pprof"})
    same(json.loads(launch("--format=json").err)["leaked"], amount(100, 1))
    result = launch("--format=json,xml")
    same((result.status, len(result.reports)), (7, 1), "not a reason to run nothing")
    check("text|json|collapsed|heap_v2|pprof" in result.err, result)
    same((launch("--format").status, launch("--format=").status), (2, 2))


# --- flame graphs ---------------------------------------------------------------------------------

def flamegraph(bench, *arguments, **more):
    process = subprocess.run([bench.launcher, "flamegraph", *map(str, arguments)],
                             capture_output=True, check=False, **more)
    if b"built without jansson" in process.stderr:
        raise Skipped("apt-get install libjansson-dev, and build again")
    return process


class Page:
    """Parsed, as XML: its frames as (depth, left, width, bytes, name, title), and its stacks."""

    def __init__(self, data):
        self.source = data.decode()
        self.root = ElementTree.fromstring(data)
        self.frames = [self.frame_of(box) for box in self.root.iter("div")
                       if box.get("class") == "f"]
        self.stacks = [[item.text.strip() for item in stack.iter("li")]
                       for stack in self.root.iter("details")]

    @staticmethod
    def frame_of(box):
        style = dict(part.split(":") for part in box.get("style").split(";") if part)
        depth = int(box.get("data-depth"))
        same(style["top"], f"{20 * depth}px")
        return (depth, float(style["left"].rstrip("%")), float(style["width"].rstrip("%")),
                int(box.get("data-bytes")), box.text, box.get("title"))

    def check_layout(self):
        """Each frame lies below its caller, behind its brothers, as wide as its bytes say."""
        above, whole, end = [], self.frames[0], {}
        same(whole[:3], (0, 0.0, 100.0))
        for frame in self.frames:
            depth, left, width, size = frame[:4]
            same(f"{width:.3f}", f"{100 * size / whole[3]:.3f}", frame)
            del above[depth:]
            if above:
                same(above[-1][0], depth - 1, frame)
                check(left >= above[-1][1] - 1e-4 and
                      left + width <= above[-1][1] + above[-1][2] + 1e-4, frame, above[-1])
                same(f"{left:.3f}", f"{end.get(depth, above[-1][1]):.3f}", frame)
            end = {deep: where for deep, where in end.items() if deep <= depth}
            end[depth] = left + width
            above.append(frame)

    def check_alone(self):
        """Nothing is asked of other files."""
        for element in self.root.iter():
            check(not {"src", "href", "data", "action"} & set(element.attrib), element.attrib)
        check(not re.search(r"https?:|@import|url\(|import\(|fetch|XMLHttp", self.source), "a link")


def page_of(bench, *arguments, **more):
    process = flamegraph(bench, *arguments, "-o", "-", **more)
    same((process.returncode, process.stderr), (0, b""))
    page = Page(process.stdout)
    page.check_layout()
    page.check_alone()
    return page


def tree_of(lines):
    """Bytes of each prefix of collapsed stacks."""
    tree = {}
    for line in lines:
        stack, size = line.rsplit(" ", 1)
        names = stack.split(";")
        for i in range(len(names) + 1):
            tree[tuple(names[:i])] = tree.get(tuple(names[:i]), 0) + int(size)
    return tree


def tree_of_page(page):
    tree, path = {}, []
    for depth, _, _, size, name, _ in page.frames:
        path[max(depth - 1, 0):] = [name] if depth else []
        tree[tuple(path)] = tree.get(tuple(path), 0) + size
    return tree


def test_flamegraph(bench):
    """The same picture of both formats: that of the collapsed stacks."""
    written = Written(bench, *LOSE, conf="leaks=full leak_show=definite leak_groups=2")
    lines = written.text["collapsed"].splitlines()
    page = page_of(bench, written.paths["collapsed"])
    same(tree_of_page(page), tree_of(lines))
    same(sorted(";".join(reversed(stack)) for stack in page.stacks),
         sorted({line.rsplit(" ", 1)[0] for line in lines}))
    page = page_of(bench, written.paths["json"])
    report, = written.json
    same(tree_of_page(page), tree_of([*map(collapsed_of, report["groups"]),
                                      "({groups} more groups) {bytes}".format(**report["rest"])]))
    title = next(frame[5] for frame in page.frames if frame[4] == "lose_ten")
    check(re.fullmatch(r"lose_ten\n\S+/actions.c:\d+\n\S+/actions\n300 bytes \([\d.]+ %\) in "
                       r"10 blocks", title), title)


def test_flamegraph_of_kinds_and_processes(bench):
    written = Written(bench, *LOSE, conf="leaks=full leak_show=reachable leak_groups=1000")
    page = page_of(bench, written.paths["json"])
    report, = written.json
    for kind in ("definite", "possible", "reachable"):
        size = sum(group["bytes"] for group in report["groups"] if group["kind"] == kind)
        same(tree_of_page(page)[(kind,)], size, kind)
    check(f"process {report['pid']}" in page.root.find(".//h1").text, "the title")
    written = Written(bench, "lose=100", "fork=200", "exit=7")
    tree = tree_of_page(page_of(bench, written.paths["json"]))
    same({path[0]: size for path, size in tree.items() if len(path) == 1},
         {f"actions [{report['pid']}]": report["leaked"]["bytes"] for report in written.json})
    written = Written(bench, "lose=100", "exit=7", conf="leaks=1")
    same(tree_of_page(page_of(bench, written.paths["json"])),
         tree_of(["kmalloc-112 112"]), "sizes, without stacks")


def test_flamegraph_of_odd_names(bench):
    log, folder = odd_run(bench, "json")
    page = page_of(bench, log)
    title = next(frame[5] for frame in page.frames if frame[4] == "lose")
    shown = "".join("?" if c < " " or c == "\x7f" else c for c in ODD_TEXT)
    same(title.split("\n")[1:3], [f"{folder}/{shown}.c:4", f"{folder}/{shown}"])
    page = page_of(bench, "-", input=b"<b>&\"'];]]></style>;\xff\x01 7\n")
    same(len(page.frames), 4)
    same([frame[4] for frame in page.frames][1:3], ["<b>&\"']", "]]></style>"])


def test_flamegraph_of_nothing(bench):
    written = Written(bench, "keep=70", "exit=7", conf="leaks=full leak_print=always")
    for name in ("json", "collapsed"):
        process = flamegraph(bench, written.paths[name], "-o", "-")
        same(process.returncode, 0, process.stderr)
        same([frame[3:5] for frame in Page(process.stdout).frames], [(0, "all")])


def test_flamegraph_files(bench):
    """Where the page goes; what is no report, or of another version."""
    written = Written(bench, "lose=100", "exit=7")
    page = written.paths["json"].with_name("log.json.html")
    process = flamegraph(bench, written.paths["json"])
    same((process.returncode, process.stdout.decode()), (0, f"{page}\n"))
    other = bench.folder() / "page"
    same(flamegraph(bench, written.paths["json"], "-o", other).stdout.decode(), f"{other}\n")
    same(other.read_bytes(), page.read_bytes())
    same(flamegraph(bench, "-", input=written.paths["json"].read_bytes()).stdout, page.read_bytes())
    for text, said in ((written.text["text"], "leak_format=json or collapsed"), ("main", "number"),
                       ("a;b x\n", "number"), ('{"schema":', "end"), ('{"pid":1}', "schema"),
                       (written.text["json"].replace('"version":1', '"version":2'), "version")):
        process = flamegraph(bench, bench.file(text), "-o", other)
        same(process.returncode, 125, text[:50])
        check(said in process.stderr.decode(), said, process.stderr)
    same(other.read_bytes(), page.read_bytes(), "is left alone")
    same(flamegraph(bench, "/no/file").returncode, 125)
    same(flamegraph(bench, written.paths["json"], "-o", "/no/folder/page").returncode, 125)
    same(flamegraph(bench, written.paths["json"], "-o", "/dev/full").returncode, 125)
    for wrong in ((), ("-o", other), (other, other), (other, "-o"), (other, "-x"), ("",)):
        same(flamegraph(bench, *wrong).returncode, 2, wrong)
    process = flamegraph(bench, "--help")
    check(process.returncode == 0 and b"usage: stitchmalloc flamegraph" in process.stdout)


if __name__ == "__main__":
    sys.exit(main(__doc__, globals()))
