"""The results of bench/run as rows, and what may be said of two allocators in a row."""
import json
import math
import statistics

from scipy.stats import mannwhitneyu

ALPHA = 0.01
MIN_ROUNDS = 6  # for the test and for the intervals
SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}


class Comparison:
    """Of one figure of two allocators, smaller is better: the median of the rounds' ratios to the
    base, its interval (the sign test's; None with too few rounds), and the verdict."""

    def __init__(self, ratio, interval, verdict):
        self.ratio, self.interval, self.verdict = ratio, interval, verdict


def sign_interval(values):
    """The narrowest pair of order statistics that holds the median with at least 95 %."""
    ordered, n = sorted(values), len(values)
    best = None
    for k in range(1, n // 2 + 1):
        if 1 - 2 * sum(math.comb(n, i) for i in range(k)) / 2 ** n >= 0.95:
            best = ordered[k - 1], ordered[n - k]
    return best


def differ(values, base, alpha):
    """The two-sided Mann-Whitney test. Equal constants do not differ."""
    if min(len(values), len(base)) < MIN_ROUNDS or set(values) == set(base) == {values[0]}:
        return False
    return mannwhitneyu(values, base, alternative="two-sided").pvalue < alpha


def compare(figures, base, alpha=ALPHA):
    """figures, base: by round. Verdict: better, worse, same, or unknown (too few rounds)."""
    rounds = sorted(set(figures) & set(base))
    pairs = [(figures[number], base[number]) for number in rounds if base[number] > 0]
    if not pairs:
        return None
    ratios = [value / other for value, other in pairs]
    ratio = statistics.median(ratios)
    if len(rounds) < MIN_ROUNDS:
        return Comparison(ratio, None, "unknown")
    if not differ([figures[n] for n in rounds], [base[n] for n in rounds], alpha):
        verdict = "same"
    else:
        medians = [statistics.median(side[n] for n in rounds) for side in (figures, base)]
        verdict = "better" if medians[0] < medians[1] else "worse"
    return Comparison(ratio, sign_interval(ratios), verdict)


class Row:
    """One benchmark: of each allocator the figures by round. time: seconds; peak: bytes."""

    def __init__(self, name, group, kind, text):
        self.name, self.group, self.kind, self.text = name, group, kind, text
        self.time, self.peak, self.counters = {}, {}, {}

    def add(self, allocator, entry):
        number = entry["repetition_index"]
        key = "real_time" if self.kind == "micro" else "cpu_time"
        self.time.setdefault(allocator, {})[number] = entry[key] * SECONDS[entry["time_unit"]]
        if "peak_kib" in entry:
            self.peak.setdefault(allocator, {})[number] = entry["peak_kib"] * 1024
        for name, value in entry.items():
            if isinstance(value, (int, float)):
                self.counters.setdefault(name, {}).setdefault(allocator, {})[number] = value

    def parts(self):
        """Name without its numbers, argument or None, threads."""
        words = self.name.split("/")
        threads = [int(word[8:]) for word in words if word.startswith("threads:")]
        numbers = [int(word) for word in words[1:] if word.isdigit()]
        return words[0], numbers[0] if numbers else None, threads[0] if threads else 1


def median(figures):
    """Of the figures of one allocator by round; None: there are none."""
    return statistics.median(figures.values()) if figures else None


class Results:
    """A folder of bench/run."""

    def __init__(self, folder):
        self.folder = folder
        with open(f"{folder}/meta.json", encoding="utf-8") as file:
            self.meta = json.load(file)
        self.ours, self.baseline = self.meta["ours"], self.meta["baseline"]
        self.names = [allocator["name"] for allocator in self.meta["allocators"]]
        self.rows, self.contexts = {}, {}
        for name, about in self.meta["rows"].items():
            row = Row(name.replace("/real_time", ""), about["group"], about["kind"], about["text"])
            self.rows[name] = row
        for name in self.names:
            self.read(name)
        self.rows = {name: row for name, row in self.rows.items() if row.time}

    def read(self, allocator):
        with open(f"{self.folder}/{allocator}.json", encoding="utf-8") as file:
            result = json.load(file)
        self.contexts[allocator] = result["context"]
        for entry in result["benchmarks"]:
            self.rows[entry["name"]].add(allocator, entry)

    def groups(self):
        found = {}
        for row in self.rows.values():
            found.setdefault(row.group, []).append(row)
        return found

    def nr_rounds(self):
        return max((len(rounds) for row in self.rows.values() for rounds in row.time.values()),
                   default=0)

    def count(self, allocator, base, figure):
        """In how many rows the allocator is better, the same, worse, and not to be said."""
        counts = dict.fromkeys(("better", "same", "worse", "unknown"), 0)
        for row in self.rows.values():
            figures = getattr(row, figure)
            if allocator in figures and base in figures:
                found = compare(figures[allocator], figures[base])
                if found:
                    counts[found.verdict] += 1
        return counts

    def twins(self):
        """Pairs of allocators that are one library under two names."""
        with_path = [(a["path"], a["name"]) for a in self.meta["allocators"]]
        return [(first[1], second[1]) for i, first in enumerate(with_path)
                for second in with_path[i + 1:] if first[0] == second[0]]
