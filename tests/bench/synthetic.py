"""A made-up folder of the benchmark suite: six allocators, one of them twice, some 130 rows.

    synthetic.py DIR [ROUNDS]     write one there, to look at bench/suite/report.py's report of it
"""
import json
import math
import random
import sys
from pathlib import Path

LIBRARIES = "/usr/lib/x86_64-linux-gnu/"
ALLOCATORS = [
    ("stitchmalloc", "/build/release/libstitchmalloc.so", "0.9", "this tree"),
    ("jemalloc", LIBRARIES + "libjemalloc.so.2", "5.3.0", "libjemalloc2 5.3.0-1"),
    ("jemalloc-again", LIBRARIES + "libjemalloc.so.2", "5.3.0", "libjemalloc2 5.3.0-1"),
    ("glibc", LIBRARIES + "libc.so.6", "2.36", "libc6 2.36-9+deb12u14"),
    ("mimalloc", LIBRARIES + "libmimalloc.so.2.0", "2.0.9", "libmimalloc2.0 2.0.9+ds-2"),
    ("tcmalloc", LIBRARIES + "libtcmalloc_minimal.so.4", "2.10", "libtcmalloc-minimal4 2.10-1"),
]
NAMES = [name for name, _, _, _ in ALLOCATORS]
LATENCIES = {"p50_ns": 1, "p90_ns": 1.4, "p99_ns": 2.5, "p999_ns": 9, "p9999_ns": 300,
             "worst_ns": 60000}
PROGRAMS = ("python3", "python3-malloc", "perl", "lua", "sqlite3", "g++", "ghostscript", "git-gc",
            "redis", "redis-pipelined", "memcached", "db_bench")
TEXTS = {"malloc_free": "one block is allocated and freed, and not touched",
         "lives": "threads replace blocks of mixed sizes <&> lives",
         "timer_latency": "the timer alone"}


def sizes(first, last, times):
    while first <= last:
        yield first
        first *= times


def all_rows():
    """(name, group, kind, typical ns, typical KiB)."""
    for operation, last in (("malloc_free", 1 << 26), ("malloc_touch_free", 1 << 26),
                            ("calloc_free", 1 << 26), ("aligned_free", 1 << 26),
                            ("realloc_growth", 1 << 26)):
        for size in sizes(8, last, 4):
            yield f"{operation}/{size}", "sweep", "micro", 9 + size / 900, 4000 + size / 3000
    for name in ("64_in_order", "64_reverse", "64_shuffled", "mixed_in_order", "mixed_shuffled"):
        yield f"batch_{name}", "batch", "micro", 30, 5000
    for operation in ("lives", "requests", "shared_table"):
        for threads in (1, 2, 4, 8):
            yield (f"{operation}/threads:{threads}", "mix", "micro",
                   100 / min(threads, 2) ** 0.8, 9000 * threads)
    for size in (64, 1024, 16384):
        for threads in (2, 4):
            yield f"chain/{size}/threads:{threads}", "exchange", "micro", 300 + size, 5000
    for operation in ("malloc_latency", "free_latency"):
        for size in sizes(64, 65536, 4):
            yield f"{operation}/{size}", "latency", "micro", 90, 4900
        yield f"{operation}_mixed", "latency", "micro", 120, 4900
    yield "timer_latency", "latency", "micro", 60, 4900
    for name in ("calloc_huge", "churn_of_large", "medium_few_maps", "medium_many_maps"):
        yield name, "cliffs", "micro", 4e6, 40000
    for name in ("join_strings", "string_table", "sort_strings"):
        yield name, "strings", "micro", 600, 4000
    for depth in (10, 20):
        yield f"binary_trees/{depth}", "trees", "micro", 38000 * 2.0 ** (depth - 10), 70000
    yield "idle_threads", "threads", "micro", 7e7, 6400
    yield "thread_lives", "threads", "micro", 44000, 4300
    for name in PROGRAMS:
        yield name, "programs", "program", 1.8e9, 120000
    for name in ("server_day", "compressor", "trace_g++"):
        yield name, "memory", "memory", 4e9, 200000


def entry_name(name):
    """As Google Benchmark has it."""
    operation, slash, threads = name.partition("/threads:")
    if operation.split("/")[0] in ("free_latency", "malloc_latency", "idle_threads"):
        operation += "/iterations:1000000"
    return operation + "/real_time" + slash + threads


def entry(name, kind, number, nanoseconds, kib, random_):
    if kind == "micro":
        found = {"name": entry_name(name), "real_time": nanoseconds,
                 "cpu_time": nanoseconds * 0.98, "time_unit": "ns",
                 "label": TEXTS.get(name.split("/")[0], "")}
    else:
        found = {"name": name, "real_time": nanoseconds / 1e9, "cpu_time": nanoseconds / 9e8,
                 "time_unit": "s"}
    found.update(run_type="iteration", repetitions=1, repetition_index=number, threads=1,
                 iterations=1000, faults=max(0, random_.gauss(0.5, 0.3)) if kib > 5000 else 0,
                 peak_kib=round(kib / 4) * 4)
    if "latency" in name:
        found.update({key: factor * (28 if key != "worst_ns" else random_.uniform(20, 70))
                      * (1 if name.startswith("timer") else nanoseconds / 80)
                      for key, factor in LATENCIES.items()})
    if name == "idle_threads":
        found["kib_per_thread"] = kib / 1000
    return found


