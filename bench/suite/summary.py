"""The report as plain text."""
import textwrap

import stats
import units
import verdicts
from results import PEAK, TIME

MARKS = {stats.LESS: "-", stats.MORE: "+", stats.SAME: "=", stats.UNKNOWN: "?"}
COLUMNS = 100


def ratio_text(found):
    return f"{units.ratio_text(found.ratio)}{MARKS[found.verdict]}" if found else "-"


def table(heading, lines):
    """Aligned columns, the first to the left."""
    widths = [max(len(line[k]) for line in [heading] + lines) for k in range(len(heading))]
    return ["  ".join(cell.ljust(width) if k == 0 else cell.rjust(width)
                      for k, (cell, width) in enumerate(zip(line, widths))).rstrip()
            for line in [heading] + lines]


def counts_line(name, counts):
    return [name, str(counts.less), str(counts.less_much), str(counts.same), str(counts.more),
            str(counts.more_much), str(counts.unknown), str(counts.missing)]


def counts_table(results, metric):
    less, more = (verdicts.word(metric, verdict) for verdict in (stats.LESS, stats.MORE))
    heading = [units.label_of(metric), less, ">10 %", "no diff.", more, ">10 %", "too few", "-"]
    lines = [counts_line(f"{name} / {results.baseline}", verdicts.count(results, metric, name))
             for name in results.names if name != results.baseline]
    lines += [counts_line(f"{results.ours} / {name}",
                          verdicts.count(results, metric, results.ours, name))
              for name in results.others if name != results.baseline]
    lines.append(counts_line(f"{results.ours} / best other",
                             verdicts.count_to_best(results, metric)))
    return table(heading, lines) + [""]


def findings_table(results, metrics, verdict):
    listed = verdicts.findings(results, metrics, verdict)
    is_one = len(metrics) == 1
    what = units.label_of(metrics[0]) if is_one else "latencies and further memory figures"
    title = (f"{results.ours} {verdicts.word(metrics[0], verdict)} than {results.baseline} "
             f"({what}): {len(listed)} {'rows' if is_one else 'figures'}")
    lines = [[one.row.name + ("" if is_one else " " + units.label_of(one.metric)),
              units.text_of(one.metric, results.median(one.row, results.ours, one.metric)),
              units.text_of(one.metric, results.median(one.row, results.baseline, one.metric)),
              units.ratio_text(one.found.ratio),
              units.interval_text(units.RATIO, one.found.ratio, one.found.interval),
              f"{one.best} {ratio_text(one.to_best)}"] for one in listed]
    heading = ["row", results.ours, results.baseline, "ratio", "interval", "ours / best other"]
    return [title] + (table(heading, lines) if lines else []) + [""]


def group_table(results, group, metric):
    rows = results.groups[group]
    if not any(results.rounds(row, name, metric) for row in rows for name in results.names):
        return []
    lines = []
    for row in rows:
        line = [row.name]
        for name in results.names:
            text = units.text_of(metric, results.median(row, name, metric))
            if name != results.baseline and text != "-":
                text += f" {ratio_text(results.compare(row, metric, name)):>7}"
            line.append(text)
        lines.append(line)
    return table([units.label_of(metric)] + results.names, lines) + [""]


def paragraphs(lines):
    return [part for line in lines
            for part in textwrap.wrap(line, COLUMNS - 2, initial_indent="- ",
                                      subsequent_indent="  ")]


def write(results):
    meta = results.meta
    title = meta.get("title") or "Benchmarks of malloc"
    lines = [title, "=" * len(title), "", f"{results.ours} against {results.baseline}:"]
    lines += paragraphs(f"{what}: {text}" for what, text in verdicts.headlines(results)) + [""]
    lines += counts_table(results, TIME) + counts_table(results, PEAK)
    lines += ["How to read", "-----------"] + paragraphs(verdicts.statistics_text(results))
    lines += paragraphs(["Ratios stand behind the medians: - significantly less than "
                         f"{results.baseline}, + more, = no difference, ? too few rounds."]) + [""]
    lines += ["Noise", "-----"]
    lines += [f"{noise.names[1]} / {noise.names[0]}, the same library, "
              f"{units.label_of(noise.metric)}: {noise.differ} of {noise.total} rows differ"
              for noise in verdicts.twin_noise(results)] or \
        ["No library was measured under two names."]
    lines += [f"{name}: the middle half of a row's times spans {100 * middle:.1f} % of the median "
              f"(nine of ten rows: at most {100 * most:.1f} %)"
              for name, (middle, most) in verdicts.spreads(results, TIME).items()] + [""]
    for verdict in (stats.MORE, stats.LESS):
        for metrics in ([TIME], [PEAK], results.further):
            lines += findings_table(results, metrics, verdict) if metrics else []
    for group in results.groups:
        lines += [group, "-" * len(group)]
        lines += group_table(results, group, TIME) + group_table(results, group, PEAK)
    lines += ["Machine", "-------", f"date: {meta.get('date') or '-'}"]
    lines += [f"{what}: {text}" for what, text in verdicts.machine(results)]
    lines += [f"option {key}: {value}" for key, value in (meta.get("options") or {}).items()] + [""]
    lines += table(["allocator", "version", "package", "path"],
                   [[one.name, one.version or "-", one.package or "-", one.path or "-"]
                    for one in results.allocators]) + [""]
    for heading, listed in (("Left out", [f"{one.get('what')}: {one.get('why')}"
                                          for one in meta.get("left_out") or []]),
                            ("Missing", results.problems)):
        if listed:
            lines += [heading, "-" * len(heading)] + paragraphs(listed) + [""]
    return "\n".join(lines).rstrip() + "\n"
