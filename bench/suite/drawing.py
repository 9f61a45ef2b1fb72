"""What all plots share: colours, axes, and matplotlib's SVG made small enough for a page."""
import html
import io
import math
import re

import matplotlib
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import (FixedFormatter, FixedLocator, FuncFormatter, NullFormatter,
                               NullLocator)

import units

# Tell them apart in grey and with weak eyes (after Okabe and Ito); ours has thicker lines, too.
OURS = "#c0186c"
KNOWN = [("jemalloc", "#222222"), ("glibc", "#8a8a8a"), ("libc", "#8a8a8a"),
         ("mimalloc", "#009e73"), ("tcmalloc", "#e69f00"), ("snmalloc", "#0072b2"),
         ("scudo", "#7a5195"), ("hoard", "#8c564b"), ("rpmalloc", "#d55e00")]
FURTHER = ["#56b4e9", "#0072b2", "#8c564b", "#7a5195", "#d55e00", "#f0e442", "#bcbd22"]
MARKERS = "oosD^vPX<>*"
BETTER, WORSE, NEUTRAL = "#2166ac", "#b35806", "#8c8c8c"
INK, GRID = "#333333", "#e4e4e4"
WIDTH = 11.6 # inches; a page is some 1120 pixels wide

matplotlib.rcParams.update({
    "svg.fonttype": "none", "font.family": "DejaVu Sans", "font.size": 8, "axes.linewidth": 0.6,
    "axes.edgecolor": "#999999", "axes.labelcolor": INK, "text.color": INK, "xtick.color": INK,
    "ytick.color": INK, "axes.spines.top": False, "axes.spines.right": False,
    "axes.titlesize": 8.5, "axes.titleweight": "bold", "axes.titlelocation": "left",
    "axes.axisbelow": True, "axes.grid": True, "grid.color": GRID, "grid.linewidth": 0.6,
    "xtick.major.size": 2.5, "ytick.major.size": 2.5, "legend.frameon": False,
    "axes.unicode_minus": False, "text.parse_math": False, "path.simplify": True,
    "path.simplify_threshold": 0.5,
})


def styles_of(results):
    """{name: dict of colour, line style, width, marker, order} for each allocator."""
    styles, free = {}, list(FURTHER)
    twins = {second: first for first, second in results.twins}
    for number, name in enumerate(results.names):
        line = "-"
        if name == results.ours:
            colour = OURS
        elif name in twins and twins[name] in styles:
            colour, line = styles[twins[name]]["color"], (0, (2, 1.5))
        else:
            used = {style["color"] for style in styles.values()}
            known = [colour for key, colour in KNOWN if name.startswith(key)]
            colours = [colour for colour in known + free if colour not in used]
            colour = colours[0] if colours else "#555555"
        is_ours = name == results.ours
        styles[name] = {"color": colour, "line": line, "width": 2.4 if is_ours else 1.1,
                        "marker": MARKERS[number % len(MARKERS)], "order": 5 if is_ours else 3}
    return styles


def figure(width, height):
    return Figure(figsize=(width, height), layout=None)


def svg(drawing, name, title):
    """The figure as an element of a page: no identifier in it is another figure's."""
    name, title = re.sub(r"\W+", "-", name), html.escape(title)
    with matplotlib.rc_context({"svg.hashsalt": name}):
        out = io.StringIO()
        FigureCanvasSVG(drawing).print_svg(out, metadata={"Date": None, "Creator": None,
                                                         "Format": None, "Type": None})
    text = out.getvalue()
    text = text[text.index("<svg"):]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.S)
    text = re.sub(r"<!--.*?-->\s*", "", text, flags=re.S)
    used = set(re.findall(r"(?:url\(#|xlink:href=\"#)([^)\"]+)", text))
    text = re.sub(r' id="([^"]+)"',
                  lambda found: f' id="{name}-{found[1]}"' if found[1] in used else "", text)
    text = re.sub(r"(url\(#|xlink:href=\"#)", rf"\g<1>{name}-", text)
    text = re.sub(r"(font: (?:[\w.]+ )*?[\d.]+px) [^;\"]*", r"\1 sans-serif", text)
    text = re.sub(r"<g>\s*</g>\s*", "", re.sub(r"\n\s+", "\n", text))
    text = re.sub(r'(?<= )(?:d|x|y|points|transform)="[^"]*"',
                  lambda found: re.sub(r"(\d+\.\d\d)\d+", r"\1", found[0]), text)
    return re.sub(r'<svg ([^>]*?)height="[\d.]+pt"([^>]*?)width="[\d.]+pt"',
                  lambda found: f'<svg {found[1]}role="img" aria-label="{title}"{found[2]}',
                  text, count=1).strip()


def legend(drawing, results, styles, names, bars=False, further=()):
    """In one line at the top of the figure; `further` handles at its end."""
    handles = []
    for name in names:
        style = styles[name]
        label = f"{name} (ours)" if name == results.ours else name
        if bars:
            handles.append(Patch(color=style["color"], label=label,
                                 alpha=1 if name == results.ours else 0.75))
        else:
            handles.append(Line2D([], [], color=style["color"], linestyle=style["line"],
                                  linewidth=style["width"], marker=style["marker"],
                                  markersize=3.5, label=label))
    handles += further
    drawing.legend(handles=handles, loc="upper left", bbox_to_anchor=(0, 1), ncol=len(handles),
                   fontsize=8.5, handlelength=1.8, columnspacing=1.6, borderaxespad=0.2)


def is_drawable(value):
    return value is not None and math.isfinite(value) and value > 0


def ratio_limits(values, most=32):
    """Of an axis of ratios: around 1, around all values, and not beyond `most` times."""
    values = [value for value in values if is_drawable(value)]
    low = min([0.8] + values) / 1.06
    high = max([1.25] + values) * 1.06
    return max(low, 1 / most), min(high, most)


def ratio_axis(axis, low, high):
    """Logarithmic, with ticks that are read as factors."""
    span = math.log2(high / low)
    if span < 1.2:
        ticks = [0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.3, 1.5]
    elif span < 2.6:
        ticks = [1 / 4, 1 / 3, 0.5, 0.7, 0.85, 1, 1.2, 1.5, 2, 3, 4]
    else:
        ticks = [2.0 ** k for k in range(-12, 13, 1 if span < 7 else 2)]
    ticks = [tick for tick in ticks if low <= tick <= high]
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_major_formatter(FixedFormatter([factor_text(tick) for tick in ticks]))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())


def factor_text(factor):
    if factor <= 0.5:
        return f"1/{1 / factor:.3g}×"
    return f"{factor:.3g}×"


def log_axis(axis, metric):
    """Powers of ten, or fewer of them, with their units."""
    low, high = axis.get_view_interval()
    # An axis that does not reach two powers of ten has parts of them.
    parts = (1, 2, 5) if math.log10(high / low) < 1.7 else (1,)
    ticks = [part * 10.0 ** power for power in range(-4, 16) for part in parts
             if low <= part * 10.0 ** power <= high]
    while len(ticks) > 8:
        ticks = ticks[::2]
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_major_formatter(FuncFormatter(lambda value, _: short_text(metric, value)))
    axis.set_minor_locator(NullLocator())


def short_text(metric, value):
    divisor, unit = units.unit_for(metric, value)
    return f"{value / divisor:g} {unit}".strip()
