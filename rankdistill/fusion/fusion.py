"""How several rankings become one, as a setting."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rankdistill.errors import ConfigError
from rankdistill.fusion.base import Ranking, check_weights
from rankdistill.fusion.rrf import CONSTANT, rrf
from rankdistill.fusion.scales import min_max, z_score
from rankdistill.fusion.weighted import weighted_sum


@dataclass(frozen=True)
class Fusion:
    """A method of fusion with its settings.

    Args:
        method: a key of `METHODS`.
        weights: one a system, in their order; None: equal ones.
        k: the constant of `rrf`; the other methods do not read it.

    Raises:
        ConfigError: no such method, or a constant below 0.
    """

    method: str = "rrf"
    weights: tuple[float, ...] | None = None
    k: float = CONSTANT

    def __post_init__(self) -> None:
        if self.method not in METHODS or not 0 <= self.k < float("inf"):
            raise ConfigError(
                expected=f"a method of fusion ({', '.join(METHODS)}) and a constant k of at least 0",
                got=f"{self.method!r} and {self.k:g}",
                consequence="nothing was fused",
                remedy="name one of those methods",
            )

    @property
    def parameters(self) -> Mapping[str, Any]:
        """What decides the result, as JSON values."""
        weights = None if self.weights is None else list(self.weights)
        return {"method": self.method, "weights": weights} | ({"k": self.k} if self.method == "rrf" else {})

    def require_systems(self, count: int) -> None:
        """Raise ConfigError unless there are at least two systems and, if there are weights, one for each."""
        if count < 2:
            raise ConfigError(
                expected="at least two systems to fuse",
                got=str(count),
                consequence="nothing was fused",
                remedy="name another one",
            )
        if self.weights is not None:
            check_weights(self.weights, count)

    def __call__(self, rankings: Sequence[Ranking]) -> dict[str, float]:
        """The fused ranking of one query, best first; equal scores in the order of first appearance.

        Args:
            rankings: one a system, best first; an empty one where the system found nothing.

        Raises:
            ConfigError: the weights are not as many as the rankings.
            DataError: a score is not finite, and the method reads scores.
        """
        return METHODS[self.method](rankings, self)


METHODS: Mapping[str, Callable[[Sequence[Ranking], Fusion], dict[str, float]]] = {
    "rrf": lambda rankings, fusion: rrf(rankings, fusion.weights, fusion.k),
    "min_max": lambda rankings, fusion: weighted_sum(rankings, min_max, fusion.weights),
    "z_score": lambda rankings, fusion: weighted_sum(rankings, z_score, fusion.weights),
}
"""Add a method here."""
