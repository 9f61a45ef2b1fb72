"""What the benchmark suite left in a folder: meta.json, NAME.json of each allocator, curves/.

Whatever is missing is missing: an allocator without a file, a row without an allocator, a file that
is cut off. `problems` has a line for each of those that somebody should know of.
"""
import functools
import json
import math
import re
import statistics
from dataclasses import dataclass, field
from pathlib import Path

import stats

NS = {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}
MICRO, PROGRAM, MEMORY = "micro", "program", "memory"
TIME, PEAK = "time", "peak_kib"
# Of Google Benchmark's entries, what is no measurement of ours, or no cost.
NO_COUNTERS = {"family_index", "per_family_instance_index", "repetitions", "repetition_index",
               "threads", "iterations", "real_time", "cpu_time", "items_per_second",
               "bytes_per_second"}
ADDED = re.compile(r"/(?:real_time|process_time|manual_time|repeats:\d+|iterations:\d+|"
                   r"min_(?:warmup_)?time:[\d.]+)(?=/|$)")
CONTROL = re.compile(r"^(timer|control|nothing|empty)(_|$)|_control$")


@dataclass
class Row:
    name: str
    group: str
    kind: str
    text: str

    @functools.cached_property
    def parts(self):
        """(operation, argument or None, threads or None)."""
        found = re.fullmatch(r"(.*?)(?:/(\d+))?(?:/threads:(\d+))?", self.name)
        return found[1], found[2] and int(found[2]), found[3] and int(found[3])

    @property
    def is_control(self):
        """It measures the instrument, not the allocator."""
        return bool(CONTROL.search(self.parts[0]))

    def order(self):
        operation, argument, threads = self.parts
        return operation, argument or 0, threads or 0


@dataclass
class Allocator:
    name: str
    path: str = ""
    version: str = ""
    package: str = ""
    context: dict = field(default_factory=dict)


@dataclass
class Curve:
    row: str
    name: str
    title: str
    label: str # of the x axis
    points: list # (x, RSS MiB, live MiB)


