"""What a person reads: table rows for the terminal, and one static HTML page that loads nothing from elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

from rankdistill import files
from rankdistill.evaluation.measures import EVERY_TITLE as TITLES
from rankdistill.evaluation.pages import render
from rankdistill.evaluation.plots import quality_plot, trade_off_plot
from rankdistill.evaluation.results import MAIN_MEASURE, Results
from rankdistill.evaluation.system_table import COSTS, comparison_table, rows
from rankdistill.evaluation.system_table import Rows as Rows

TEMPLATE = "report.html.j2"


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
        trade_offs=[
            trade_off_plot(results.systems, measure, costs, label)
            for label, costs in _known_costs(results).items()
            if len(costs) > 1
        ],
        measure=TITLES[measure],
        signature=json.dumps(results.signature, indent=1, ensure_ascii=False),
    )
    files.write_text(path, page)


def _known_costs(results: Results) -> dict[str, dict[str, float]]:
    """Cost -> system -> value, where it is known and above 0."""
    found = {label: {system.name: read(system) for system in results.systems} for label, read in COSTS.items()}
    return {label: {name: cost for name, cost in row.items() if cost} for label, row in found.items()}


def _comparison_tables(results: Results) -> dict[str, Rows]:
    """Title of a measure -> its comparisons; the measures in which there are any."""
    measures = dict.fromkeys(found.measure for found in results.comparisons)
    return {TITLES[measure]: comparison_rows(results, measure) for measure in measures}
