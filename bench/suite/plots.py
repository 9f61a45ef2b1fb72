"""The plots of the report: each function gives SVG text, or "" where there is nothing to draw."""
import math
import statistics

from matplotlib.patches import Patch
from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter, MaxNLocator, NullLocator

import stats
import units
from drawing import (BETTER, GRID, INK, NEUTRAL, WIDTH, WORSE, figure, is_drawable, legend,
                     log_axis, ratio_axis, ratio_limits, short_text, svg)
from results import MICRO, PEAK, TIME

VERDICT_COLOURS = {stats.LESS: BETTER, stats.MORE: WORSE, stats.SAME: NEUTRAL,
                   stats.UNKNOWN: NEUTRAL}
CONTROL = "#d4d4d4"
LATENCIES = ("p50_ns", "p90_ns", "p99_ns", "p999_ns", "p9999_ns", "worst_ns")
MOST_POINTS = 300 # of a curve


def measured(results, names=None):
    """The names that have any figure."""
    return [name for name in names or results.names
            if any(name in row for row in results.values.values())]


def compared(results):
    return [name for name in measured(results) if name != results.baseline]


def ratio_of(results, row, metric, name):
    found = results.compare(row, metric, name)
    return found.ratio if found and is_drawable(found.ratio) else None


def panel_grid(count, columns, height, top=0.45, bottom=0.5, between=0.62):
    """(figure, axes): so many panels in rows of `columns`; lengths in inches."""
    rows = -(-count // columns)
    total = top + bottom + rows * height + (rows - 1) * between
    drawing = figure(WIDTH, total)
    left, right, gap = 0.62, 0.1, 0.62
    width = (WIDTH - left - right - (columns - 1) * gap) / columns
    axes = []
    for number in range(count):
        row, column = divmod(number, columns)
        y = total - top - (row + 1) * height - row * between
        axes.append(drawing.add_axes([(left + column * (width + gap)) / WIDTH, y / total,
                                      width / WIDTH, height / total]))
    return drawing, axes


def beside(total, top, bottom, lefts, widths):
    """(figure, axes): panels of the given places, all of one height."""
    drawing = figure(WIDTH, total)
    return drawing, [drawing.add_axes([left / WIDTH, bottom / total, width / WIDTH,
                                       (total - top - bottom) / total])
                     for left, width in zip(lefts, widths)]


# --- all rows at a glance ------------------------------------------------------------------------

def overview(results, styles):
    """A dot for each row, in a lane of its allocator and group."""
    names, lane = compared(results), 0.095
    groups = [(group, [row for row in rows if not row.is_control])
              for group, rows in results.groups.items()]
    groups = [(group, rows) for group, rows in groups if rows]
    if not names or not groups:
        return ""
    step = len(names) + 1
    height = lane * step * len(groups) + 1.0
    drawing, axes = beside(height, 0.55, 0.35, (1.25, 6.55), (5.0, 4.95))
    for axis, metric, title in zip(axes, (TIME, PEAK), ("time", "peak RSS")):
        values = [value for _, rows in groups for row in rows for name in names
                  if (value := ratio_of(results, row, metric, name))]
        low, high = ratio_limits(values)
        for number, (_, rows) in enumerate(groups):
            if number % 2:
                axis.axhspan(number * step - 0.5, (number + 1) * step - 0.5, color="#f6f6f6",
                             linewidth=0, zorder=0)
            for place, name in enumerate(names):
                draw_lane(axis, results, styles[name], rows, metric, name,
                          number * step + place + 0.5, low, high)
        axis.axvline(1, color=INK, linewidth=0.9, zorder=2)
        axis.set_xscale("log")
        axis.set_xlim(low, high)
        ratio_axis(axis.xaxis, low, high)
        axis.set_ylim(step * len(groups) - 0.5, -0.5)
        axis.yaxis.grid(False)
        axis.set_yticks([number * step + (step - 1) / 2 for number in range(len(groups))])
        axis.set_yticklabels([group for group, _ in groups] if metric == TIME else [])
        axis.tick_params(axis="y", length=0)
        axis.set_title(f"{title} / {results.baseline}'s:  ← less | more →")
    legend(drawing, results, styles, names)
    return svg(drawing, "overview", f"All rows relative to {results.baseline}, by group")


def draw_lane(axis, results, style, rows, metric, name, y, low, high):
    values = [value for row in rows if (value := ratio_of(results, row, metric, name))]
    if not values:
        return
    inside = [min(max(value, low * 1.02), high / 1.02) for value in values]
    axis.plot(inside, [y] * len(inside), "o", color=style["color"], markersize=3.4, alpha=0.45,
              markeredgewidth=0, zorder=style["order"])
    middle = min(max(statistics.median(values), low), high)
    axis.plot([middle], [y], "|", color=style["color"], markersize=9,
              markeredgewidth=style["width"], zorder=style["order"] + 1)


def forest(results, metric, name=None):
    """Ours against the baseline in each row, with intervals, sorted."""
    name = name or results.ours
    items = [(row, found) for row in results.counted_rows
             if (found := results.compare(row, metric, name)) and is_drawable(found.ratio)]
    if not items:
        return ""
    items.sort(key=lambda item: item[1].ratio)
    columns = 2 if len(items) > 24 else 1
    length = -(-len(items) // columns)
    height = 0.135 * length + 0.75
    drawing, axes = beside(height, 0.3, 0.4, (1.9, 7.65)[:columns], (3.85, 3.85)[:columns])
    low, high = ratio_limits([found.ratio for _, found in items])
    for number, axis in enumerate(axes):
        part = items[number * length:(number + 1) * length]
        for y, (_, found) in enumerate(part):
            draw_interval(axis, found, y, low, high)
        axis.axvline(1, color=INK, linewidth=0.9, zorder=1)
        axis.set_xscale("log")
        axis.set_xlim(low, high)
        ratio_axis(axis.xaxis, low, high)
        axis.set_ylim(length - 0.4, -0.6)
        axis.set_yticks(range(len(part)))
        axis.set_yticklabels([row.name for row, _ in part], fontsize=7)
        axis.tick_params(axis="y", length=0)
        for label, (_, found) in zip(axis.get_yticklabels(), part):
            label.set_color(VERDICT_COLOURS[found.verdict] if found.verdict in
                            (stats.LESS, stats.MORE) else "#666666")
        axis.yaxis.grid(False)
        axis.set_title(f"← {name} has less   |   more than {results.baseline} →")
    return svg(drawing, f"forest-{metric}",
               f"{units.label_of(metric)} of {name} relative to {results.baseline}, row by row")


def draw_interval(axis, found, y, low, high):
    """A dot with its interval; what lies beyond the axis is an arrow with its number."""
    colour = VERDICT_COLOURS[found.verdict]
    place = min(max(found.ratio, low * 1.03), high / 1.03)
    if found.interval:
        ends = [min(max(end, low), high) for end in (found.interval.low, found.interval.high)]
        axis.plot(ends, [y, y], color=colour, linewidth=1.1, zorder=2, solid_capstyle="butt")
    marker = "o" if place == found.ratio else "<" if found.ratio < place else ">"
    axis.plot([place], [y], marker, color=colour, markersize=3.6, zorder=3,
              markerfacecolor=colour if found.verdict in (stats.LESS, stats.MORE) else "white",
              markeredgewidth=0.9)
    if marker != "o":
        right = marker == "<"
        annotate_end(axis, found.ratio, place, y, colour, 5 if right else -5)


def annotate_end(axis, ratio, x, y, colour, distance):
    """The number of what does not fit."""
    axis.annotate(f"{units.three_digits(ratio)}×", (x, y), fontsize=6.5, xytext=(distance, 0),
                  textcoords="offset points", va="center_baseline", color=colour,
                  ha="left" if distance > 0 else "right")


# --- the groups ----------------------------------------------------------------------------------

def bars(results, styles, group):
    """Bars from the baseline's 1, for time and for peak memory."""
    names, rows = compared(results), results.groups[group]
    if not any(ratio_of(results, row, metric, name) for row in rows for name in names
               for metric in (TIME, PEAK)):
        return ""
    thick = 0.075 if len(rows) * len(names) < 200 else 0.05
    step = len(names) + 1.2
    height = thick * step * len(rows) + 0.95
    drawing, axes = beside(height, 0.5, 0.35, (1.9, 6.95), (4.75, 4.55))
    for axis, metric in zip(axes, (TIME, PEAK)):
        for number in range(1, len(rows), 2):
            axis.axhspan(number * step - 1, (number + 1) * step - 1, color="#f6f6f6", linewidth=0,
                         zorder=0)
        draw_bars(axis, results, styles, rows, metric, step)
        axis.set_yticks([number * step + (len(names) - 1) / 2 for number in range(len(rows))])
        axis.set_yticklabels([row.name for row in rows] if metric == TIME else [], fontsize=7.5)
        axis.set_ylim(len(rows) * step - 1, -1)
        axis.tick_params(axis="y", length=0)
        axis.yaxis.grid(False)
        axis.set_title(f"{units.label_of(metric)} / {results.baseline}'s")
    legend(drawing, results, styles, names, bars=True)
    return svg(drawing, f"bars-{group}", f"{group}: time and peak RSS relative to "
                                         f"{results.baseline}")


def draw_bars(axis, results, styles, rows, metric, step):
    names = compared(results)
    found = {(number, place): compared_row
             for number, row in enumerate(rows) for place, name in enumerate(names)
             if (compared_row := results.compare(row, metric, name))
             and is_drawable(compared_row.ratio)}
    low, high = ratio_limits([one.ratio for one in found.values()], most=256)
    low, high = low / 1.1, high * 1.1
    axis.set_xscale("log")
    axis.set_xlim(low, high)
    for place, name in enumerate(names):
        mine = [(number * step + place, one) for (number, where), one in found.items()
                if where == place]
        if not mine:
            continue
        style = styles[name]
        ends = [min(max(one.ratio, low), high) for _, one in mine]
        axis.barh([y for y, _ in mine], [end - 1 for end in ends], left=1, height=0.9,
                  color=style["color"], alpha=1 if name == results.ours else 0.7, linewidth=0)
        for y, one in mine:
            if not low <= one.ratio <= high:
                end = min(max(one.ratio, low), high)
                annotate_end(axis, one.ratio, end, y, "#000000", 3 if end < 1 else -3)
        with_interval = [(y, one.interval) for y, one in mine if one.interval]
        if with_interval:
            axis.hlines([y for y, _ in with_interval],
                        [max(interval.low, low) for _, interval in with_interval],
                        [min(interval.high, high) for _, interval in with_interval],
                        color="#000000", linewidth=0.6)
    axis.axvline(1, color=INK, linewidth=0.9)
    ratio_axis(axis.xaxis, low, high)


def draw_line(axis, style, points, marker=True):
    axis.plot([x for x, _ in points], [y for _, y in points], color=style["color"],
              linestyle=style["line"], linewidth=style["width"], zorder=style["order"],
              marker=style["marker"] if marker else None, markersize=2.8, markeredgewidth=0)


def sweeps(results, styles):
    """Time over size: rows NAME/SIZE of four sizes and more."""
    operations = {}
    for row in results.rows:
        operation, argument, threads = row.parts
        has_latencies = any(LATENCIES[0] in metrics
                            for metrics in results.values.get(row.name, {}).values())
        if argument and (threads or 1) == 1 and not has_latencies:
            operations.setdefault(operation, []).append(row)
    operations = {name: rows for name, rows in operations.items() if len(rows) >= 4}
    if not operations or not measured(results):
        return ""
    drawing, axes = panel_grid(len(operations), 3, 2.5)
    for axis, (operation, rows) in zip(axes, operations.items()):
        for name in measured(results):
            draw_line(axis, styles[name], [
                (row.parts[1], middle) for row in sorted(rows, key=lambda row: row.parts[1])
                if is_drawable(middle := results.median(row, name, TIME))])
        axis.set_xscale("log", base=2)
        axis.set_yscale("log")
        axis.xaxis.set_major_locator(FixedLocator([2.0 ** k for k in range(0, 44, 4)]))
        axis.xaxis.set_minor_locator(NullLocator())
        axis.xaxis.set_major_formatter(FuncFormatter(lambda x, _: units.size_text(int(x))))
        axis.set_xlim(min(row.parts[1] for row in rows) / 1.3,
                      max(row.parts[1] for row in rows) * 1.3)
        log_axis(axis.yaxis, TIME)
        axis.set_title(operation)
    legend(drawing, results, styles, measured(results))
    return svg(drawing, "sweep", "Time over size")


def threads(results, styles):
    """Operations a second of all threads together, over threads."""
    series = {}
    for row in results.rows:
        operation, argument, count = row.parts
        title = operation if argument is None else f"{operation}/{argument}"
        series.setdefault(title, {})[count or 1] = row
    series = {title: rows for title, rows in series.items()
              if len(rows) > 1 and any(row.kind == MICRO for row in rows.values())}
    if not series or not measured(results):
        return ""
    drawing, axes = panel_grid(len(series), 4, 1.9)
    for axis, (title, rows) in zip(axes, series.items()):
        for name in measured(results):
            draw_line(axis, styles[name], [
                (count, 1e9 / middle) for count, row in sorted(rows.items())
                if is_drawable(middle := results.median(row, name, TIME))])
        axis.set_xscale("log", base=2)
        axis.xaxis.set_major_locator(FixedLocator(sorted(rows)))
        axis.xaxis.set_major_formatter(FixedFormatter([str(count) for count in sorted(rows)]))
        axis.xaxis.set_minor_locator(NullLocator())
        axis.set_ylim(bottom=0)
        axis.yaxis.set_major_locator(MaxNLocator(5))
        axis.yaxis.set_major_formatter(FuncFormatter(lambda y, _: short_text("rate", y)))
        axis.set_title(title)
    for axis in axes[::4]:
        axis.set_ylabel("operations / s")
    axes[-1].set_xlabel("threads")
    legend(drawing, results, styles, measured(results))
    return svg(drawing, "threads", "Throughput over threads")


# --- latency, memory -----------------------------------------------------------------------------

def latencies(results, styles):
    """Percentiles, a panel for each row; the control row's are a grey band in all of them."""
    rows = [row for row in results.rows
            if any(key in metrics for metrics in results.values.get(row.name, {}).values()
                   for key in LATENCIES)]
    controls = [row for row in rows if row.is_control]
    rows = [row for row in rows if not row.is_control] or rows
    if not rows:
        return ""
    drawing, axes = panel_grid(len(rows), 4, 1.9)
    for axis, row in zip(axes, rows):
        for name in measured(results):
            draw_line(axis, styles[name], percentiles(results, row, name))
        draw_control(axis, results, controls)
        axis.set_yscale("log")
        axis.set_xlim(-0.3, len(LATENCIES) - 0.7)
        axis.xaxis.set_major_locator(FixedLocator(range(len(LATENCIES))))
        axis.xaxis.set_major_formatter(FixedFormatter(
            [units.label_of(key).removeprefix("p") for key in LATENCIES]))
        axis.tick_params(axis="x", labelsize=7)
        log_axis(axis.yaxis, TIME)
        axis.set_title(row.name)
    axes[-1].set_xlabel("percentile")
    legend(drawing, results, styles, measured(results), further=[
        Patch(color=CONTROL, label=f"{row.name}, all allocators") for row in controls])
    return svg(drawing, "latency", "Latency percentiles")


def percentiles(results, row, name):
    return [(place, middle) for place, key in enumerate(LATENCIES)
            if is_drawable(middle := results.median(row, name, key))]


def draw_control(axis, results, controls):
    """Between the allocators' lowest and highest figure of the timer alone."""
    places = {}
    for row in controls:
        for name in measured(results):
            for place, value in percentiles(results, row, name):
                places.setdefault(place, []).append(value)
    if places:
        xs = sorted(places)
        axis.fill_between(xs, [min(places[x]) for x in xs], [max(places[x]) for x in xs],
                          color=CONTROL, linewidth=5, joinstyle="round", zorder=1)


def thinned(points):
    """Not more points than can be seen, and the highest is among them."""
    if len(points) <= MOST_POINTS:
        return points
    size = math.ceil(2 * len(points) / MOST_POINTS)
    kept = []
    for start in range(0, len(points), size):
        part = points[start:start + size]
        ends = {min(part, key=lambda point: point[1]), max(part, key=lambda point: point[1])}
        kept += sorted(ends)
    return kept


def curves(results, styles):
    """Resident memory over time, on the live bytes."""
    rows = {}
    for curve in results.curves:
        rows.setdefault(curve.row, []).append(curve)
    if not rows:
        return ""
    drawing, axes = panel_grid(len(rows), 2, 2.9)
    for axis, (row, parts) in zip(axes, rows.items()):
        live = thinned([(x, live) for x, _, live in parts[0].points])
        axis.fill_between([x for x, _ in live], [y for _, y in live], color=GRID, linewidth=0)
        for curve in sorted(parts, key=lambda curve: results.names.index(curve.name)):
            draw_line(axis, styles[curve.name], thinned([(x, rss) for x, rss, _ in curve.points]),
                      marker=False)
        axis.set_ylim(bottom=0)
        axis.set_xlabel(parts[0].label)
        axis.set_ylabel("RSS, MiB")
        axis.set_title(row)
    names = [name for name in results.names if any(curve.name == name for curve in results.curves)]
    legend(drawing, results, styles, names)
    return svg(drawing, "curves", "Resident memory over time")


def scatter(results, styles):
    """Time against peak memory, a panel for each allocator."""
    names = compared(results)
    points = {name: [(row, x, y) for row in results.counted_rows
                     if (x := ratio_of(results, row, TIME, name))
                     and (y := ratio_of(results, row, PEAK, name))] for name in names}
    names = [name for name in names if points[name]]
    if not names:
        return ""
    drawing, axes = panel_grid(len(names), 3, 2.7)
    limits = [ratio_limits([point[k] for name in names for point in points[name]]) for k in (1, 2)]
    for axis, name in zip(axes, names):
        for is_micro in (True, False):
            part = [(min(max(x, limits[0][0]), limits[0][1]),
                     min(max(y, limits[1][0]), limits[1][1]))
                    for row, x, y in points[name] if (row.kind == MICRO) == is_micro]
            axis.plot([x for x, _ in part], [y for _, y in part], "o" if is_micro else "D",
                      color=styles[name]["color"], alpha=0.45 if is_micro else 1, clip_on=False,
                      markersize=3.6 if is_micro else 4.4, markeredgewidth=0, zorder=3)
        axis.axvline(1, color=INK, linewidth=0.8)
        axis.axhline(1, color=INK, linewidth=0.8)
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.set_xlim(*limits[0])
        axis.set_ylim(*limits[1])
        ratio_axis(axis.xaxis, *limits[0])
        ratio_axis(axis.yaxis, *limits[1])
        axis.set_title(name + (" (ours)" if name == results.ours else ""))
        for x, y, text, ha, va in ((0.02, 0.02, "faster, smaller", "left", "bottom"),
                                   (0.98, 0.98, "slower, larger", "right", "top")):
            axis.text(x, y, text, transform=axis.transAxes, ha=ha, va=va, fontsize=7,
                      color="#777777")
        axis.set_xlabel("time")
        axis.set_ylabel("peak RSS")
    return svg(drawing, "scatter", f"Time against peak RSS, relative to {results.baseline}")
