"""The search service: requests to answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

from rankdistill.fusion import Fusion
from rankdistill.indexing import Hit
from rankdistill.indexing.fused import DEPTH
from rankdistill.serving.contracts import Limits, SearchAnswer, SearchHit, SearchRequest, Timing
from rankdistill.serving.refusals import TooLargeError
from rankdistill.serving.retrieval.leg import Leg
from rankdistill.serving.retrieval.plan import FUSED, Plan, plan, served_modes


class IndexSearch:
    """All served indexes; a `rankdistill.serving.contracts.SearchService`.

    Args:
        legs: name -> index.
        fused: those that `fused` searches, in the order of the fusion's weights; empty where they are not fused.
        limits: of requests.
        fusion: how they are fused.
    """

    def __init__(self, legs: Mapping[str, Leg], fused: Sequence[Leg], limits: Limits, fusion: Fusion) -> None:
        self._legs, self._fused, self._limits, self._fusion = legs, fused, limits, fusion
        self.indexes = tuple(legs)
        self.modes = served_modes(legs, fused)

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
        plans = [plan(request, self._legs, self._fused, self._limits) for request in requests]
        work = _Work(requests, plans, filter)
        legs = list({leg.name: leg for one in plans for leg in one.legs}.values())
        await _together([work.run(leg) for leg in legs])
        return [self._answer(work, place, started) for place in range(len(requests))]

    def describe(self) -> Mapping[str, Any]:
        """See `SearchService.describe`."""
        return {
            "modes": list(self.modes),
            "fusion": dict(self._fusion.parameters) if self._fused else None,
            "indexes": {
                name: {
                    "mode": leg.mode,
                    "documents": len(leg.index.ids),
                    "factory": leg.index.factory,
                    "model": None if leg.model is None else leg.model.name,
                    "space": leg.space.fingerprint,
                    "dimension": leg.space.dimension,
                    "similarity": leg.space.similarity,
                    "hash": leg.index.made.identity,
                    "search_parameters": {
                        **leg.index.made.parameters["search_parameters"],
                        **leg.index.searched_with,
                    },
                }
                for name, leg in self._legs.items()
            },
        }

    async def close(self) -> None:
        """See `SearchService.close`."""
        for leg in self._legs.values():
            await leg.close()

    def _answer(self, work: _Work, place: int, started: float) -> SearchAnswer:
        asked, request = work.plans[place], work.requests[place]
        found = [work.hits[leg.name, place] for leg in asked.legs]
        if asked.mode == FUSED:
            ranking = self._fusion([{hit.doc_id: hit.score for hit in hits} for hits in found])
            best = [Hit(doc_id, score) for doc_id, score in list(ranking.items())[: request.k]]
        else:
            best = found[0]
        return SearchAnswer(
            [SearchHit(hit.doc_id, hit.score) for hit in best],
            time.perf_counter() - started,
            asked.legs[0].space.fingerprint,
            asked.mode,
            work.timings[place],
            place in work.truncated,
            work.terms.get(place),
        )


class _Work:
    """The requests of a call while they are answered: `hits` by index and place, and what the models told."""

    def __init__(
        self, requests: Sequence[SearchRequest], plans: Sequence[Plan], filter: Mapping[str, Any] | None
    ) -> None:
        self.requests, self.plans, self._filter = requests, plans, filter
        self.hits: dict[tuple[str, int], list[Hit]] = {}
        self.truncated: set[int] = set()
        self.terms: dict[int, Mapping[str, float]] = {}
        self.timings = [Timing()] * len(requests)

    async def run(self, leg: Leg) -> None:
        """Encode what is asked of `leg`, and search it: requests of one filter together."""
        places = [place for place, one in enumerate(self.plans) if leg in one.legs]
        rows = await self._encoded(leg, places)
        groups: dict[tuple[str, int], list[int]] = {}
        for place in places:
            request = self.requests[place]
            depth = max(request.k, DEPTH) if self.plans[place].mode == FUSED else request.k
            groups.setdefault((repr(request.filter), depth), []).append(place)
        await _together([self._search(leg, group, rows, depth) for (_, depth), group in groups.items()])

    async def _search(self, leg: Leg, group: Sequence[int], rows: Mapping[int, Any], depth: int) -> None:
        found, _ = await leg.search([rows[place] for place in group], depth, self._filter_of(group[0]))
        for place, hits in zip(group, found, strict=True):
            self.hits[leg.name, place] = hits

    def _filter_of(self, place: int) -> Mapping[str, Any] | None:
        """The request's filter and the key's, both."""
        given = [one for one in (self._filter, self.requests[place].filter) if one is not None]
        return {"must": given} if len(given) > 1 else next(iter(given), None)

    async def _encoded(self, leg: Leg, places: Sequence[int]) -> dict[int, Any]:
        """Place -> its query, as the leg's `Form` has it."""
        rows: dict[int, Any] = {}
        for truncate in (True, False):
            texts = {
                place: text
                for place in places
                if (text := self.plans[place].text) is not None and self.requests[place].truncate is truncate
            }
            if not texts:
                continue
            if leg.model is None:
                rows |= texts
                continue
            encoded = await leg.model.encode(list(texts.values()), "query", truncate=truncate)
            rows |= dict(zip(texts, leg.form.rows(encoded.vectors), strict=True))
            order = list(texts)
            self.truncated.update(order[place] for place in encoded.truncated)
            for place in order:
                self.timings[place] = encoded.timing
        for place in places:
            if (vector := self.requests[place].vector) is not None:
                rows[place] = leg.form.parse(vector, leg.space.dimension, leg.vocabulary)
        if leg.mode == "sparse":
            self._tell_terms(leg, rows)
        return rows

    def _tell_terms(self, leg: Leg, rows: Mapping[int, Any]) -> None:
        if not leg.vocabulary:
            return
        for place, row in rows.items():
            weighed = sorted(zip(row.data.tolist(), row.indices.tolist(), strict=True), key=lambda one: -one[0])
            self.terms[place] = {leg.vocabulary[term]: weight for weight, term in weighed}


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
