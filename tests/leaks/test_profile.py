#!/usr/bin/python3
"""Allocation profiles: what report/places.c allocates, place by place, in every format.

usage: test_profile.py LIBRARY LAUNCHER [WORKDIR] [-k NAME]... [-j N]

As test_report.py.
"""
import json
import math
import re
import subprocess
import sys
from pathlib import Path

from report.bench import Skipped, check, main, same

TOOLS = Path(__file__).resolve().parents[2] / "tools"
MIB = 1 << 20
# Function: calls, bytes in all, bytes and blocks live at the end.
PLACES = {
    "keep": (1000, 100 * 1000, 100 * 1000, 1000),
    "peak": (200, 200 * 10000, 0, 0),
    "churn": (50000, 50000 * 64, 0, 0),
    "grow": (1024, sum(range(1024, MIB + 1, 1024)), 0, 0),
    "refuse": (1, 500, 500, 1),
}
SAMPLE = 4096


def profiles(bench, *arguments, conf, formats="json", status=7):
    log = bench.folder() / "profile"
    result = bench.run(str(bench.work / "places"), *arguments,
                       conf=f"{conf} leak_format={formats} profile_path={log} leak_groups=1000")
    same((result.status, result.err), (status, ""))
    return log


def places_of(bench, *arguments, conf="profile=full"):
    """A profile for each process; of it, each place of ours by its function."""
    for line in profiles(bench, *arguments, conf=conf).read_text().splitlines():
        report = json.loads(line)
        groups = {}
        for group in report["groups"]:
            names = [frame.get("function") for frame in group["frames"][:2]]
            if len(names) == 2 and names[1] in PLACES:
                groups.setdefault(names[1], []).append(group)
        yield report, groups


def added(groups, name, unit):
    return sum(group[name][unit] for group in groups)


def check_exactly(groups, times=1, but=()):
    """grow starts by malloc, which realloc is then: one place or two."""
    for function, (calls, size, live, blocks) in PLACES.items():
        if function in but:
            continue
        ours = groups[function]
        same([added(ours, "allocated", "blocks"), added(ours, "allocated", "bytes"),
              added(ours, "live", "bytes"), added(ours, "live", "blocks")],
             [times * calls, times * size, times * live, times * blocks], function)


def check_sums(report):
    """Totals are those of the groups and the rest."""
    for name in ("peak", "live", "allocated"):
        for unit in ("bytes", "blocks"):
            same(added(report["groups"], name, unit) + report["rest"][name][unit],
                 report["totals"][name][unit], name, unit)


def test_every_allocation(bench):
    (report, groups), = places_of(bench)
    check_exactly(groups)
    check_sums(report)
    same((report["mode"], report["schema"], report["version"]),
         ("full", "stitchmalloc-profile", 1))


def test_peak(bench):
    """The program has most in peak(), when keep's blocks are there; within 1 %."""
    (report, groups), = places_of(bench)
    same(groups["keep"][0]["peak"], {"bytes": 100000, "blocks": 1000})
    at_peak = groups["peak"][0]["peak"]["bytes"]
    check(0.98 * 2000000 <= at_peak <= 2000000, at_peak)
    same(added(groups["churn"] + groups["grow"] + groups["refuse"], "peak", "bytes"), 0)
    check(report["totals"]["peak"]["bytes"] >= at_peak + 100000, report["totals"])


def test_threads(bench):
    (report, groups), = places_of(bench, "threads")
    check_exactly(groups, times=8, but=("refuse",))
    check_sums(report)


def test_fork(bench):
    """The child goes on with what its parent had counted, and reports for itself."""
    child, parent = places_of(bench, "fork")
    check(child[0]["pid"] != parent[0]["pid"], "one process has reported twice")
    check_exactly(parent[1])
    check_exactly(child[1], but=("peak",))
    same(added(child[1]["peak"], "allocated", "blocks"), 2 * PLACES["peak"][0])


def test_no_children(bench):
    (_, groups), = places_of(bench, "fork", conf="profile=full children=0")
    check_exactly(groups)


def test_samples(bench):
    """Estimates, within six standard deviations."""
    for _ in range(3):
        (report, groups), = places_of(bench, conf=f"profile=sample:{SAMPLE}")
        same((report["mode"], report["sample_bytes"]), ("sample", SAMPLE))
        check_sums(report)
        for function, (calls, size, live, _) in PLACES.items():
            if function == "refuse":
                continue
            nr = calls * -math.expm1(-size / calls / SAMPLE)
            error = 6 / math.sqrt(nr)
            ours = groups[function]
            samples = sum(group["samples"] for group in ours)
            check(abs(samples - nr) <= 6 * math.sqrt(nr) + 1, function, samples, nr)
            for name, truth in (("allocated", size), ("live", live)):
                got = added(ours, name, "bytes")
                check(abs(got - truth) <= error * truth + 1, function, name, got, truth, error)


