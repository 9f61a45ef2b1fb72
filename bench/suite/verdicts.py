"""What the results amount to: counts of verdicts, wins and losses, noise, and the machine."""
import itertools
import statistics
from collections import Counter
from dataclasses import dataclass

import stats
import units
from results import PEAK, PROGRAM, TIME

MUCH = 1.1 # a ratio that a reader need not fear for noise
WORDS = {TIME: {stats.LESS: "faster", stats.MORE: "slower"},
         PEAK: {stats.LESS: "smaller", stats.MORE: "larger"}}


def word(metric, verdict):
    return WORDS.get(metric, {stats.LESS: "less", stats.MORE: "more"}).get(verdict, verdict)


@dataclass
class Counts:
    """Of rows, for one allocator against another."""
    less_much: int = 0
    less_some: int = 0
    same: int = 0
    more_some: int = 0
    more_much: int = 0
    unknown: int = 0
    missing: int = 0 # in which one of the two has no figure

    @property
    def less(self):
        return self.less_much + self.less_some

    @property
    def more(self):
        return self.more_much + self.more_some

    @property
    def total(self):
        return self.less + self.same + self.more + self.unknown

    def parts(self):
        """(class, number, share in percent) of what is there, from good to bad."""
        kinds = (("less-much", self.less_much), ("less", self.less_some), ("same", self.same),
                 ("unknown", self.unknown), ("more", self.more_some),
                 ("more-much", self.more_much))
        return [(kind, number, 100 * number / self.total) for kind, number in kinds if number]

    def add(self, found):
        if found is None:
            self.missing += 1
        elif found.verdict == stats.UNKNOWN:
            self.unknown += 1
        elif found.verdict == stats.SAME:
            self.same += 1
        elif found.verdict == stats.LESS:
            self.less_much += found.ratio <= 1 / MUCH
            self.less_some += found.ratio > 1 / MUCH
        else:
            self.more_much += found.ratio >= MUCH
            self.more_some += found.ratio < MUCH


def count(results, metric, name, base=None, rows=None):
    counts = Counts()
    for row in results.counted_rows if rows is None else rows:
        counts.add(results.compare(row, metric, name, base))
    return counts


def best_other(results, row, metric):
    """The name with the lowest median but ours; None: there is none."""
    medians = [(middle, name) for name in results.others
               if (middle := results.median(row, name, metric)) is not None]
    return min(medians)[1] if medians else None


def count_to_best(results, metric):
    """Ours against whoever is best in the row: chosen after the fact, so against us."""
    counts = Counts()
    for row in results.counted_rows:
        name = best_other(results, row, metric)
        counts.add(results.compare(row, metric, results.ours, name) if name else None)
    return counts


@dataclass
class Finding:
    """A row in which ours differs from the baseline."""
    row: object
    metric: str
    found: stats.Comparison
    best: str
    to_best: stats.Comparison


def findings(results, metrics, verdict):
    """Rows with this verdict, the largest difference first."""
    listed = []
    for row, metric in itertools.product(results.counted_rows, metrics):
        found = results.compare(row, metric, results.ours)
        if found and found.verdict == verdict:
            best = best_other(results, row, metric) or results.baseline
            listed.append(Finding(row, metric, found, best,
                                  results.compare(row, metric, results.ours, best)))
    return sorted(listed, key=lambda one: one.found.ratio, reverse=verdict == stats.MORE)


# --- noise ---------------------------------------------------------------------------------------

@dataclass
class Noise:
    """What is said to differ between two names of one library."""
    names: tuple
    metric: str
    differ: int
    total: int
    largest: float # of the ratios' distances from 1, as a factor; all rows
    largest_row: str


def twin_noise(results):
    listed = []
    for first, second in results.twins:
        for metric in (TIME, PEAK):
            found = [(row, one) for row in results.rows
                     if (one := results.compare(row, metric, second, first))]
            if not found:
                continue
            factors = [(max(one.ratio, 1 / one.ratio), row.name) for row, one in found
                       if one.ratio]
            largest, name = max(factors, default=(1.0, ""))
            differ = sum(one.verdict in (stats.LESS, stats.MORE) for _, one in found)
            listed.append(Noise((first, second), metric, differ, len(found), largest, name))
    return listed


def spread(values):
    """The middle half of the rounds, relative to the median."""
    middle = statistics.median(values)
    if len(values) < 4 or not middle:
        return None
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return (high - low) / middle


def spreads(results, metric):
    """{name: (median of the rows' spreads, that of the row at 9 of 10)}."""
    found = {}
    for name in results.names:
        values = [spread(list(rounds.values())) for row in results.rows
                  if (rounds := results.rounds(row, name, metric))]
        values = sorted(value for value in values if value is not None)
        if values:
            found[name] = statistics.median(values), values[int(0.9 * (len(values) - 1))]
    return found


# --- the machine ---------------------------------------------------------------------------------

