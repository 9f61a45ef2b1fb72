#!/usr/bin/python3
"""report.py DIR: write DIR/summary.txt and DIR/report.html from what the suite left in DIR.

Debian: python3-scipy python3-matplotlib python3-jinja2
"""
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
if str(HERE) not in sys.path:
    sys.path.insert(0, str(HERE))

try:
    import jinja2
    import matplotlib # pylint: disable=unused-import
    import scipy # pylint: disable=unused-import
    from markupsafe import Markup
except ImportError as error:
    TEXT = (f"report: {error.name} is missing: apt-get install python3-scipy python3-matplotlib "
            "python3-jinja2")
    if __name__ == "__main__":
        sys.exit(TEXT)
    raise ImportError(TEXT, name=error.name) from None

# pylint: disable=wrong-import-position
import drawing
import plots
import stats
import summary
import units
import verdicts
from results import PEAK, TIME, Results

CLASSES = {stats.LESS: "less", stats.MORE: "more", stats.SAME: "same", stats.UNKNOWN: "unknown"}
SIGNS = {stats.LESS: "▼", stats.MORE: "▲", stats.SAME: "=", stats.UNKNOWN: "?"}


class Table:
    """A metric of a group's rows; what the template asks for."""

    def __init__(self, results, group, metric):
        self.metric, self.label = metric, verdicts.label(metric)
        self.lines = [(row, [cell(results, row, name, metric) for name in results.names])
                      for row in results.groups[group]]

    @property
    def is_empty(self):
        return not any(one["value"] is not None for _, cells in self.lines for one in cells)


def ratio_cell(found, metric):
    """Of a Comparison; None: a dash."""
    if not found:
        return None
    return {"text": f"{units.ratio_text(found.ratio)}×", "value": found.ratio,
            "interval": units.interval_text(units.RATIO, found.ratio, found.interval),
            "class": CLASSES[found.verdict], "sign": SIGNS[found.verdict],
            "word": verdicts.word(metric, found.verdict), "p": f"{found.p:.2g}",
            "much": not 1 / verdicts.MUCH < found.ratio < verdicts.MUCH}


def cell(results, row, name, metric):
    value = results.median(row, name, metric)
    found = results.compare(row, metric, name) if name != results.baseline else None
    return {"value": value, "text": units.text_of(metric, value), "name": name,
            "interval": units.interval_text(metric, value, results.interval(row, name, metric)),
            "ratio": ratio_cell(found, metric)}


def counts_of(results):
    """The verdict tables: (title, [(name, is ours, time, peak)])."""
    def line(label, name, base=None, rows=None):
        return label, name, [verdicts.count(results, metric, name, base, rows)
                             for metric in (TIME, PEAK)]

    against_base = [line(name, name) for name in results.names if name != results.baseline]
    against_each = [line(name, results.ours, name) for name in results.others]
    against_each.append(("whoever is best in the row", results.ours,
                         [verdicts.count_to_best(results, metric) for metric in (TIME, PEAK)]))
    by_kind = []
    for kind, label in (("program", "programs"), ("memory", "memory over time"),
                        ("micro", "micro-benchmarks")):
        rows = [row for row in results.counted_rows if row.kind == kind]
        if rows:
            by_kind.append(line(label, results.ours, None, rows))
    further = [(units.label_of(metric), results.ours,
                [verdicts.count(results, metric, results.ours)]) for metric in results.further]
    return {"base": against_base, "each": against_each, "kinds": by_kind, "further": further,
            "groups": [line(group, results.ours, None,
                            [row for row in rows if not row.is_control])
                       for group, rows in results.groups.items()]}


