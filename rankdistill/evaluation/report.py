"""What a person reads: table rows for the terminal, and one static HTML page that loads nothing from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from rankdistill import files
from rankdistill.evaluation.measures import TITLES
from rankdistill.evaluation.pages import render
from rankdistill.evaluation.plots import quality_plot, trade_off_plot
from rankdistill.evaluation.results import MAIN_MEASURE, Comparison, Results, System

TEMPLATE = "report.html.j2"
MEGABYTE = 1e6

Rows = tuple[list[str], list[list[str]]]
"""A table: header and rows."""

COSTS: Mapping[str, Callable[[System], float | None]] = {
    "ms/query": lambda system: system.latency_ms.p50 if system.latency_ms else None,
    "model MB": lambda system: system.model_bytes / MEGABYTE if system.model_bytes else None,
    "index MB": lambda system: system.index_bytes / MEGABYTE if system.index_bytes else None,
    "teacher s": lambda system: system.teacher_seconds,
}
"""Cost with its unit (a query's median; seconds of teacher scoring) -> how to read it off a system."""


def system_rows(results: Results, intervals: bool = False) -> Rows:
    """A system a row: its measures, with intervals if wanted, and then those costs that at least one system has."""
    measures = list(results.systems[0].measures)
    costs = {label: read for label, read in COSTS.items() if any(read(system) for system in results.systems)}
    several = any(system.trainings > 1 for system in results.systems)
    header = ["system", *(["trainings"] if several else []), *(TITLES[measure] for measure in measures), *costs]
    rows = [
        [
            system.name,
            *([str(system.trainings)] if several else []),
            *(_mean(system, measure, intervals) for measure in measures),
            *(_number(read(system)) for read in costs.values()),
        ]
        for system in results.systems
    ]
    return header, rows


def comparison_rows(results: Results, measure: str) -> Rows:
    """A comparison with the baseline a row, in one measure."""
    return comparison_table(results.comparisons, measure)


def comparison_table(comparisons: Iterable[Comparison], measure: str) -> Rows:
    """The same from comparisons alone."""
    chosen = [found for found in comparisons if found.measure == measure]
    several = any(found.by_training for found in chosen)
    header = ["system", "difference", *(["by training"] if several else []), "95% interval", "p", "p (Holm)", "verdict"]
    rows = [
        [
            found.system,
            f"{found.difference:+.4f}",
            *([" ".join(f"{one:+.4f}" for one in found.by_training) or "-"] if several else []),
            f"{found.interval[0]:+.3f} .. {found.interval[1]:+.3f}",
            _p_value(found.p_value),
            _p_value(found.p_holm),
            verdict(found),
        ]
        for found in chosen
    ]
    return header, rows


def verdict(found: Comparison) -> str:
    """`better`, `worse` or `not shown`, at the 5% level after correction."""
    if not found.significant():
        return "not shown"
    return "better" if found.difference > 0 else "worse"


def require_measure(results: Results, measure: str) -> None:
    """Raise ConfigError unless the systems have `measure`."""
    results.shown_in(measure)


def write_html(results: Results, path: Path, measure: str = MAIN_MEASURE) -> None:
    """Write the page: tables, plots of `measure`, signature."""
    page = render(
        TEMPLATE,
        results=results,
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


def _mean(system: System, measure: str, interval: bool) -> str:
    value = f"{system.measures[measure]:.4f}"
    if measure in system.deviations:
        value += f" ±{system.deviations[measure]:.4f}"
    if not interval or measure not in system.intervals:
        return value
    low, high = system.intervals[measure]
    return f"{value} [{low:.3f}, {high:.3f}]"


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _p_value(value: float) -> str:
    return f"{value:.4f}" if value >= 0.0001 else "< 0.0001"
