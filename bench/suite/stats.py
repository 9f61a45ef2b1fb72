"""The statistics of the benchmark suite: what two allocators' rounds say of each other.

 - The verdict is that of the Mann-Whitney U test, two-sided, on the rounds themselves: exact where
   no two values are equal, else its normal approximation with corrections for ties and continuity.
   "No difference" is what it cannot separate, which is not the same as equal.
 - A ratio is the median of the ratios of rounds that belong together (paired); its interval is the
   sign test's, from order statistics, as in bench/pair: at least 95 %, 6 rounds at least.

The two are different tests, and one may see what the other does not. Where slow minutes of the
machine fell on all allocators, ratios of pairs are steadier than the rounds, and the interval may
leave out 1 where the verdict stays "no difference"; that is the careful side.
"""
import functools
import math
import statistics
from dataclasses import dataclass

ALPHA = 0.01
LEVEL = 0.95
LESS, MORE, SAME, UNKNOWN = "less", "more", "no difference", "too few rounds"


@dataclass(frozen=True)
class Interval:
    low: float
    high: float
    level: float # what it really is: at least LEVEL


@dataclass(frozen=True)
class Comparison:
    verdict: str # of the first to the second: LESS, MORE, SAME; UNKNOWN: no p could be below alpha
    ratio: float # median of the paired ratios; of the medians where no rounds are paired
    interval: Interval | None # None: fewer than 6 pairs
    p: float


@functools.cache
def rank_of_interval(number):
    """(k, level): the k-th smallest and k-th largest of so many enclose the median. k 0: none do.

    They enclose it unless fewer than k values lie on one side of it, which are throws of a coin.
    """
    best = 0, 0.0
    for k in range(1, number // 2 + 1):
        level = 1 - 2 * sum(math.comb(number, i) for i in range(k)) / 2 ** number
        if level >= LEVEL:
            best = k, level
    return best


def sign_interval(values):
    """The interval of the sign test for the median of the values; None below 6 of them."""
    k, level = rank_of_interval(len(values))
    if not k:
        return None
    ordered = sorted(values)
    return Interval(ordered[k - 1], ordered[-k], level)


def ratio(value, base):
    if base:
        return value / base
    return 1.0 if not value else math.inf


def by_round(rounds):
    """{round: value} of that, or of a sequence."""
    return dict(rounds) if hasattr(rounds, "keys") else dict(enumerate(rounds))


def u_test(first, second):
    """(p, share of the pairs in which the first is the smaller)."""
    smaller = sum((a < b) + (a == b) / 2 for a in first for b in second) / len(first) / len(second)
    if min(first + second) == max(first + second):
        return 1.0, smaller
    from scipy.stats import mannwhitneyu # pylint: disable=import-outside-toplevel
    ties = len(set(first + second)) < len(first) + len(second)
    exact = not ties and max(len(first), len(second)) <= 50
    return float(mannwhitneyu(first, second, alternative="two-sided",
                              method="exact" if exact else "asymptotic").pvalue), smaller


def compare(rounds_a, rounds_b, alpha=ALPHA):
    """A Comparison; each side is {round: value}, or a sequence in the order of the rounds."""
    rounds_a, rounds_b = by_round(rounds_a), by_round(rounds_b)
    first, second = list(rounds_a.values()), list(rounds_b.values())
    if not first or not second:
        raise ValueError("nothing to compare")
    ratios = [ratio(rounds_a[key], rounds_b[key]) for key in rounds_a if key in rounds_b]
    middle = statistics.median(ratios) if ratios else \
        ratio(statistics.median(first), statistics.median(second))
    p, smaller = u_test(first, second)
    verdict = SAME
    if 2 / math.comb(len(first) + len(second), len(first)) > alpha:
        verdict = UNKNOWN
    elif p < alpha and smaller > 0.5 and middle < 1:
        verdict = LESS
    elif p < alpha and smaller < 0.5 and middle > 1:
        verdict = MORE
    return Comparison(verdict, middle, sign_interval(ratios), p)
