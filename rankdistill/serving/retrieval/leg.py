"""One served index: searches that wait are one batch when its thread is free, so that they share a product."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import reduce
from operator import and_
from typing import Any

from rankdistill.errors import ConfigError, RankdistillError, SpaceMismatchError
from rankdistill.indexing import NOTHING, Hit, StoredIndex
from rankdistill.indexing.filters import Filter
from rankdistill.serving.contracts import ServedModel
from rankdistill.serving.refusals import BackendRefusal, BadRequestError, OverloadedError, Refusal
from rankdistill.serving.retrieval.forms import FORMS
from rankdistill.serving.retrieval.texts import kept

log = logging.getLogger("rankdistill.serving")

ROWS_AT_ONCE = 256
"""Queries of a batch: more would let the first ones wait for the last."""


@dataclass(frozen=True)
class Waiting:
    """Queries under one filter that wait for the index.

    Args:
        rows: the queries, as the index's `Form` has them.
        k: documents a query.
        filter: of the documents, or None; equal ones are equal.
        future: of the hits, a list a query.
        since: `time.perf_counter()` when they came.
    """

    rows: Sequence[Any]
    k: int
    filter: Filter | None
    future: asyncio.Future[list[list[Hit]]]
    since: float


class Leg:
    """An index with what encodes its queries.

    Searches run in a thread, one batch at a time; what comes meanwhile waits and is the next batch, those under one
    filter with the same k together. No search waits for company.

    Args:
        name: what requests call it.
        index: searched.
        model: of the queries; None for an index of texts.
        wait: seconds; while a search waits for longer, what comes is refused. What a batch of searches takes depends on
            their filters more than on their number, so the queue is measured by the time that it takes.
    """

    def __init__(self, name: str, index: StoredIndex, model: ServedModel | None, wait: float = math.inf) -> None:
        self.name, self.index, self.model = name, index, model
        self.mode = "bm25" if index.kind.name == "text" else index.kind.name
        self.form = FORMS[index.kind.name]
        self.vocabulary = () if model is None or self.mode != "sparse" else model.vocabulary()
        self.space, self.fingerprint = index.space, index.space.fingerprint
        self._wait = wait
        self.texts = kept(index)
        index.fields_of(index.ids[:1])  # read now, not while the first request waits
        self._waiting: list[Waiting] = []
        self._running: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"search-{name}")

    def filter_of(self, *given: Mapping[str, Any] | None) -> Filter | None:
        """All of the filters that are given, as JSON, as one; None where there is none.

        Raises:
            BadRequestError: an unknown field, or a value of another type.
        """
        try:
            read = [self.index.filter(one) for one in given if one is not None]
        except RankdistillError as error:
            raise _refusal(error) from error
        return reduce(and_, read) if read else None

    async def search(self, rows: Sequence[Any], k: int, filter: Filter | None = None) -> list[list[Hit]]:
        """The best `k` of each of `rows`.

        Raises:
            OverloadedError: what waits already has waited for longer than the limit.
            BackendRefusal: the index failed.
        """
        now = time.perf_counter()
        waited = now - self._waiting[0].since if self._waiting else 0.0
        if waited > self._wait:
            raise OverloadedError(
                retry_after=waited,
                expected=f"searches of {self.name} that wait at most {self._wait:g} s",
                got=f"one that has waited for {waited:.1f} s and is still waiting",
                consequence="this request was not searched",
                remedy="send it again after the time in Retry-After, or serve with more workers",
            )
        loop = asyncio.get_running_loop()
        entry = Waiting(rows, k, filter, loop.create_future(), now)
        self._waiting.append(entry)
        if self._running is None:
            self._running = loop.create_task(self._run())
        return await entry.future

    def describe(self) -> Mapping[str, Any]:
        """For `/info`."""
        made = self.index.made.parameters
        return {
            "mode": self.mode,
            "documents": len(self.index.ids),
            "factory": self.index.factory,
            "model": None if self.model is None else self.model.name,
            "space": self.fingerprint,
            "dimension": self.space.dimension,
            "similarity": self.space.similarity,
            "fields": self.index.schema,
            "hash": self.index.made.identity,
            "search_parameters": {**made["search_parameters"], **self.index.searched_with},
            "conversations": self.model is not None and self.model.conversation is not None,
        }

    async def close(self) -> None:
        """Answer what waits, then let the index go."""
        if self._running is not None:
            await self._running
        self._thread.shutdown()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while batch := self._next():
                await loop.run_in_executor(self._thread, self._answer, batch)
        finally:
            self._running = None

    def _next(self) -> list[list[Waiting]]:
        """What is searched next, without those whose client left: groups of one filter and one k."""
        groups: dict[tuple[Filter | None, int], list[Waiting]] = {}
        rows = taken = 0
        for entry in self._waiting:
            if rows >= ROWS_AT_ONCE:
                break
            taken += 1
            if not entry.future.done():
                groups.setdefault((entry.filter, entry.k), []).append(entry)
                rows += len(entry.rows)
        del self._waiting[:taken]
        return list(groups.values())

    def _answer(self, batch: Sequence[Sequence[Waiting]]) -> None:
        """In the thread: each group is one search, and is answered as soon as it is done."""
        for group in batch:
            try:
                found: list[list[list[Hit]]] | Refusal = self._found(group)
            except (ConfigError, SpaceMismatchError, Refusal) as error:
                found = _refusal(error)
            except Exception as error:  # whatever a library raises fails these searches alone
                found = _failed(self.name, error)
            for place, entry in enumerate(group):
                loop = entry.future.get_loop()
                loop.call_soon_threadsafe(_settle, entry.future, found if isinstance(found, Refusal) else found[place])

    def _found(self, group: Sequence[Waiting]) -> list[list[list[Hit]]]:
        rows = [row for entry in group for row in entry.rows]
        queries = self.form.stack(rows, self.space.dimension)
        ids, scores = self.index.search(queries, group[0].k, filter=group[0].filter)
        hits = iter(zip(ids.tolist(), scores.tolist(), strict=True))
        return [
            [
                [Hit(doc_id, score) for doc_id, score in zip(*next(hits), strict=True) if doc_id != NOTHING]
                for _ in entry.rows
            ]
            for entry in group
        ]


def _settle(future: asyncio.Future[list[list[Hit]]], found: list[list[Hit]] | Refusal) -> None:
    if future.done():
        return
    if isinstance(found, Refusal):
        future.set_exception(found)
    else:
        future.set_result(found)


def _refusal(error: RankdistillError) -> Refusal:
    if isinstance(error, Refusal):
        return error
    return BadRequestError(
        expected=error.expected, got=error.got, consequence="nothing was searched", remedy=error.remedy
    )


def _failed(name: str, error: Exception) -> BackendRefusal:
    """What the client is told of a fault of the index, a damaged file say; paths and all else are for the log."""
    log.error("a search in the index %s failed", name, exc_info=error)
    return BackendRefusal(
        expected=f"the index {name} to answer",
        got=type(error).__name__,
        consequence="this request was not answered; others are",
        remedy="look at the server's log; load the index again where it keeps failing",
    )
