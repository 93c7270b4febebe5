"""A tower with its queue: from texts to outputs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any, NamedTuple

from rankdistill.serving.contracts import Limits, Metrics
from rankdistill.serving.engine.pace import Pace, fitted
from rankdistill.serving.engine.queue import BatchQueue, closed
from rankdistill.serving.engine.rows import Row, Runner
from rankdistill.serving.refusals import TooLargeError, TooLongError

BESIDE = 4000
"""Characters beyond which texts are tokenised beside the event loop."""

INLINE = 512
"""Tokens up to which a tower that is only a table is run in the event loop itself."""

SIZES = ((1, 8), (1, 64), (8, 32), (8, 128))
"""Rows and tokens of the batches that a warm-up measures."""

ENOUGH = 0.5
"""Seconds of a batch beyond which the warm-up measures no larger one."""


class Outcome(NamedTuple):
    """Rows and their outputs; seconds that their parts took."""

    rows: list[Row]
    outputs: list[Any]
    tokenisation: float
    queue: float
    inference: float


class Lane:
    """Runs one tower for one or two sides.

    Args:
        tower: makes batches of rows into outputs.
        sample: a row of so many tokens, at most what the model reads.
        limits: of waiting, of a batch, and of a request's tokens.
        metrics: told of both.
        name: of the model.
        inline: whether few rows are run at once, in the event loop, where nothing waits: for what takes microseconds.
    """

    def __init__(
        self,
        tower: Runner,
        sample: Callable[[int], Row],
        limits: Limits,
        metrics: Metrics | None,
        name: str,
        inline: bool = False,
    ) -> None:
        self._tower = tower
        self._inline = inline
        self._name = name
        self._inside = 0
        self._closing: asyncio.Event | None = None
        self._most = limits.tokens
        self._probe = sample(8)
        self.queue = BatchQueue(tower, measured(tower, sample), limits.wait, limits.batch_tokens, metrics, name)

    async def outcome(self, texts: Sequence[str], rows_of: Callable[[Sequence[str]], list[Row]], cut: bool) -> Outcome:
        """The rows of `texts` and their outputs.

        Args:
            texts: at least one.
            rows_of: tokenises them.
            cut: whether a text may be cut.

        Raises:
            TooLongError: one is cut, and `cut` is false.
            TooLargeError: together they have more tokens than a request may have.
            Refusal: as the queue says.
        """
        if self._closing is not None:
            raise closed(self._name)
        self._inside += 1
        try:
            return await self._outcome(texts, rows_of, cut)
        finally:
            self._inside -= 1
            if self._closing is not None and not self._inside:
                self._closing.set()

    async def close(self, timeout: float) -> None:
        """Answer what was accepted, within so many seconds, and take nothing more."""
        if self._closing is None:
            self._closing = asyncio.Event()
        if self._inside:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), timeout)
        await asyncio.to_thread(self.queue.close, timeout)

    async def _outcome(self, texts: Sequence[str], rows_of: Callable[[Sequence[str]], list[Row]], cut: bool) -> Outcome:
        began = perf_counter()
        if sum(map(len, texts)) > BESIDE:
            self.queue.require_room()
            rows = await asyncio.to_thread(rows_of, texts)
        else:
            rows = rows_of(texts)
        if not cut:
            require_whole(rows, self._name)
        tokens = sum(row.tokens for row in rows)
        if tokens > self._most:
            raise TooLargeError(
                expected=f"at most {self._most:,} tokens a request",
                got=f"{tokens:,} in {len(rows):,} texts",
                consequence="nothing was encoded",
                remedy="send them in several requests; /info tells the limits",
            )
        tokenised = perf_counter()
        if self._inline and self.queue.is_idle and tokens <= INLINE:
            outputs = self.queue.run_inline(rows)
            return Outcome(rows, outputs, tokenised - began, 0.0, perf_counter() - tokenised)
        done = await self.queue.submit(rows)
        return Outcome(rows, done.outputs, tokenised - began, done.waited, done.computed)

    async def probe(self) -> None:
        """One known text through the back end.

        Raises:
            BackendRefusal: it fails or hangs.
            UnavailableError: it is closed.
        """
        await self.queue.probe(self._probe)


def measured(tower: Runner, sample: Callable[[int], Row]) -> Pace:
    """The pace of `tower`, which is warm then: batches of several sizes are run twice, and the second is measured."""
    sizes: list[int] = []
    seconds: list[float] = []
    for rows, tokens in SIZES:
        batch = [sample(tokens)] * rows
        padded = rows * batch[0].tokens
        if padded > tower.token_budget and sizes:
            break
        tower.run(batch)
        began = perf_counter()
        tower.run(batch)
        sizes.append(max(1, padded))
        seconds.append(perf_counter() - began)
        if seconds[-1] > ENOUGH:
            break
    return fitted(sizes, seconds)


def require_whole(rows: Sequence[Row], name: str, what: str = "text") -> None:
    """Raise TooLongError if a row was cut."""
    for place, row in enumerate(rows):
        if row.is_cut:
            raise TooLongError(
                expected=f"{what}s of at most {row.tokens} tokens, as {name} reads them",
                got=f"{row.whole} tokens at place {place}",
                consequence="nothing was encoded: the rest of it would have been left out",
                remedy="shorten or split it, or let it be cut (truncate: END)",
            )
