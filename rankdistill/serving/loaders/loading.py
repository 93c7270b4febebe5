"""What all kinds of models are loaded with, and share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rankdistill.serving.contracts import Limits, Metrics, Side
from rankdistill.serving.engine.lane import Lane
from rankdistill.serving.engine.rows import Row, Tower
from rankdistill.space import Space


@dataclass(frozen=True)
class Loading:
    """See `models.load_model`."""

    name: str
    backend: str
    threads: int | None
    limits: Limits
    metrics: Metrics | None
    documents: Space | None

    def lane(self, tower: Any, sample: Callable[[int], Row], inline: bool = False) -> Lane:
        """A queue for `tower`, measured and warm."""
        return Lane(tower, sample, self.limits, self.metrics, self.name, inline)


def precision_of(backend: str) -> str:
    """What the back end of that name computes in."""
    from rankdistill.inference.backends import BACKENDS

    return BACKENDS[backend].precision if backend in BACKENDS else "float32"


def sample_of(tower: Tower, side: Side = "query") -> Callable[[int], Row]:
    """Rows of a text of about so many tokens, for measuring and probing."""
    return lambda tokens: tower.rows([sample_text(tokens)], side, "")[0]


def sample_text(tokens: int) -> str:
    """A text of about so many tokens, special ones included."""
    return " ".join(["river"] * max(1, tokens - 2))
