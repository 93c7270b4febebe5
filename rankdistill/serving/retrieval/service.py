"""The search service: requests to answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rankdistill.fusion import Fusion
from rankdistill.indexing import Hit
from rankdistill.serving.contracts import Limits, SearchAnswer, SearchHit, SearchRequest, Timing
from rankdistill.serving.refusals import EmptyError, TooLargeError
from rankdistill.serving.retrieval.leg import Leg
from rankdistill.serving.retrieval.plan import FUSED, Plan, plan, served_modes
from rankdistill.serving.retrieval.reranking import Reranker
from rankdistill.serving.retrieval.texts import Texts
from rankdistill.serving.tokens_left import require_tokens

SHOWN_AT_ONCE = 200
"""Documents whose fields are looked up in the event loop; more of them would let other requests wait."""


class IndexSearch:
    """All served indexes; a `rankdistill.serving.contracts.SearchService`.

    Args:
        legs: name -> index.
        fused: those that `fused` searches, in the order of the fusion's weights; empty where they are not fused.
        limits: of requests.
        fusion: how they are fused.
        reranker: the second stage, or None.
        corpus: texts of the documents, in place of those that the indexes keep.
    """

    def __init__(
        self,
        legs: Mapping[str, Leg],
        fused: Sequence[Leg],
        limits: Limits,
        fusion: Fusion,
        reranker: Reranker | None = None,
        corpus: Texts | None = None,
    ) -> None:
        self._legs, self._fused, self._limits, self._fusion = legs, fused, limits, fusion
        self._reranker, self._corpus = reranker, corpus
        self.indexes = tuple(legs)
        self.modes = served_modes(legs, fused)
        self.settings: Mapping[str, Any] = {
            "fusion": dict(fusion.parameters) if fused else None,
            "rerank_depth": None if reranker is None else reranker.depth,
        }

    async def search(
        self, requests: Sequence[SearchRequest], filter: Mapping[str, Any] | None = None
    ) -> list[SearchAnswer]:
        """See `SearchService.search`."""
        started = time.perf_counter()
        if len(requests) > self._limits.searches:
            raise TooLargeError(
                expected=f"at most {self._limits.searches} searches a request",
                got=str(len(requests)),
                consequence="nothing was searched",
                remedy="send them in several requests; the limit is in /info",
            )
        depth = None if self._reranker is None else self._reranker.depth
        work = [_Asked(request, plan(request, self._legs, self._fused, self._limits, depth)) for request in requests]
        for one in work:
            one.truncated = one.plan.cut
            one.filters = {leg.name: leg.filter_of(filter, one.request.filter) for leg in one.plan.legs}
        legs = {leg.name: leg for one in work for leg in one.plan.legs}
        await _together([_search(leg, [one for one in work if leg.name in one.filters]) for leg in legs.values()])
        best = [self._merged(one) for one in work]
        if self._reranker is not None:
            await _together([self._rerank(one, best, place) for place, one in enumerate(work) if one.plan.reranked])
        if sum(min(len(hits), one.request.k) for one, hits in zip(work, best, strict=True)) <= SHOWN_AT_ONCE:
            return self._answers(work, best, started)
        return await asyncio.to_thread(self._answers, work, best, started)

    def describe(self) -> Mapping[str, Any]:
        """See `SearchService.describe`."""
        return {name: leg.describe() for name, leg in self._legs.items()}

    async def close(self) -> None:
        """See `SearchService.close`."""
        for leg in self._legs.values():
            await leg.close()

    def _merged(self, one: _Asked) -> list[Hit]:
        found = [one.hits[leg.name] for leg in one.plan.legs]
        if one.plan.mode != FUSED:
            return found[0]
        ranking = self._fusion([{hit.doc_id: hit.score for hit in hits} for hits in found])
        return [Hit(doc_id, score) for doc_id, score in ranking.items()]

    async def _rerank(self, one: _Asked, best: list[list[Hit]], place: int) -> None:
        assert self._reranker is not None
        assert one.request.query is not None
        hits = best[place][: one.plan.depth]
        best[place], timing, cut = await self._reranker.order(
            one.request.query, hits, one.request.k, one.request.truncate
        )
        one.truncated |= cut
        one.timing = replace(
            one.timing, queue=one.timing.queue + timing.queue, inference=one.timing.inference + timing.inference
        )

    def _answers(self, work: Sequence[_Asked], best: Sequence[Sequence[Hit]], started: float) -> list[SearchAnswer]:
        return [self._answer(one, hits, started) for one, hits in zip(work, best, strict=True)]

    def _answer(self, one: _Asked, hits: Sequence[Hit], started: float) -> SearchAnswer:
        hits = hits[: one.request.k]
        shown = self._shown(one.plan.legs, [hit.doc_id for hit in hits])
        return SearchAnswer(
            [SearchHit(hit.doc_id, hit.score, fields) for hit, fields in zip(hits, shown, strict=True)],
            time.perf_counter() - started,
            one.plan.legs[0].fingerprint,
            one.plan.mode,
            one.timing,
            one.truncated,
            one.terms,
            one.plan.reranked,
            one.tokens,
        )

    def _shown(self, legs: Sequence[Leg], ids: Sequence[str]) -> list[dict[str, Any]]:
        """The fields of documents; their beginnings as `text`, unless a field has that name."""
        texts = self._corpus or next((leg.texts for leg in legs if leg.texts is not None), None)
        shown: list[dict[str, Any]] = [{} for _ in ids]
        if texts is not None:
            for fields, text in zip(shown, texts.beginnings(ids), strict=True):
                if text is not None:
                    fields["text"] = text
        for leg in reversed(legs):
            for fields, values in zip(shown, leg.index.fields_of(ids), strict=True):
                fields |= values
        return shown


@dataclass
class _Asked:
    """A request while it is answered: `filters` and `hits` by the name of the index."""

    request: SearchRequest
    plan: Plan
    filters: Mapping[str, Any] = field(default_factory=dict)
    hits: dict[str, list[Hit]] = field(default_factory=dict)
    timing: Timing = field(default_factory=Timing)
    truncated: bool = False
    tokens: int = 0
    terms: Mapping[str, float] | None = None


async def _search(leg: Leg, work: Sequence[_Asked]) -> None:
    """Encode what is asked of `leg`, and search it: requests under one filter together."""
    rows = await _encoded(leg, work)
    groups: dict[tuple[Any, int], list[tuple[_Asked, Any]]] = {}
    for one, row in zip(work, rows, strict=True):
        if leg.mode == "dense" and not row.any():
            one.hits[leg.name] = _of_no_direction(leg, one)
            continue
        groups.setdefault((one.filters[leg.name], one.plan.depth), []).append((one, row))

    async def answer(filter: Any, depth: int, group: Sequence[tuple[_Asked, Any]]) -> None:
        found = await leg.search([row for _, row in group], depth, filter)
        for (one, _), hits in zip(group, found, strict=True):
            one.hits[leg.name] = hits

    await _together([answer(filter, depth, group) for (filter, depth), group in groups.items()])


def _of_no_direction(leg: Leg, one: _Asked) -> list[Hit]:
    """What a vector of zeros finds: nothing, as every document is as near; EmptyError where nothing else finds more."""
    if one.plan.mode == FUSED:
        return []
    raise EmptyError(
        expected="a query with a word that the model knows"
        if one.request.vector is None
        else "a vector with a direction",
        got=f"one whose vector for {leg.name} is zero",
        consequence="nothing was searched: every document would be as good",
        remedy="ask with other words" if one.request.vector is None else "send the vector as the model gave it",
    )


async def _encoded(leg: Leg, work: Sequence[_Asked]) -> list[Any]:
    """The queries as the leg's `Form` has them."""
    rows: list[Any] = [
        None if one.request.vector is None else leg.form.parse(one.request.vector, leg.space.dimension, leg.vocabulary)
        for one in work
    ]
    for truncate in (True, False):
        asked = [place for place, one in enumerate(work) if one.plan.texts and one.request.truncate is truncate]
        texts = [work[place].plan.texts[leg.name] for place in asked]
        if not texts:
            continue
        if leg.model is None:
            found: Sequence[Any] = texts
        else:
            await require_tokens(leg.model, texts, "query")
            encoded = await leg.model.encode(texts, "query", truncate=truncate)
            found = leg.form.rows(encoded.vectors)
            for place in encoded.truncated:
                work[asked[place]].truncated = True
            for place, tokens in zip(asked, encoded.tokens, strict=True):
                work[place].timing = encoded.timing
                work[place].tokens += tokens
        for place, row in zip(asked, found, strict=True):
            rows[place] = row
    if leg.vocabulary:
        for one, row in zip(work, rows, strict=True):
            weighed = sorted(zip(row.data.tolist(), row.indices.tolist(), strict=True), key=lambda term: -term[0])
            one.terms = {leg.vocabulary[term]: weight for weight, term in weighed}
    return rows


async def _together(parts: Sequence[Any]) -> None:
    """Run coroutines at once; the first error ends the others."""
    if len(parts) == 1:
        await parts[0]
        return
    try:
        async with asyncio.TaskGroup() as group:
            for part in parts:
                group.create_task(part)
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