def findings_of(results, verdict):
    """The lists of a section of losses or wins: (label, word, of what, lines)."""
    def line(one, with_metric):
        ours, base = (results.median(one.row, name, one.metric)
                      for name in (results.ours, results.baseline))
        return {"row": one.row, "what": units.label_of(one.metric) if with_metric else "",
                "ours": units.text_of(one.metric, ours), "ours_value": ours,
                "base": units.text_of(one.metric, base), "base_value": base,
                "ratio": ratio_cell(one.found, one.metric), "best": one.best,
                "to_best": ratio_cell(one.to_best, one.metric)}

    lists = [(verdicts.label(metric), verdicts.word(metric, verdict), "row",
              [line(one, False) for one in verdicts.findings(results, [metric], verdict)])
             for metric in (TIME, PEAK)]
    if results.further:
        lists.append(("Latencies and further memory figures", verdict, "figure",
                      [line(one, True) for one in
                       verdicts.findings(results, results.further, verdict)]))
    return lists


def sections_of(results, styles):
    sections = []
    for group in results.groups:
        tables = [Table(results, group, metric) for metric in results.metrics]
        sections.append({
            "name": group, "rows": results.groups[group],
            "tables": [one for one in tables if one.metric in (TIME, PEAK) or
                       one.metric in results.further and not one.is_empty],
            "counted": [one for one in tables if one.metric not in (TIME, PEAK) and
                        one.metric not in results.further and not one.is_empty],
            "bars": Markup(plots.bars(results, styles, group))})
    return sections


def plots_of(results, styles):
    """(anchor, title, text, SVG) of the plots that are not of one group."""
    base = results.baseline
    listed = [
        ("sweep", "Time over size", "Medians; both axes are logarithmic.",
         plots.sweeps(results, styles)),
        ("threads", "Throughput over threads",
         "Operations of all threads together in a second, from the median of the wall time. "
         "More threads than processors take turns.",
         plots.threads(results, styles)),
        ("latency", "Latencies of single calls",
         "Medians over the rounds of each round's percentile. The grey band is the control row: "
         "what the timer alone shows, under every allocator. Nothing is subtracted; what lies in "
         "the band or near it is the timer or the machine, not the allocator.",
         plots.latencies(results, styles)),
        ("curves", "Resident memory over time", "Grey: live bytes, as requested.",
         plots.curves(results, styles)),
        ("scatter", "Time against peak RSS",
         f"A dot for each row; 1× is {base}; diamonds are whole programs and memory rows. Dots in "
         "a line across are rows of one process, whose peak was before them.",
         plots.scatter(results, styles))]
    return [(anchor, title, text, Markup(svg)) for anchor, title, text, svg in listed if svg]


def render(results):
    styles = drawing.styles_of(results)
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(HERE), autoescape=True,
                                     trim_blocks=True, lstrip_blocks=True)
    noise = [(one, units.label_of(one.metric), stats.ALPHA * one.total)
             for one in verdicts.twin_noise(results)]
    return environment.get_template("report.html").render(
        results=results, meta=results.meta, styles=styles, ours=results.ours,
        baseline=results.baseline, title=results.meta.get("title") or "Benchmarks of malloc",
        headlines=verdicts.headlines(results), counts=counts_of(results),
        losses=findings_of(results, stats.MORE), wins=findings_of(results, stats.LESS), noise=noise,
        spreads=verdicts.spreads(results, TIME), machine=verdicts.machine(results),
        reading=verdicts.statistics_text(results), sections=sections_of(results, styles),
        overview=Markup(plots.overview(results, styles)),
        forests=[(verdicts.label(metric), Markup(plots.forest(results, metric)))
                 for metric in (TIME, PEAK)],
        plots=plots_of(results, styles), few_rounds=results.nr_rounds[1] < 6)


def write_report(folder):
    """Read the folder and write both files into it; their paths."""
    results = Results(folder)
    written = Path(folder) / "summary.txt", Path(folder) / "report.html"
    written[0].write_text(summary.write(results), encoding="utf-8")
    written[1].write_text(render(results) + "\n", encoding="utf-8")
    return written


def main(arguments):
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print(__doc__.strip())
        return 0 if arguments in (["-h"], ["--help"]) else 2
    if not Path(arguments[0]).is_dir():
        sys.exit(f"report: no folder '{arguments[0]}'")
    for path in write_report(arguments[0]):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
