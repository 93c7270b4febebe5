"""What a person reads: table rows for the terminal, and one static HTML page that loads nothing from elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

from rankdistill import files
from rankdistill.errors import ConfigError
from rankdistill.evaluation import pareto
from rankdistill.evaluation.measures import EVERY_TITLE as TITLES
from rankdistill.evaluation.pages import render
from rankdistill.evaluation.plots import curves_plot, pareto_plot, quality_plot, trade_off_plot
from rankdistill.evaluation.results import MAIN_MEASURE, Results
from rankdistill.evaluation.system_table import COSTS, comparison_table, number, rows
from rankdistill.evaluation.system_table import Rows as Rows

TEMPLATE = "report.html.j2"

SUFFIXES = (".html", ".htm", ".md", ".tex")
"""Of reports."""

TIME = "ms/query"

SHOWN_HITS = 5
"""Of each system, where a query is shown that was won or lost; relevant documents below follow."""


def written(results: Results, path: Path, measure: str = MAIN_MEASURE) -> None:
    """Write a report as its suffix says: `.html` a page, `.md` and `.tex` its tables.

    Raises:
        ConfigError: another suffix.
    """
    require_suffix(path)
    if path.suffix in (".html", ".htm"):
        write_html(results, path, measure)
    else:
        files.write_text(path, results.to_latex() if path.suffix == ".tex" else results.to_markdown())


def require_suffix(path: Path) -> None:
    """Raise ConfigError unless a report can be written to a file of this name."""
    if path.suffix not in SUFFIXES:
        raise ConfigError(
            expected=f"a report that ends in {', '.join(SUFFIXES)}",
            got=str(path),
            consequence="nothing was compared",
            remedy="name it so: .html is a page, .md Markdown tables, .tex LaTeX tables",
        )


def system_rows(results: Results, intervals: bool = False) -> Rows:
    """A system a row: its measures, with intervals if wanted, and then those costs that at least one system has."""
    return rows(results.systems, intervals)


def comparison_rows(results: Results, measure: str) -> Rows:
    """A comparison with the baseline a row, in one measure."""
    return comparison_table(results.comparisons, measure)


def write_html(results: Results, path: Path, measure: str = MAIN_MEASURE) -> None:
    """Write the page: the verdicts, what they rest on, tables, plots of `measure`, signature."""
    page = render(
        TEMPLATE,
        results=results,
        said=[one for one in results.conclusions if one not in {verdict.sentence for verdict in results.verdicts}],
        systems=system_rows(results, intervals=True),
        comparisons=_comparison_tables(results),
        quality=quality_plot(results.systems, measure),
        pareto=_pareto(results, measure),
        trade_offs=[
            trade_off_plot(results.systems, measure, costs, label)
            for label, costs in _known_costs(results).items()
            if len(costs) > 1 and label != TIME
        ],
        changed=[one for one in results.changed if one.won or one.lost],
        changed_measure=TITLES[results.changed[0].measure] if results.changed else "",
        shown_hits=SHOWN_HITS,
        curves=_curves(results),
        measure=TITLES[measure],
        signature=json.dumps(results.signature, indent=1, ensure_ascii=False),
    )
    files.write_text(path, page)


def _curves(results: Results) -> list[tuple[str, str]]:
    """Title and plot of each system that we trained."""
    found = []
    for one in results.trainings:
        dev = list(dict.fromkeys(name for training in one.curves for name in training.dev))
        several = f" of {len(one.curves)} trainings" if len(one.curves) > 1 else ""
        found.append((f"{one.system}: {' and '.join(['loss', *dev])}{several}", curves_plot(one.curves)))
    return found


def _pareto(results: Results, measure: str) -> tuple[Rows, str | None] | None:
    """Quality and costs with what dominates each system, and the plot; None where no system tells a cost."""
    known = _known_costs(results)
    if not any(label in known and known[label] for label in pareto.DIMENSIONS):
        return None
    table = pareto.rows(results.systems, measure, TITLES[measure])
    if len(known[TIME]) < 2:
        return table, None
    index, teacher = known["index MB"], known["teacher s"]
    notes = {
        system.name: ", ".join(
            [
                *([f"index {number(index[system.name])} MB"] if system.name in index else []),
                *([f"teacher {number(teacher[system.name])} s"] if system.name in teacher else []),
            ]
        )
        for system in results.systems
    }
    beaten = pareto.dominated_by(results.systems, measure)
    return table, pareto_plot(results.systems, measure, known[TIME], index, notes, beaten)


def _known_costs(results: Results) -> dict[str, dict[str, float]]:
    """Cost -> system -> value, where it is known and above 0."""
    found = {label: {system.name: read(system) for system in results.systems} for label, read in COSTS.items()}
    return {label: {name: cost for name, cost in row.items() if cost} for label, row in found.items()}


def _comparison_tables(results: Results) -> dict[str, Rows]:
    """Title of a measure -> its comparisons; the measures in which there are any."""
    measures = dict.fromkeys(found.measure for found in results.comparisons)
    return {TITLES[measure]: comparison_rows(results, measure) for measure in measures}
