"""Served models upon the package's own encoders, without a queue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rankdistill.indexing.kinds import KINDS
from rankdistill.inference.conversation import Conversation
from rankdistill.inference.pair_scorer import PairScorer
from rankdistill.serving.contracts import Encoded, ModelKind, Scored, Side, Timing, Token
from rankdistill.space import AnySpace


class PlainModel:
    """A `ServedModel` that encodes at once, with what evaluation encodes with; it counts its calls."""

    backend, precision, weights = "torch", "float32", "0"
    prompts: Mapping[str, str] = {}
    dimensions: tuple[int, ...] = ()
    symmetric = False
    conversation: Conversation | None = None

    def __init__(self, reference: str, kind: ModelKind = "dense", documents: Any = None) -> None:
        self.name, self.kind = kind, kind
        self.sides: tuple[Side, ...] = ("query", "document")
        self.encoder: Any = KINDS[kind].open_queries(reference, "torch", None, documents)
        self.space: AnySpace | None = self.encoder.space
        self.query_spaces: Sequence[AnySpace] = self.encoder.query_spaces
        self.calls: list[int] = []

    def max_length(self, side: Side) -> int | None:
        return 64

    def tokenise(self, texts: Sequence[str], side: Side, special: bool = True) -> list[list[Token]]:
        """A token a printable ASCII character."""
        return [[Token(ord(one), one, False, None, None) for one in text if "!" <= one <= "~"] for text in texts]

    def vocabulary(self) -> Sequence[str]:
        return self.encoder.vocabulary if self.kind == "sparse" else ()

    async def encode(
        self, texts: Sequence[str], side: Side, *, truncate: bool = True, prompt: str | None = None
    ) -> Encoded:
        self.calls.append(len(texts))
        method = self.encoder.encode_queries if side == "query" else self.encoder.encode_documents
        vectors = method(list(texts))
        if self.kind == "multi_vector":
            vectors = [vectors[place] for place in range(len(texts))]
        cut = [place for place, text in enumerate(texts) if len(text.split()) > 62]
        return Encoded(vectors, [len(text.split()) for text in texts], cut, Timing(0.001, 0.002, 0.003))

    async def score(self, query: str, texts: Sequence[str], *, truncate: bool = True) -> Scored:
        raise NotImplementedError

    async def probe(self) -> None:
        raise NotImplementedError

    async def close(self) -> None:
        """Nothing to close."""


class Pairs(PlainModel):
    """Scores pairs as a cross-encoder of the package does."""

    def __init__(self, reference: str) -> None:
        self.name, self.kind = "pairs", "pairs"
        self.sides, self.space, self.query_spaces = (), None, ()
        self.scorer = PairScorer(reference, backend="torch")
        self.calls = []

    async def score(self, query: str, texts: Sequence[str], *, truncate: bool = True) -> Scored:
        self.calls.append(len(texts))
        scores = self.scorer.score([(query, text) for text in texts])
        return Scored(np.asarray(scores, np.float32), [len(text.split()) for text in texts])