class Results:
    """The rounds by row, allocator and metric, and the comparisons of them."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.problems, self.values, self.labels, self.rows = [], {}, {}, []
        self.meta = self.read_json(self.folder / "meta.json") or {}
        listed = self.meta.get("allocators") or [
            {"name": path.stem} for path in sorted(self.folder.glob("*.json"))
            if path.name != "meta.json"]
        self.allocators = [Allocator(*(str(one.get(key) or "") for key in
                                       ("name", "path", "version", "package"))) for one in listed]
        self.names = [allocator.name for allocator in self.allocators]
        self.baseline = self.meta.get("baseline") or "jemalloc"
        self.ours = self.meta.get("ours") or "stitchmalloc"
        for name in (self.baseline, self.ours):
            if name not in self.names:
                self.problems.append(f"{name} is not among the allocators")
        for allocator in self.allocators:
            self.read_allocator(allocator)
        self.make_rows()
        self.curves = self.read_curves()

    # --- reading -----------------------------------------------------------------------------

    def read_json(self, path):
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            if isinstance(found, dict):
                return found
            self.problems.append(f"{path.name}: not an object")
        except OSError as error:
            self.problems.append(f"{path.name}: {error.strerror}")
        except ValueError as error:
            self.problems.append(f"{path.name}: not JSON: {error}")
        return None

    def read_allocator(self, allocator):
        found = self.read_json(self.folder / f"{allocator.name}.json") or {}
        allocator.context = found.get("context") or {}
        allocator.path = allocator.path or allocator.context.get("allocator_path", "")
        allocator.version = allocator.version or allocator.context.get("allocator_version", "")
        seen, errors = {}, {}
        for entry in found.get("benchmarks") or []:
            raw = entry.get("name")
            if not raw or entry.get("run_type", "iteration") != "iteration":
                continue
            name = ADDED.sub("", raw)
            if entry.get("error_occurred"):
                errors.setdefault(name, entry.get("error_message") or "it does not say why")
                continue
            number = entry.get("repetition_index", seen.get(name, 0))
            seen[name] = seen.get(name, 0) + 1
            self.add_entry(allocator.name, name, number, entry)
        for name, text in errors.items():
            self.problems.append(f"{allocator.name}: {name} failed: {text}")

    def add_entry(self, allocator, name, number, entry):
        self.labels.setdefault(name, entry.get("label") or "")
        metrics = self.values.setdefault(name, {}).setdefault(allocator, {})
        unit = NS.get(entry.get("time_unit", "ns"), 1)
        for key in ("real_time", "cpu_time"):
            if is_number(entry.get(key)):
                metrics.setdefault(key, {})[number] = entry[key] * unit
        for key, value in entry.items():
            if key not in NO_COUNTERS and is_number(value):
                metrics.setdefault(key, {})[number] = value

    def make_rows(self):
        """In the order of meta.json, with what it does not know at the end."""
        described = self.meta.get("rows") or {}
        keys = {ADDED.sub("", key): number for number, key in enumerate(described)}
        entries = list(described.values())
        groups = {}
        for entry in entries:
            groups.setdefault(entry.get("group") or "other", len(groups))
        rows, used = [], set()
        for name in self.values:
            key = self.described_by(name, keys)
            used.add(key)
            entry = entries[keys[key]] if key is not None else {}
            row = Row(name, entry.get("group") or "other", entry.get("kind") or MICRO,
                      entry.get("text") or self.labels[name])
            rows.append((groups.get(row.group, len(groups)), keys.get(key, len(keys)), row))
        for key, number in keys.items():
            if key in used:
                continue
            row = Row(key, entries[number].get("group") or "other",
                      entries[number].get("kind") or MICRO, entries[number].get("text") or "")
            rows.append((groups[row.group], number, row))
            self.problems.append(f"{key}: no allocator has this row")
        rows.sort(key=lambda item: (item[0], item[1], item[2].order()))
        self.rows = [row for _, _, row in rows]
        for row in self.rows:
            for metrics in self.values.get(row.name, {}).values():
                time = "real_time" if row.kind == MICRO else "cpu_time"
                if time in metrics:
                    metrics[TIME] = metrics[time]

    @staticmethod
    def described_by(name, keys):
        """The longest key that is the name, or the name without its last parts."""
        while name not in keys:
            name, slash, _ = name.rpartition("/")
            if not slash:
                return None
        return name

    def read_curves(self):
        curves = []
        for path in sorted(self.folder.glob("curves/*.csv")):
            stem = path.name[:-len(".csv")]
            names = [name for name in self.names if stem.endswith("." + name)]
            if not names:
                self.problems.append(f"curves/{path.name}: of no allocator")
                continue
            name = max(names, key=len)
            try:
                curves.append(read_curve(path, stem[:-len(name) - 1], name))
            except (OSError, ValueError) as error:
                self.problems.append(f"curves/{path.name}: {error}")
        return curves

    # --- asking ------------------------------------------------------------------------------

    @functools.cached_property
    def groups(self):
        """The rows by group."""
        groups = {}
        for row in self.rows:
            groups.setdefault(row.group, []).append(row)
        return groups

    @functools.cached_property
    def nr_rounds(self):
        """(fewest, most) rounds of a row and allocator."""
        counts = [len(metrics[TIME]) for row in self.values.values() for metrics in row.values()
                  if TIME in metrics]
        return (min(counts), max(counts)) if counts else (0, 0)

    @functools.cached_property
    def metrics(self):
        """All there are, time and peak first."""
        found = {key for row in self.values.values() for metrics in row.values() for key in metrics}
        return [TIME, PEAK] + sorted(found - {TIME, PEAK, "real_time", "cpu_time"},
                                     key=metric_order)

    @functools.cached_property
    def further(self):
        """Latencies and memory figures beside time and peak."""
        return [key for key in self.metrics[2:] if key.endswith("_ns") or "kib" in key]

    def rounds(self, row, name, metric):
        return self.values.get(row.name, {}).get(name, {}).get(metric) or {}

    def median(self, row, name, metric):
        """None: there is nothing."""
        rounds = self.rounds(row, name, metric)
        return statistics.median(rounds.values()) if rounds else None

    def interval(self, row, name, metric):
        return stats.sign_interval(list(self.rounds(row, name, metric).values()))

    @functools.cache
    def _compare(self, row_name, metric, name, base):
        rounds = [self.values.get(row_name, {}).get(one, {}).get(metric) for one in (name, base)]
        return stats.compare(*rounds) if all(rounds) else None

    def compare(self, row, metric, name, base=None):
        """None: one of the two has nothing there."""
        return self._compare(row.name, metric, name, base or self.baseline)

    @functools.cached_property
    def counted_rows(self):
        """Those that are of the allocators."""
        return [row for row in self.rows if not row.is_control]

    @functools.cached_property
    def twins(self):
        """Pairs of names of one and the same library: what differs between them is noise."""
        pairs = []
        for number, one in enumerate(self.allocators):
            pairs += [(one.name, other.name) for other in self.allocators[number + 1:]
                      if one.path and one.path == other.path]
        return pairs

    @functools.cached_property
    def others(self):
        """The names but ours; a library under two names is one other."""
        again = {first if second == self.baseline else second for first, second in self.twins}
        own = {name for pair in self.twins if self.ours in pair for name in pair}
        return [name for name in self.names
                if name != self.ours and name not in again and name not in own]


def metric_order(metric):
    """Percentiles by their number, and the worst after them."""
    found = re.fullmatch(r"p(\d+)_ns", metric)
    return (metric == "worst_ns", found is not None, found[1] if found else metric)


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


X_AXES = {"call": (1e-6, "millions of calls"), "day": (100, "percent of the day"),
          "work": (100, "percent of the work")}


def read_curve(path, row, name):
    """The CSV format of bench/shared/curve.c."""
    lines = path.read_text(encoding="utf-8").splitlines()
    comments = [line[1:].strip() for line in lines if line.startswith("#")]
    table = [line.split(",") for line in lines if line and not line.startswith("#")]
    if len(table) < 2 or table[0][0] not in X_AXES:
        raise ValueError("not a CSV file of bench/shared/curve.c, or no sample in it")
    heading = table[0]
    rss, live = heading.index("rss_bytes"), heading.index("live_bytes")
    scale, label = X_AXES[heading[0]]
    points = [(float(line[0]) * scale, float(line[rss]) / 2 ** 20, float(line[live]) / 2 ** 20)
              for line in table[1:] if len(line) == len(heading)]
    return Curve(row, name, comments[0] if comments else row, label, points)
