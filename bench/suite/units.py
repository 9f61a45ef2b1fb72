"""Figures as people read them: three digits, and the unit that fits."""
import math

RATIO = "ratio" # as a metric
TIME_UNITS = [(1, "ns"), (1e3, "us"), (1e6, "ms"), (1e9, "s")]
KIB_UNITS = [(1, "KiB"), (1024, "MiB"), (1024 ** 2, "GiB")]
COUNT_UNITS = [(1, ""), (1e3, "k"), (1e6, "M"), (1e9, "G")]


def three_digits(value):
    if value == 0:
        return "0"
    if not math.isfinite(value):
        return "∞" if value > 0 else "-"
    digits = 2 - math.floor(math.log10(abs(value)))
    value = round(value, digits) # 9.996 has become 10.0
    digits = 2 - math.floor(math.log10(abs(value)))
    if digits > 6:
        return f"{value:.2g}"
    return f"{value:.{max(digits, 0)}f}"


def ratio_text(value):
    """Near 1 as many decimals above as below."""
    return f"{value:.3f}" if 0.9 <= value < 1.1 else three_digits(value)


def units_of(metric):
    """The units of a metric, and what one of it is in the first of them."""
    if metric == "time" or metric.endswith("_ns"):
        return TIME_UNITS, 1
    for ending, factor in (("_us", 1e3), ("_ms", 1e6), ("_s", 1e9)):
        if metric.endswith(ending):
            return TIME_UNITS, factor
    if "kib" in metric:
        return KIB_UNITS, 1
    return COUNT_UNITS, 1


def unit_for(metric, value):
    """(divisor, name) for that value, and for what stands beside it."""
    units, factor = units_of(metric)
    best = units[0]
    for unit in units:
        # A thousand of one are not yet one of the next: 1005 KiB, not 0.981 MiB.
        if abs(value) * factor >= unit[0] * 0.9995:
            best = unit
    return best[0] / factor, best[1]


def text_of(metric, value):
    if value is None:
        return "-"
    divisor, unit = unit_for(metric, value)
    return f"{three_digits(value / divisor)} {unit}".strip()


def interval_text(metric, value, interval):
    """In the unit of the value."""
    if not interval:
        return ""
    if metric == RATIO:
        return f"[{ratio_text(interval.low)}, {ratio_text(interval.high)}]"
    divisor, _ = unit_for(metric, value)
    return f"[{three_digits(interval.low / divisor)}, {three_digits(interval.high / divisor)}]"


def size_text(size):
    for power, unit in ((30, "GiB"), (20, "MiB"), (10, "KiB")):
        if size >= 1 << power and not size % (1 << power):
            return f"{size >> power} {unit}"
    return f"{size} B"


LABELS = {"time": "time", "peak_kib": "peak RSS", "idle_kib": "RSS when idle",
          "kib_per_thread": "RSS per thread", "faults": "page faults per operation",
          "instructions": "user instructions per operation", "cycles": "user cycles per operation"}


def label_of(metric):
    if metric in LABELS:
        return LABELS[metric]
    if metric.startswith("p") and metric.endswith("_ns") and metric[1:-3].isdigit():
        return percentile_label(metric)
    return metric.removesuffix("_ns").removesuffix("_kib").replace("_", " ")


def percentile_label(metric):
    """p9999_ns: p99.99."""
    digits = metric[1:-3]
    return "p" + digits[:2] + ("." + digits[2:] if len(digits) > 2 else "")
