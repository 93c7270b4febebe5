"""Which systems are worth looking at: those that no other one beats in quality and every cost at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rankdistill.evaluation.system_table import COSTS, number
from rankdistill.evaluation.systems import System

DIMENSIONS = ("ms/query", "index MB", "teacher s")
"""The costs, of `COSTS`, that count besides quality."""


def dominated_by(systems: Sequence[System], measure: str) -> dict[str, list[str]]:
    """System -> those that are at least as good and as cheap in everything, and better or cheaper in something.

    A system that no teacher was asked for costs no seconds of one; one that learned, or may have, from a teacher whose
    time nobody wrote down neither dominates nor is dominated. Another cost that only one of two systems tells makes
    neither dominate the other; one that neither tells is not looked at. So who else is looked at decides nothing.

    Args:
        systems: any number.
        measure: the quality.
    """
    costs = {system.name: costs_of(system) for system in systems}
    return {
        system.name: [
            other.name
            for other in systems
            if other is not system
            and not (other.teacher_unknown or system.teacher_unknown)
            and _dominates(other.measures[measure], costs[other.name], system.measures[measure], costs[system.name])
        ]
        for system in systems
    }


def costs_of(system: System) -> dict[str, float | None]:
    """Cost -> what `system` has, of `DIMENSIONS`; None where it is unknown."""
    found = {label: COSTS[label](system) for label in DIMENSIONS}
    if found["teacher s"] is None and not system.teacher_unknown:
        found["teacher s"] = 0.0
    return found


def rows(systems: Sequence[System], measure: str, title: str) -> tuple[list[str], list[list[str]]]:
    """A system a row: quality, the costs that at least one tells, and what dominates it."""
    beaten = dominated_by(systems, measure)
    costs = {system.name: costs_of(system) for system in systems}
    told = [label for label in DIMENSIONS if any(COSTS[label](system) is not None for system in systems)]
    return ["system", title, *told, "dominated by"], [
        [
            system.name,
            f"{system.measures[measure]:.4f}",
            *(number(costs[system.name][label]) for label in told),
            ", ".join(beaten[system.name]) or "-",
        ]
        for system in systems
    ]


def _dominates(
    quality: float, costs: Mapping[str, float | None], other: float, others: Mapping[str, float | None]
) -> bool:
    better = quality > other
    if quality < other:
        return False
    for label, mine in costs.items():
        theirs = others[label]
        if mine is None and theirs is None:
            continue
        if mine is None or theirs is None or mine > theirs:
            return False
        better = better or mine < theirs
    return better