def test_leaks_beside(bench):
    """Both reports, each in its own file; leaks=1 has stacks then."""
    log = bench.folder() / "leaks"
    (_, groups), = places_of(bench, conf=f"profile=full leaks=1 leak_show=reachable log_path={log}")
    check_exactly(groups)
    leaks = json.loads(log.read_text())
    same(leaks["mode"], "full")
    kept, = (group for group in leaks["groups"]
             if "keep" in [frame.get("function") for frame in group["frames"]])
    same((kept["bytes"], kept["blocks"]), (100000, 1000))


def test_schema(bench):
    try:
        from jsonschema.validators import validator_for
    except ImportError:
        raise Skipped("apt-get install python3-jsonschema") from None
    schema = json.loads((TOOLS / "schema" / "profile-1.schema.json").read_text())
    validator_for(schema).check_schema(schema)
    schema["additionalProperties"] = schema["$defs"]["group"]["additionalProperties"] = False
    checker = validator_for(schema)(schema)
    for conf in ("profile=full", "profile=sample:1K", "profile=full symbolize=0"):
        for line in profiles(bench, conf=conf).read_text().splitlines():
            report = json.loads(line)
            for error in checker.iter_errors(report):
                check(False, conf, error.json_path, error.message)
            for name in schema["required"]:
                check(not checker.is_valid({key: value for key, value in report.items()
                                            if key != name}), name, "may be missing")


def test_sort(bench):
    """What is sorted by is what collapsed stacks have."""
    for sort, path in (("peak", ("peak", "bytes")), ("live", ("live", "bytes")),
                       ("total", ("allocated", "bytes")), ("calls", ("allocated", "blocks"))):
        log = profiles(bench, conf=f"profile=full profile_sort={sort}",
                       formats="text+json+collapsed")
        report = json.loads(Path(f"{log}.json").read_text())
        numbers = [group[path[0]][path[1]] for group in report["groups"]]
        same(numbers, sorted(numbers, reverse=True), sort)
        lines = Path(f"{log}.collapsed").read_text().splitlines()
        same([int(line.split()[-1]) for line in lines], numbers, sort)


def test_text(bench):
    log = profiles(bench, conf="profile=full profile_sort=calls", formats="text")
    text = log.read_text()
    check(re.search(r"^0 bytes in 0 blocks at the peak, 0 in 0 at the end, 3200000 in 50000 calls "
                    r"in all \[1 of \d+\]\n"
                    r"    #0 0x[0-9a-f]+ in malloc .*\n    #1 0x[0-9a-f]+ in churn ",
                    text, re.M), text)
    check(re.search(r"^SUMMARY: stitchmalloc: \d+ bytes in \d+ blocks at the peak, ", text,
                    re.M), text)


def test_heap_v2(bench):
    """Current and cumulative numbers of all places, as JSON has them."""
    log = profiles(bench, conf="profile=full", formats="json+heap_v2")
    totals = json.loads(Path(f"{log}.json").read_text())["totals"]
    live, allocated = totals["live"], totals["allocated"]
    same(Path(f"{log}.heap").read_text().splitlines()[1],
         f"  t*: {live['blocks']}: {live['bytes']} [{allocated['blocks']}: {allocated['bytes']}]")


def test_flamegraph(bench):
    log = profiles(bench, conf="profile=full", formats="json")
    page = bench.folder() / "page.html"
    subprocess.run([bench.launcher, "flamegraph", str(log), "-o", str(page)], check=True)
    text = page.read_text()
    total = json.loads(log.read_text())["totals"]["peak"]["bytes"]
    check(str(total) in re.sub(r"(?<=\d)[,' ](?=\d)", "", text), "no bytes of the peak", total)


def test_other_programs(bench):
    """exe= holds for profiles, too."""
    result = bench.run(str(bench.work / "places"), conf="profile=full exe=other")
    same((result.status, result.err), (7, ""))


def test_two_ends(bench):
    """A thread that ends the process meanwhile waits for the profile."""
    for _ in range(10):
        log = bench.folder() / "profile"
        result = bench.act("lose_deep=50", "load_and_close=./first.so", "exit_twice=7",
                           conf=f"profile=full profile_path={log}")
        check(result.status in (3, 7), result)
        check("\nSUMMARY: " in log.read_text(), log.read_text()[-1000:], result)


if __name__ == "__main__":
    sys.exit(main(__doc__, globals()))