def context(path, version, name):
    return {"date": "2026-11-28T19:58:49+00:00", "host_name": "vm", "executable": "bench",
            "num_cpus": 2, "mhz_per_cpu": 2096, "caches": [], "load_avg": [1.0, 1.1, 1.2],
            "library_build_type": "debug", "allocator_path": path,
            "allocator_version": f"{name} {version}", "glibc": "2.36",
            "instructions_and_cycles": "not on this machine: perf_event_open: No such file",
            "kernel": "Linux 6.18.44", "max_map_count": "65530", "overcommit_memory": "0",
            "peak_of_each_row": "yes", "processor": "AMD EPYC", "scaling_governor": "unknown",
            "transparent_hugepage": "always [madvise] never"}


def write_meta(folder, rows, allocators=None):
    """`allocators`: as ALLOCATORS."""
    meta = {"title": "malloc: stitchmalloc beside others (synthetic)", "date": "2026-11-28",
            "options": {"rounds": 9, "seed": 5}, "baseline": "jemalloc", "ours": "stitchmalloc",
            "allocators": [dict(zip(("name", "path", "version", "package"), one))
                           for one in allocators or ALLOCATORS],
            "rows": {row[0]: {"group": row[1], "kind": row[2],
                              "text": TEXTS.get(row[0].split("/")[0], "")} for row in rows},
            "left_out": [{"what": "hoard", "why": "not in Debian 12 & <not> ours"}]}
    (folder / "meta.json").write_text(json.dumps(meta))


def write_allocator(folder, name, entries):
    _, path, version, _ = ALLOCATORS[NAMES.index(name)]
    (folder / f"{name}.json").write_text(json.dumps(
        {"context": context(path, version, name), "benchmarks": entries}))


def factors(random_, rows):
    """{(row, name): (of time, of memory)}; one and the same for both names of jemalloc."""
    found = {}
    habits = {"stitchmalloc": (-0.2, -0.1), "jemalloc": (0, 0), "glibc": (0.25, -0.15),
              "mimalloc": (-0.15, 0.1), "tcmalloc": (-0.05, 0.2)}
    for row in rows:
        for name, (time, memory) in habits.items():
            is_micro = row[2] == "micro"
            time_wide, memory_wide = (0.45, 0.12) if is_micro else (0.05, 0.15)
            found[row[0], name] = (
                math.exp((time if is_micro else time / 6) + random_.gauss(0, time_wide)),
                math.exp(memory + random_.gauss(0, memory_wide)) if name != "jemalloc" else 1)
        found[row[0], "jemalloc-again"] = found[row[0], "jemalloc"]
    # What is real: a large block that one keeps and the others give back each time.
    found["malloc_free/33554432", "stitchmalloc"] = 0.002, 1
    found["malloc_free/8388608", "glibc"] = 40, 1
    return found


def write_curves(folder, random_):
    (folder / "curves").mkdir()
    for row, column in (("server_day", "day"), ("trace_g++", "call,trace_ms,replay_ns")):
        for place, name in enumerate(NAMES):
            lines = [f"# {row}: a made-up day", f"# {name}", f"{column},live_bytes,rss_bytes"]
            rss = 0
            for step in range(1000):
                part = step / 999
                live = (100 + 80 * math.sin(math.pi * part * 3) ** 2) * 2 ** 20 * min(1, 9 * part)
                rss = max(live * (1.1 + 0.05 * place), rss * (0.985 + 0.002 * place))
                x = f"{part:.6f}" if column == "day" else f"{step * 5000},{step},{step}"
                lines.append(f"{x},{live:.0f},{rss * random_.uniform(1, 1.01):.0f}")
            (folder / "curves" / f"{row}.{name}.csv").write_text("\n".join(lines) + "\n")


def write(folder, rounds=9, seed=1, groups=None):
    """The rows' names; `groups`: only rows of those."""
    folder, random_ = Path(folder), random.Random(seed)
    folder.mkdir(exist_ok=True)
    rows = [row for row in all_rows() if not groups or row[1] in groups]
    write_meta(folder, rows)
    factor = factors(random_, rows)
    entries = {name: [] for name in NAMES}
    for name, _, kind, nanoseconds, kib in rows:
        noise = random_.choice((0.005, 0.01, 0.02, 0.06))
        for number in range(rounds):
            # A slow minute of the machine falls on all.
            slow = math.exp(abs(random_.gauss(0, noise)))
            for allocator in random_.sample(NAMES, len(NAMES)):
                time, memory = factor[name, allocator] if "timer" not in name else (1, 1)
                entries[allocator].append(entry(
                    name, kind, number, nanoseconds * time * slow * random_.gauss(1, noise),
                    kib * memory + random_.gauss(0, 6 if kind == "micro" else kib / 200),
                    random_))
    # Programs fail: one row of one allocator, and one with a message.
    entries["mimalloc"] = [one for one in entries["mimalloc"] if one["name"] != "redis"]
    entries["glibc"] = [one for one in entries["glibc"]
                        if not one["name"].startswith("calloc_huge")]
    entries["glibc"].append({"name": "calloc_huge/real_time", "run_type": "iteration",
                             "error_occurred": True, "error_message": "no memory"})
    for name in NAMES:
        write_allocator(folder, name, entries[name])
    write_curves(folder, random_)
    return [row[0] for row in rows]


if __name__ == "__main__":
    write(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 9)
