"""A served cross-encoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import numpy as np

from rankdistill.inference.conversation import Conversation
from rankdistill.serving.contracts import Encoded, Limits, ModelKind, Scored, Side, Timing, Token
from rankdistill.serving.engine.lane import Lane
from rankdistill.serving.engine.rows import Row, Runner
from rankdistill.serving.refusals import BadRequestError
from rankdistill.space import AnySpace


class PairTower(Runner, Protocol):
    """Makes rows of pairs, and runs them."""

    def max_length(self, side: Side) -> int | None:
        """Tokens of a pair at most."""
        ...

    def pair_rows(self, query: str, texts: Sequence[str]) -> list[Row]:
        """A row for the pair of `query` and each text."""
        ...

    def tokenise(self, texts: Sequence[str], special: bool) -> list[list[Token]]:
        """The tokens of each text, whole."""
        ...


@dataclass
class PairModel:
    """Implements `contracts.ServedModel` for pairs.

    Args:
        name: what requests call it.
        backend: that runs it.
        precision: that it computes in.
        weights: hash of its weights.
        tower: tokenises and runs.
        lane: its queue.
        limits: of the server.
    """

    name: str
    backend: str
    precision: str
    weights: str
    tower: PairTower
    lane: Lane
    limits: Limits = field(default_factory=Limits)
    kind: ModelKind = "pairs"
    sides: tuple[Side, ...] = ()
    space: AnySpace | None = None
    query_spaces: Sequence[AnySpace] = ()
    symmetric: bool = False
    dimensions: tuple[int, ...] = ()
    prompts: Mapping[str, str] = field(default_factory=dict)
    conversation: Conversation | None = None

    def max_length(self, side: Side) -> int | None:
        """Tokens of a pair at most, special ones included."""
        return self.tower.max_length(side)

    def tokenise(self, texts: Sequence[str], side: Side, special: bool = True) -> list[list[Token]]:
        """The tokens of each text, whole."""
        return self.tower.tokenise(texts, special)

    def vocabulary(self) -> Sequence[str]:
        """Empty."""
        return ()

    async def encode(
        self, texts: Sequence[str], side: Side, *, truncate: bool = True, prompt: str | None = None
    ) -> Encoded:
        """Refused: it gives no vectors.

        Raises:
            BadRequestError: always.
        """
        raise BadRequestError(
            expected="a model that gives vectors",
            got=f"{self.name}, which scores pairs",
            consequence="nothing was encoded",
            remedy="name another served model, or send pairs to /rerank",
        )

    async def score(self, query: str, texts: Sequence[str], *, truncate: bool = True) -> Scored:
        """Scores of pairs of `query` and each text, at least one, as logits.

        Raises:
            TooLongError: a pair is too long and `truncate` is false.
            OverloadedError: the queue is full.
            UnavailableError: the model is draining or broken.
            BackendRefusal: the back end failed.
        """
        outcome = await self.lane.outcome(texts, partial(self.tower.pair_rows, query), truncate)
        return Scored(
            np.array([output[0] for output in outcome.outputs], np.float32),
            [row.tokens for row in outcome.rows],
            [place for place, row in enumerate(outcome.rows) if row.is_cut],
            Timing(outcome.tokenisation, outcome.queue, outcome.inference),
        )

    async def probe(self) -> None:
        """One known pair through the back end itself, past the queue; BackendRefusal where it is broken."""
        await self.lane.probe()

    async def close(self) -> None:
        """Answer what waits, then let the back end go."""
        await self.lane.close(self.limits.drain)
