"""A served model that gives vectors: dense, sparse, or one a token."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from rankdistill.inference.conversation import Conversation
from rankdistill.serving.contracts import Encoded, Limits, Metrics, ModelKind, Scored, Side, Timing, Token
from rankdistill.serving.engine.cache import Kept, VectorCache
from rankdistill.serving.engine.lane import Lane, require_whole
from rankdistill.serving.engine.rows import Row, Tower
from rankdistill.serving.refusals import BadRequestError, OtherSpaceError
from rankdistill.space import AnySpace

NO_TIME = Timing()


@dataclass(frozen=True)
class ServedTower:
    """What encodes one side.

    Args:
        tower: tokenises and runs.
        lane: its queue, which both sides may share.
        prompt: before each text unless a request names another.
    """

    tower: Tower
    lane: Lane
    prompt: str


@dataclass
class EmbeddingModel:
    """Implements `contracts.ServedModel` for texts.

    Args:
        name: what requests call it.
        kind: of its vectors.
        space: that they live in.
        query_spaces: all spaces whose documents its query vectors may be compared with.
        dimensions: that vectors may be cut to, longest first.
        backend: of the query side.
        precision: that it computes in.
        weights: hash of those of the query side.
        prompts: by name.
        towers: side -> tower.
        stacked: outputs of rows as one thing.
        routed: whether a text takes another way through the model on each side.
        terms: of the dimensions of a sparse model.
        limits: of the server.
        metrics: told of answers from the cache.
        about: where the other side is, for those who ask this one.
        conversation: how turns are a query; None where it reads no conversations.
    """

    name: str
    kind: ModelKind
    space: AnySpace | None
    query_spaces: Sequence[AnySpace]
    dimensions: tuple[int, ...]
    backend: str
    precision: str
    weights: str
    prompts: Mapping[str, str]
    towers: Mapping[Side, ServedTower]
    stacked: Callable[[Sequence[Any]], Any]
    routed: bool = False
    terms: Sequence[str] = ()
    limits: Limits = field(default_factory=Limits)
    metrics: Metrics | None = None
    about: str = ""
    conversation: Conversation | None = None

    def __post_init__(self) -> None:
        first, *others = self.towers.values()
        self.symmetric = not self.routed and all(
            other.tower is first.tower and other.prompt == first.prompt for other in others
        )
        self.sides: tuple[Side, ...] = tuple(self.towers)
        self._cache = VectorCache(self.limits.cache)

    def max_length(self, side: Side) -> int | None:
        """Tokens of a text at most, special ones included; None where there is no maximum."""
        return self._of(side).tower.max_length(side)

    def tokenise(self, texts: Sequence[str], side: Side, special: bool = True) -> list[list[Token]]:
        """The tokens of each text, whole."""
        return self._of(side).tower.tokenise(texts, special)

    def vocabulary(self) -> Sequence[str]:
        """The term of each dimension of a sparse model; empty for others."""
        return self.terms

    async def encode(
        self, texts: Sequence[str], side: Side, *, truncate: bool = True, prompt: str | None = None
    ) -> Encoded:
        """Encode `texts`, at least one; `prompt` stands before each, the side's own where it is None.

        Raises:
            TooLongError: a text is too long and `truncate` is false.
            OverloadedError: the queue is full.
            UnavailableError: the model is draining or broken.
            BackendRefusal: the back end failed.
            OtherSpaceError: the model does not encode this side.
        """
        served = self._of(side)
        if prompt is None:
            prompt = served.prompt
        if side != "query" or not self.limits.cache:
            outcome = await served.lane.outcome(texts, partial(self._rows, served.tower, side, prompt), truncate)
            timing = Timing(outcome.tokenisation, outcome.queue, outcome.inference)
            return self._encoded(outcome.outputs, outcome.rows, timing, 0)
        known = [self._cache.get(text, prompt) for text in texts]
        if None not in known:
            return self._from_cache(known, truncate)
        missing = [place for place, kept in enumerate(known) if kept is None]
        asked = texts if len(missing) == len(texts) else [texts[place] for place in missing]
        outcome = await served.lane.outcome(asked, partial(self._rows, served.tower, side, prompt), truncate)
        for place, row, output in zip(missing, outcome.rows, outcome.outputs, strict=True):
            known[place] = kept = Kept(output.copy(), row.tokens, row.whole)
            self._cache.put(texts[place], prompt, kept)
        timing = Timing(outcome.tokenisation, outcome.queue, outcome.inference)
        return self._from_cache(known, truncate, timing, len(texts) - len(missing))

    async def score(self, query: str, texts: Sequence[str], *, truncate: bool = True) -> Scored:
        """Refused: it scores no pairs.

        Raises:
            BadRequestError: always.
        """
        raise BadRequestError(
            expected="a model that scores pairs (a cross-encoder)",
            got=f"{self.name}, which gives vectors ({self.kind})",
            consequence="nothing was scored",
            remedy="serve a cross-encoder too (--reranker), or compare vectors yourself",
        )

    async def probe(self) -> None:
        """One known text through each back end itself, past queue and cache; BackendRefusal where one is broken."""
        await asyncio.gather(*(lane.probe() for lane in self._lanes()))

    async def close(self) -> None:
        """Answer what waits, then let the back end go."""
        await asyncio.gather(*(lane.close(self.limits.drain) for lane in self._lanes()))

    def _from_cache(
        self, known: Sequence[Kept | None], truncate: bool, timing: Timing = NO_TIME, cached: int | None = None
    ) -> Encoded:
        found = [kept for kept in known if kept is not None]
        hits = len(found) if cached is None else cached
        rows = [Row(None, kept.tokens, kept.whole) for kept in found]
        if not truncate:
            require_whole(rows, self.name)
        if hits and self.metrics is not None:
            self.metrics.cache_hits(hits)
        return self._encoded([kept.output for kept in found], rows, timing, hits)

    def _encoded(self, outputs: Sequence[Any], rows: Sequence[Row], timing: Timing, cached: int) -> Encoded:
        truncated = [place for place, row in enumerate(rows) if row.is_cut]
        return Encoded(self.stacked(outputs), [row.tokens for row in rows], truncated, timing, cached)

    @staticmethod
    def _rows(tower: Tower, side: Side, prompt: str, texts: Sequence[str]) -> list[Row]:
        return tower.rows(texts, side, prompt)

    def _lanes(self) -> list[Lane]:
        return list({id(served.lane): served.lane for served in self.towers.values()}.values())

    def _of(self, side: Side) -> ServedTower:
        found = self.towers.get(side)
        if found is None:
            raise OtherSpaceError(
                expected=f"a text for {self.name} to encode as {' or '.join(self.towers)}",
                got=f"one to encode as {side}",
                consequence="nothing was encoded: its vector would not be comparable with those of its side",
                remedy=self.about or f"serve a model that encodes {side} texts too",
            )
        return found