FACTS = [("processor", "processor"), ("num_cpus", "processors"), ("mhz_per_cpu", "MHz"),
         ("kernel", "kernel"), ("glibc", "glibc"),
         ("transparent_hugepage", "transparent huge pages"),
         ("overcommit_memory", "vm.overcommit_memory"), ("max_map_count", "vm.max_map_count"),
         ("scaling_governor", "frequency governor"), ("cpu_scaling_enabled", "frequency scaling"),
         ("aslr_enabled", "address randomisation"),
         ("instructions_and_cycles", "counters of instructions and cycles"),
         ("peak_of_each_row", "peak RSS of each row by itself"),
         ("library_build_type", "build of libbenchmark, as it says itself"),
         ("library_version", "libbenchmark"), ("host_name", "host"), ("date", "began")]
NOT_FACTS = {"executable", "caches", "load_avg", "allocator_path", "allocator_version",
             "json_schema_version"}


def plain(value):
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def machine(results):
    """(what, text) of the machine; where processes do not agree, all that they say."""
    labels = dict(FACTS)
    keys = [key for key, _ in FACTS]
    keys += sorted({key for one in results.allocators for key in one.context}
                   - set(keys) - NOT_FACTS)
    listed = []
    for key in keys:
        said = Counter(plain(one.context[key]) for one in results.allocators if key in one.context)
        if said:
            texts = sorted(said)
            if key == "date" and len(texts) > 1:
                texts = [texts[0]]
            listed.append((labels.get(key, key), "; or ".join(texts)))
    return listed


def statistics_text(results):
    """How intervals and verdicts came about, for the rounds that there are."""
    fewest, most = results.nr_rounds
    rounds = f"{fewest}" if fewest == most else f"{fewest} to {most}"
    _, level = stats.rank_of_interval(most)
    lines = [
        f"{rounds} rounds; in each the allocators ran in an order drawn anew. A figure is the "
        "median of the rounds.",
        "A ratio is the median of the ratios of rounds that belong together." + (
            f" Intervals are the sign test's for the median, from order statistics: nominally 95 %,"
            f" with {most} rounds really {100 * level:.1f} %; nothing is assumed about the "
            "distribution." if level else ""),
        "Verdicts are the Mann-Whitney U test's, two-sided, at "
        f"{100 * stats.ALPHA:g} %, on the rounds of the two allocators; exact, or with the normal "
        "approximation where values are equal. They are not corrected for the number of rows: of a "
        f"hundred rows without a difference, {100 * stats.ALPHA:g} is expected to show one. "
        '"No difference" is a difference that these rounds do not show, not a proof of equality.',
        "Verdict and interval are two tests. Where slow minutes fell on all allocators alike, "
        'ratios are steadier than rounds, and an interval may leave out 1 beside "no difference"; '
        "and where single rounds strayed, it may have 1 in it beside a difference.",
    ]
    if not level:
        lines.append(f"Fewer than 6 rounds: there are no intervals{few_text(most)}.")
    elif fewest < 6:
        lines.append("Rows with fewer than 6 rounds have no intervals.")
    return lines


def few_text(rounds):
    return ", and with fewer than 5 no verdicts" if rounds < 5 else ""


def headlines(results):
    """(what, sentence) of ours against the baseline; whole programs have their own."""
    listed = [(label(metric), headline(results, metric)) for metric in (TIME, PEAK)]
    programs = [row for row in results.counted_rows if row.kind == PROGRAM]
    if programs:
        listed += [(f"{label(metric)} of whole programs", headline(results, metric, programs))
                   for metric in (TIME, PEAK)]
    return listed


def label(metric):
    """At the beginning of a line."""
    text = units.label_of(metric)
    return text[0].upper() + text[1:]


def headline(results, metric, rows=None):
    """One sentence of ours against the baseline."""
    counts = count(results, metric, results.ours, None, rows)
    if not counts.total:
        return "no row has figures of both."
    less, more = word(metric, stats.LESS), word(metric, stats.MORE)
    text = f"too few rounds for a verdict on {counts.total} rows"
    if counts.unknown < counts.total:
        text = verdicts_text(counts, less, more)
    ratios = [(found.ratio, row.name) for row in (results.counted_rows if rows is None else rows)
              if (found := results.compare(row, metric, results.ours))]
    least, most = min(ratios), max(ratios)
    return (f"{text}. Ratios from {units.ratio_text(least[0])} ({least[1]}) to "
            f"{units.ratio_text(most[0])} ({most[1]}).")


def verdicts_text(counts, less, more):
    text = (f"{less} in {counts.less} of {counts.total} rows ({counts.less_much} by over 10 %), "
            f"no difference in {counts.same}, {more} in {counts.more} ({counts.more_much} by over "
            "10 %)")
    if counts.unknown:
        text += f", too few rounds in {counts.unknown}"
    return text
