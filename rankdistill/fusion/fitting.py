"""Choosing the weights of a fusion."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from rankdistill.errors import ConfigError
from rankdistill.fusion.fusion import Fusion
from rankdistill.progress import Progress

STEPS = 10
"""Weights are tenths."""

MOST_SYSTEMS = 4
"""286 settings are tried for four systems, 1001 for five."""


def fit_weights(
    fusion: Fusion,
    systems: int,
    quality: Callable[[Fusion], float],
    progress: Progress = lambda done: None,
) -> tuple[Fusion, float]:
    """The weights with the highest quality among all tenths that add up to 1, and that quality.

    Settings of equal quality: the most even one wins, and of those the first by its weights.

    Args:
        fusion: the method; its own weights are not read.
        systems: how many there are.
        quality: what a setting achieves on the data to fit on, higher is better.
        progress: called with 1 for each setting tried.

    Raises:
        ConfigError: fewer than two systems, or more than `MOST_SYSTEMS`.
    """
    replace(fusion, weights=None).require_systems(systems)
    if systems > MOST_SYSTEMS:
        raise ConfigError(
            expected=f"at most {MOST_SYSTEMS} systems to fit weights for",
            got=str(systems),
            consequence="nothing was fitted",
            remedy="give the weights, or fuse fewer systems",
        )
    tried: list[tuple[float, float, Fusion]] = []
    for tenths in compositions(STEPS, systems):
        found = replace(fusion, weights=tuple(part / STEPS for part in tenths))
        tried.append((quality(found), -float(sum(part * part for part in tenths)), found))
        progress(1)
    value, _, chosen = max(tried, key=lambda one: one[:2])
    return chosen, value


def compositions(total: int, parts: int) -> Iterator[tuple[int, ...]]:
    """Every way to write `total` as an ordered sum of `parts` integers of at least 0."""
    if parts == 1:
        yield (total,)
        return
    for first in range(total + 1):
        for rest in compositions(total - first, parts - 1):
            yield (first, *rest)
