"""What all kinds of models are loaded with, and share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rankdistill import models
from rankdistill.serving.contracts import Limits, Metrics, Side
from rankdistill.serving.engine.lane import Lane
from rankdistill.serving.engine.rows import Row, Tower
from rankdistill.space import AnySpace, TextSpace


@dataclass(frozen=True)
class Loading:
    """See `models.load_model`."""

    name: str
    backend: str
    threads: int | None
    limits: Limits
    metrics: Metrics | None
    documents: AnySpace | None

    def length(self, reference: str) -> int | None:
        """Tokens that a sparse or multi-vector model reads at most: as many as when it made the documents' index."""
        found = self.documents
        if found is None or isinstance(found, TextSpace):
            return None
        return found.max_length if models.resolve(reference).weights_hash == found.document_tower else None

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
