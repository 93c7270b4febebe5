"""Systems as a table: their measures, and what they cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from rankdistill.evaluation.measures import EVERY_TITLE as TITLES
from rankdistill.evaluation.systems import Comparison, System

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


def rows(systems: Sequence[System], intervals: bool = False) -> Rows:
    """A system a row: its measures, with intervals if wanted, and then those costs that at least one system has."""
    measures = list(systems[0].measures)
    costs = {label: read for label, read in COSTS.items() if any(read(system) for system in systems)}
    several = any(system.trainings > 1 for system in systems)
    header = ["system", *(["trainings"] if several else []), *(TITLES[measure] for measure in measures), *costs]
    return header, [
        [
            system.name,
            *([str(system.trainings)] if several else []),
            *(_mean(system, measure, intervals) for measure in measures),
            *(number(read(system)) for read in costs.values()),
        ]
        for system in systems
    ]


def _mean(system: System, measure: str, interval: bool) -> str:
    value = f"{system.measures[measure]:.4f}"
    if measure in system.deviations:
        value += f" ±{system.deviations[measure]:.4f}"
    if not interval or measure not in system.intervals:
        return value
    low, high = system.intervals[measure]
    return f"{value} [{low:.3f}, {high:.3f}]"


def number(value: float | None) -> str:
    """As tables show a cost; `-` where it is unknown."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def comparison_table(comparisons: Iterable[Comparison], measure: str) -> Rows:
    """A comparison with the baseline a row, in one measure."""
    chosen = [found for found in comparisons if found.measure == measure]
    several = any(found.by_training for found in chosen)
    counted = any(found.won is not None for found in chosen)
    header = [
        *("system", "difference", *(["by training"] if several else []), "95% interval", "p", "p (Holm)"),
        *(["effect", "won/tied/lost"] if counted else []),
        "verdict",
    ]
    compared = [
        [
            found.system,
            f"{found.difference:+.4f}",
            *([" ".join(f"{one:+.4f}" for one in found.by_training) or "-"] if several else []),
            f"{found.interval[0]:+.3f} .. {found.interval[1]:+.3f}",
            _p_value(found.p_value),
            _p_value(found.p_holm),
            *([_effect(found), _counts(found)] if counted else []),
            verdict(found),
        ]
        for found in chosen
    ]
    return header, compared


def verdict(found: Comparison) -> str:
    """`better`, `worse` or `not shown`, at the 5% level after correction."""
    if not found.significant():
        return "not shown"
    return "better" if found.difference > 0 else "worse"


def _effect(found: Comparison) -> str:
    return "-" if found.effect is None else f"{found.effect:+.2f}"


def _counts(found: Comparison) -> str:
    return "-" if found.won is None else f"{found.won}/{found.tied}/{found.lost}"


def _p_value(value: float) -> str:
    return f"{value:.4f}" if value >= 0.0001 else "< 0.0001"
