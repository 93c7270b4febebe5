"""What waits for a back end, and in which order: a batch is formed when the back end is free, from what is there.

Nothing sleeps: an idle back end takes a request at once, a busy one finds what came meanwhile. Requests of few tokens
pass those of many, which would keep them for seconds; while both wait the latter get half of the time at least, so
that nobody waits for ever. Within what is due, rows of similar length go together.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Sequence
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from rankdistill.errors import RankdistillError
from rankdistill.inference import shapes
from rankdistill.serving.contracts import Metrics
from rankdistill.serving.engine.pace import Pace
from rankdistill.serving.engine.rows import Row, Runner
from rankdistill.serving.refusals import BackendRefusal, OverloadedError, Refusal, UnavailableError

SMALL = 0.1
"""Seconds of computing up to which a request may pass longer ones."""

LONGEST_BATCH = 0.3
"""Seconds that a batch may take, so that what comes meanwhile does not wait longer; a single row may take more."""

AHEAD = 2 * LONGEST_BATCH
"""Seconds of small requests that may pass large ones before these are given half of the time."""

SHARE_MEMORY = 0.9
"""Of the share that small requests had of the time while large ones waited: what an older batch counts for."""

WINDOW = 256
"""Rows of what is due among which those of similar length are looked for."""

FILLED = 0.9
"""Of a batch, its rows' own tokens at least; the rest is padding. A token costs hardly less in a batch of 64 than in
one of 16, so that fuller batches are worth more than larger ones."""

SPARE = 32
"""Tokens of padding that a batch may have all the same: less than another call costs."""

LATE, LATE_TIMES = 1.2, 4.0
"""Seconds, and multiples of its estimate, after which a batch that runs makes the back end count as broken."""

LOST, LOST_TIMES = 10.0, 20.0
"""The same, after which those that wait for the back end are told."""

WATCH = 0.5
"""Seconds between looks at whether a batch is lost, while something waits."""


class Done(NamedTuple):
    """A request's outputs, one a row; seconds until its last row was taken, and of the batches that it was in."""

    outputs: list[Any]
    waited: float
    computed: float


class _Request:
    """Rows that are answered together; `pending` are the places of those that wait, the longest last."""

    __slots__ = ("began", "computed", "error", "future", "left", "line", "loop", "outputs", "pending", "rows", "taken")

    def __init__(self, rows: Sequence[Row], loop: asyncio.AbstractEventLoop) -> None:
        self.rows = rows
        self.loop = loop
        self.future: asyncio.Future[Done] = loop.create_future()
        self.outputs: list[Any] = [None] * len(rows)
        self.error: Refusal | None = None
        self.left = len(rows)
        self.pending = list(range(len(rows)))
        if len(rows) > 1:
            self.pending.sort(key=lambda place: rows[place].tokens)
        self.began = self.taken = perf_counter()
        self.computed = 0.0
        self.line: _Line | None = None


class _Entry(NamedTuple):
    request: _Request
    place: int
    row: Row


class _Line:
    """Requests in the order in which they came, and the tokens of their waiting rows."""

    def __init__(self) -> None:
        self.requests: deque[_Request] = deque()
        self.tokens = 0

    def prune(self) -> int:
        """Let go those with no row left to take, whose clients left, and that failed; how many rows were dropped."""
        if all(one.pending and one.error is None and not one.future.done() for one in self.requests):
            return 0
        dropped, kept = 0, []
        for request in self.requests:
            if request.error is None and not request.future.done():
                if request.pending:
                    kept.append(request)
                continue
            dropped += len(request.pending)
            self.tokens -= sum(request.rows[place].tokens for place in request.pending)
            request.pending = []
        self.requests = deque(kept)
        return dropped


class _Running(NamedTuple):
    entries: list[_Entry]
    began: float
    expected: float


