"""The second stage: what was found, in the order of a model that reads query and document together or by tokens."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from math import inf
from typing import Any, Protocol

import numpy as np

from rankdistill.errors import ConfigError
from rankdistill.fusion.reordering import reordered
from rankdistill.indexing import NOTHING, Hit
from rankdistill.inference.token_vectors import max_sim, of_texts
from rankdistill.serving.contracts import Encoded, Scored, ServedModel, Timing
from rankdistill.serving.refusals import BackendRefusal
from rankdistill.serving.retrieval.leg import Leg
from rankdistill.serving.retrieval.texts import Texts

WITHOUT_TEXTS = (
    "the indexes keep the beginnings of their documents, or nothing; serve with --data COLLECTION, or build them with "
    "--snippets longer than the longest document"
)
"""Why there is no second stage beside a re-ranker."""


class Scorer(Protocol):
    """Scores documents for a query."""

    name: str

    async def score(self, query: str, ids: Sequence[str], truncate: bool) -> tuple[Mapping[str, float], Timing, bool]:
        """Document -> score (minus infinity: it has none), how long it took, and whether the query was cut."""
        ...


class PairScorer:
    """A cross-encoder.

    Args:
        model: of kind `pairs`.
        texts: of all documents.
    """

    def __init__(self, model: ServedModel, texts: Texts) -> None:
        self.name, self._model, self._texts = model.name, model, texts

    async def score(self, query: str, ids: Sequence[str], truncate: bool) -> tuple[Mapping[str, float], Timing, bool]:
        """See `Scorer.score`. That a document was cut is no fault of the request's: it is read as far as it goes."""
        texts = _texts_of(self._texts, ids)
        distinct = list(dict.fromkeys(texts))  # scored twice, a text could have two scores that differ in the last bit
        found: Scored = await self._model.score(query, distinct, truncate=True)
        score_of = dict(zip(distinct, np.asarray(found.scores).tolist(), strict=True))
        return {doc_id: score_of[text] for doc_id, text in zip(ids, texts, strict=True)}, found.timing, False


class EncodingScorer:
    """A multi-vector model that reads the documents' texts.

    Args:
        model: of kind `multi_vector`, which encodes documents too.
        texts: of all documents.
    """

    def __init__(self, model: ServedModel, texts: Texts) -> None:
        self.name, self._model, self._texts = model.name, model, texts

    async def score(self, query: str, ids: Sequence[str], truncate: bool) -> tuple[Mapping[str, float], Timing, bool]:
        """See `Scorer.score`."""
        space: Any = self._model.space
        texts = _texts_of(self._texts, ids)
        distinct = list(dict.fromkeys(texts))
        asked, read = await asyncio.gather(
            self._model.encode([query], "query", truncate=truncate), self._model.encode(distinct, "document")
        )
        one, others = of_texts(list(asked.vectors), space.dimension), of_texts(list(read.vectors), space.dimension)
        scores = await asyncio.to_thread(max_sim, one, others, space.similarity == "meanmaxsim")
        score_of = dict(zip(distinct, scores[0].tolist(), strict=True))
        scored = {doc_id: score_of[text] for doc_id, text in zip(ids, texts, strict=True)}
        return scored, read.timing, bool(asked.truncated)


class IndexScorer:
    """A multi-vector model whose vectors of the documents are in a served index: no text is read.

    Args:
        leg: the index, which is searched exactly, with its model.
    """

    def __init__(self, leg: Leg) -> None:
        if leg.model is None:
            raise TypeError("an index of texts has no token vectors")
        self.name, self._leg, self._model = leg.model.name, leg, leg.model

    async def score(self, query: str, ids: Sequence[str], truncate: bool) -> tuple[Mapping[str, float], Timing, bool]:
        """See `Scorer.score`."""
        asked: Encoded = await self._model.encode([query], "query", truncate=truncate)
        vectors = of_texts(list(asked.vectors), self._leg.space.dimension)
        found = await asyncio.to_thread(self._scores, vectors, ids)
        return {doc_id: found.get(doc_id, -inf) for doc_id in ids}, asked.timing, bool(asked.truncated)

    def _scores(self, query: Any, ids: Sequence[str]) -> dict[str, float]:
        names, scores = self._leg.index.search(query, len(ids), self._leg.index.among(ids))
        return {doc_id: score for doc_id, score in zip(names[0], scores[0].tolist(), strict=True) if doc_id != NOTHING}


class Reranker:
    """Scores the best of what was found.

    Args:
        scorer: of the documents.
        depth: documents a query that it scores; the rest follow.
    """

    def __init__(self, scorer: Scorer, depth: int) -> None:
        self.name, self.scorer, self.depth = scorer.name, scorer, depth

    async def order(self, query: str, hits: Sequence[Hit], k: int, truncate: bool) -> tuple[list[Hit], Timing, bool]:
        """The best `k` of `hits`, what scoring took, and whether the query was cut."""
        ids = [hit.doc_id for hit in hits]
        if not ids:
            return [], Timing(), False
        scores, timing, cut = await self.scorer.score(query, ids[: self.depth], truncate)
        if any(np.isnan(score) or score == inf for score in scores.values()):
            raise BackendRefusal(
                expected="finite scores of the re-ranker",
                got="NaN or infinity",
                consequence="this request was not answered: its order would mean nothing",
                remedy="look at the model with `rankdistill doctor`, or search without re-ranking",
            )
        return [Hit(doc_id, score) for doc_id, score in list(reordered(ids, scores).items())[:k]], timing, cut


def _texts_of(texts: Texts, ids: Sequence[str]) -> list[str]:
    return [text or "" for text in texts.of(ids)]


def open_reranker(model: ServedModel, depth: int, legs: Sequence[Leg], collection: Texts | None) -> Reranker | None:
    """The second stage of `model`; None where it reads texts and the indexes do not keep them whole.

    Args:
        model: of kind `pairs` or `multi_vector`.
        depth: documents that it scores.
        legs: the served indexes, any of which may be the first stage.
        collection: whole texts; None: those that the indexes keep.

    Raises:
        ConfigError: a model of another kind, or a collection that lacks documents.
    """
    if model.kind == "multi_vector":
        for leg in legs:
            exact = leg.mode == "multi_vector" and leg.index.factory == "exact" and leg.model is model
            if exact and all(set(leg.index.ids) >= set(other.index.ids) for other in legs):
                return Reranker(IndexScorer(leg), depth)
    elif model.kind != "pairs":
        raise ConfigError(
            expected="a re-ranker that is a cross-encoder or a multi-vector model",
            got=f"{model.name}, which is of kind {model.kind}",
            consequence="nothing was served",
            remedy="name another model as re-ranker, or serve its index: `fused` searches it beside the others",
        )
    missing = [] if collection is None else [one for leg in legs for one in collection.missing(leg.index.ids)]
    if missing:
        raise ConfigError(
            expected="the texts of all documents of the indexes in the collection",
            got=f"no text of {len(missing):,} of them, as {missing[0]!r}",
            consequence="nothing was served: what has no text cannot be re-ranked",
            remedy="give the collection that the indexes were built from",
        )
    kept = [leg.texts for leg in legs if leg.texts is not None and leg.texts.whole]
    for texts in kept if collection is None else [collection]:
        if not any(texts.missing(leg.index.ids) for leg in legs):
            return Reranker(PairScorer(model, texts) if model.kind == "pairs" else EncodingScorer(model, texts), depth)
    return None