class BatchQueue:
    """The queue of one back end and the thread that runs it.

    Args:
        runner: runs batches.
        pace: how long they take.
        limit: seconds that a request may be estimated to wait.
        budget: padded tokens of a batch; None: the runner's own.
        metrics: told of waiting rows and of batches.
        name: of the model, in messages.
    """

    def __init__(
        self,
        runner: Runner,
        pace: Pace,
        limit: float,
        budget: int | None = None,
        metrics: Metrics | None = None,
        name: str = "model",
    ) -> None:
        self.runner = runner
        self.pace = pace
        self.name = name
        self._limit = limit
        self._budget = budget
        self._metrics = metrics
        self._changed = threading.Condition(threading.Lock())
        self._urgent: deque[_Request] = deque()
        self._small, self._large = _Line(), _Line()
        self._rows = 0
        self._ahead = AHEAD
        self._share = 0.0
        self._running: _Running | None = None
        self._is_lost = self._closing = False
        self._watching: set[asyncio.AbstractEventLoop] = set()
        self._thread = threading.Thread(target=self._work, name=f"rankdistill {name}", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Rows that wait."""
        return self._rows

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits and nothing runs."""
        return not self._rows and self._running is None

    @property
    def budget(self) -> int:
        """Padded tokens of the next batch."""
        return min(self._budget or self.runner.token_budget, self.pace.tokens(LONGEST_BATCH))

    def submit(self, rows: Sequence[Row]) -> asyncio.Future[Done]:
        """Let `rows`, at least one, wait; the future is of the running event loop, and cancelling it takes them out.

        Raises:
            OverloadedError: they would wait longer than the limit.
            UnavailableError: the queue is closed, or its back end hangs.
        """
        loop = asyncio.get_running_loop()
        tokens = sum(row.tokens for row in rows)
        with self._changed:
            self._require_open()
            line = self._small if self.pace.seconds(tokens) <= SMALL else self._large
            wait = self._wait_in(line)
            if wait > self._limit:
                raise self._overloaded(wait)
            request = _Request(rows, loop)
            request.line = line
            line.requests.append(request)
            line.tokens += tokens
            self._rows += len(rows)
            self._changed.notify()
        if self._metrics is not None:
            self._metrics.queued(self._rows)
        if loop not in self._watching:
            self._watching.add(loop)
            loop.call_later(WATCH, self._watch, loop)
        return request.future

    def require_room(self) -> None:
        """Refuse what `submit` would refuse whatever it is, before it is tokenised.

        Raises:
            OverloadedError: even a short request would wait longer than the limit.
            UnavailableError: the queue is closed, or its back end hangs.
        """
        with self._changed:
            self._require_open()
            wait = self._wait_in(self._small)
            if wait > self._limit:
                raise self._overloaded(wait)

    def run_inline(self, rows: Sequence[Row]) -> list[Any]:
        """Outputs of `rows`, run at once in this very thread.

        Raises:
            BackendRefusal: the back end fails, or gives no numbers.
            UnavailableError: the queue is closed.
        """
        self._require_open()
        outputs = self._outputs(rows)
        for output in outputs:
            if isinstance(output, Refusal):
                raise output
        return outputs

    async def probe(self, row: Row) -> Any:
        """The output of `row`, run alone before everything that waits.

        Raises:
            BackendRefusal: the back end fails, or does not answer in time.
            UnavailableError: the queue is closed.
        """
        with self._changed:
            self._require_open()
            request = _Request([row], asyncio.get_running_loop())
            self._urgent.append(request)
            self._changed.notify()
        try:
            while not request.future.done():
                await asyncio.wait([request.future], timeout=0.05)
                if not request.future.done() and self._runs_longer_than(LATE, LATE_TIMES):
                    raise self._hangs()
        finally:
            request.future.cancel()
        return request.future.result().outputs[0]

    def estimated_wait(self) -> float:
        """Seconds that a short request would wait now."""
        with self._changed:
            return self._wait_in(self._small)

    def close(self, timeout: float | None = None) -> bool:
        """Answer what waits, then end the thread; whether it ended in time. It blocks, and takes nothing new."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _wait_in(self, line: _Line) -> float:
        """Seconds until a request that joins `line` now is taken: what runs, what is before it, what may pass it."""
        running = 0.0
        if self._running is not None:
            running = max(0.0, self._running.expected - (perf_counter() - self._running.began))
        small, large = self._small.tokens, self._large.tokens
        before: float = small + min(small, large)
        if line is self._large:  # those that will pass are not here yet
            before = small + large / (1 - min(self._share, 0.5))
        return running + (self.pace.seconds(before, self.budget) if before else 0.0)

    def _work(self) -> None:
        while True:
            with self._changed:
                free = perf_counter()
                while not (self._urgent or self._small.requests or self._large.requests):
                    if self._closing:
                        return
                    self._changed.wait()
                    free = perf_counter()
                entries = self._take()
                if not entries:
                    continue
                tokens = sum(entry.row.tokens for entry in entries)
                began = perf_counter()
                self._running = _Running(entries, began, self.pace.seconds(tokens))
            try:
                if self._metrics is not None:
                    self._metrics.queued(self._rows)
                    self._metrics.batch(len(entries), tokens)
                outputs = self._outputs([entry.row for entry in entries])
            except Exception as error:  # a thread that ended would leave everyone waiting
                outputs = [self._failed(error)] * len(entries)
            with self._changed:  # before the answers: who has one finds an idle queue
                self._running = None
                self._is_lost = False
            self._deliver(entries, outputs, perf_counter() - began)
            self.pace.observe(tokens, perf_counter() - free)

    def _take(self) -> list[_Entry]:
        """The next batch; empty where all that waited was cancelled."""
        while self._urgent:
            request = self._urgent.popleft()
            if not request.future.done():
                return [_Entry(request, 0, request.rows[0])]
        self._rows -= self._small.prune() + self._large.prune()
        small, large = self._small.requests, self._large.requests
        if not small and not large:
            return []
        both = bool(small and large)
        large_first = not small or (both and self._ahead <= 0)
        chosen = _similar(self._due((large, small) if large_first else (small, large)), self.budget)
        if large:
            self._share = SHARE_MEMORY * self._share + (0.0 if large_first else 1 - SHARE_MEMORY)
        if both:
            seconds = self.pace.seconds(sum(entry.row.tokens for entry in chosen))
            self._ahead = min(AHEAD, self._ahead + (seconds if large_first else -seconds))
        else:
            self._ahead = AHEAD
        self._rows -= len(chosen)
        self._remove(chosen)
        return chosen

    @staticmethod
    def _due(queues: Sequence[deque[_Request]]) -> list[_Entry]:
        """Rows that may be taken, the one whose turn it is in front: all of its group."""
        due: list[_Entry] = []
        for request in (request for queue in queues for request in queue):
            for place in reversed(request.pending[-(WINDOW - len(due)) :]):
                row = request.rows[place]
                if not due or row.group == due[0].row.group:
                    due.append(_Entry(request, place, row))
            if len(due) >= WINDOW:
                break
        return due

    @staticmethod
    def _remove(chosen: Sequence[_Entry]) -> None:
        """Take the rows out of what waits."""
        places: dict[_Request, set[int]] = {}
        for request, place, row in chosen:
            places.setdefault(request, set()).add(place)
            if request.line is not None:
                request.line.tokens -= row.tokens
        now = perf_counter()
        for request, taken in places.items():
            request.taken = now
            request.pending[-WINDOW:] = [place for place in request.pending[-WINDOW:] if place not in taken]

    def _outputs(self, rows: Sequence[Row]) -> list[Any]:
        """An array a row, or the error of that row: where a batch fails each row is run alone."""
        try:
            found = self.runner.run(rows)
            if len(found) != len(rows):
                raise ValueError(f"{len(found)} outputs for {len(rows)} texts")
        except Exception as error:  # each library raises its own kinds
            if len(rows) == 1:
                return [self._failed(error)]
            return [output for row in rows for output in self._outputs([row])]
        if isinstance(found, np.ndarray) and np.isfinite(found).all():
            return list(found)
        return [output if self.runner.is_finite(output) else self._not_finite() for output in found]

    def _deliver(self, entries: Sequence[_Entry], outputs: Sequence[Any], took: float) -> None:
        finished: dict[asyncio.AbstractEventLoop, list[_Request]] = {}
        seen: set[_Request] = set()
        for (request, place, _), output in zip(entries, outputs, strict=True):
            if request not in seen:
                seen.add(request)
                request.computed += took
            request.left -= 1
            if isinstance(output, Refusal):
                first, request.error = request.error is None, request.error or output
                if first:
                    finished.setdefault(request.loop, []).append(request)
                continue
            request.outputs[place] = output
            if not request.left and request.error is None:
                finished.setdefault(request.loop, []).append(request)
        for loop, requests in finished.items():
            _in_loop(loop, requests)

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Tell those who wait once the back end is lost; looks again as long as anything waits or runs."""
        with self._changed:
            lost: list[tuple[_Request, Refusal]] = []
            if self._runs_longer_than(LOST, LOST_TIMES):
                self._is_lost = True
                running = self._running.entries if self._running is not None else []
                waiting = [*self._small.requests, *self._large.requests]
                lost = [(entry.request, self._hangs()) for entry in running]
                lost += [(request, self._broken()) for request in waiting]
            again = self._running is not None or bool(self._rows)
            for request, error in lost:
                if request.loop is loop and not request.future.done():
                    request.error = error
                    request.future.set_exception(error)
        if again:
            loop.call_later(WATCH, self._watch, loop)
        else:
            self._watching.discard(loop)

    def _runs_longer_than(self, seconds: float, times: float) -> bool:
        running = self._running
        return running is not None and perf_counter() - running.began > max(seconds, times * running.expected)

    def _require_open(self) -> None:
        if self._closing:
            raise closed(self.name)
        if self._is_lost:
            raise self._broken()

    def _overloaded(self, wait: float) -> OverloadedError:
        return OverloadedError(
            expected=f"a wait of at most {self._limit:g} s for {self.name}",
            got=f"what waits already takes {wait:.1f} s",
            consequence="nothing was encoded",
            remedy="send the request again after Retry-After; where this happens often, add workers or machines",
            retry_after=max(0.1, wait - self._limit / 2),
        )

    def _failed(self, error: Exception) -> Refusal:
        if isinstance(error, Refusal):
            return error
        told = error.got if isinstance(error, RankdistillError) else f"{type(error).__name__}: {error}"
        return BackendRefusal(
            expected=f"the numbers of one text from {self.name}",
            got=" ".join(told.split())[:300],
            consequence="this request was not answered; others are",
            remedy="another back end (--backend torch) says more of what the model cannot do with this text",
        )

    def _not_finite(self) -> BackendRefusal:
        return BackendRefusal(
            expected=f"finite numbers from {self.name}",
            got="NaN or infinity",
            consequence="this request was not answered; others are",
            remedy="take another back end (--backend torch); if it gives them too, the model's weights are damaged",
        )

    def _hangs(self) -> BackendRefusal:
        return BackendRefusal(
            expected=f"an answer from the back end of {self.name}",
            got="none in many times the time that such a batch takes",
            consequence="what it runs was given up",
            remedy="start the server again; take another back end (--backend torch) if it happens again",
        )

    def _broken(self) -> UnavailableError:
        return UnavailableError(
            expected=f"a back end of {self.name} that answers",
            got="one that hangs",
            consequence="nothing was encoded",
            remedy="send the request to another server; this one has to be started again",
            retry_after=5.0,
        )


def closed(name: str) -> UnavailableError:
    """The refusal of a model that was closed."""
    return UnavailableError(
        expected=f"a model that takes requests: {name}",
        got="it answers what it was given, and ends",
        consequence="nothing was encoded",
        remedy="send the request again, to another server or when this one is back",
        retry_after=1.0,
    )


def _similar(due: list[_Entry], budget: int) -> list[_Entry]:
    """The first of `due` and those of a length near to its own, up to `budget` padded tokens.

    Their number is one that is run as it is: see `inference.shapes`.
    """
    if len(due) == 1:
        return due
    ordered = sorted(due, key=_tokens)
    low = high = ordered.index(due[0])
    own = _tokens(due[0])
    filled = own
    while True:
        longest = _tokens(ordered[high])
        rows = high - low + 2
        below = _tokens(ordered[low - 1]) if low else 0
        above = _tokens(ordered[high + 1]) if high + 1 < len(ordered) else 0
        fits_below = low > 0 and _fits(filled + below, rows * longest, budget)
        fits_above = above > 0 and _fits(filled + above, rows * above, budget)
        if fits_below and (not fits_above or own - below <= above - own):
            low, filled = low - 1, filled + below
        elif fits_above:
            high, filled = high + 1, filled + above
        else:
            break
    first = ordered.index(due[0])
    for _ in range(high - low + 1 - shapes.rows_within(high - low + 1)):
        if low == first or (high != first and _tokens(ordered[high]) - own >= own - _tokens(ordered[low])):
            high -= 1
        else:
            low += 1
    return ordered[low : high + 1]


def _fits(own: int, padded: int, budget: int) -> bool:
    return padded <= budget and (own >= FILLED * padded or padded - own <= SPARE)


def _tokens(entry: _Entry) -> int:
    return entry.row.tokens


def _in_loop(loop: asyncio.AbstractEventLoop, requests: list[_Request]) -> None:
    """Finish `requests` in their event loop; one that was closed meanwhile has nobody who waits."""
    try:
        loop.call_soon_threadsafe(_finish, requests)
    except RuntimeError:
        if not loop.is_closed():
            raise


def _finish(requests: list[_Request]) -> None:
    for request in requests:
        if request.future.done():
            continue
        if request.error is not None:
            request.future.set_exception(request.error)
        else:
            request.future.set_result(Done(request.outputs, request.taken - request.began, request.computed))
