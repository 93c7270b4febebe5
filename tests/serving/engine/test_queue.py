"""The queue, with a back end that does as it is told."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from rankdistill.serving.engine import queue as queue_module
from rankdistill.serving.engine.pace import Pace
from rankdistill.serving.engine.queue import BatchQueue
from rankdistill.serving.engine.rows import Row
from rankdistill.serving.refusals import BackendRefusal, OverloadedError, UnavailableError

A_TOKEN = 1e-3
"""Seconds that each token is said to take, so that the order does not depend on the machine."""


class _Steady(Pace):
    """Never learns."""

    def observe(self, tokens: int, seconds: float) -> None:
        pass


class _BackEnd:
    """Gives each row its own number back; while `held` is clear it waits before each batch."""

    token_budget = 100

    def __init__(self) -> None:
        self.batches: list[list[Any]] = []
        self.started = threading.Semaphore(0)
        self.held = threading.Event()
        self.held.set()

    def run(self, rows: Sequence[Row]) -> np.ndarray:
        self.started.release()
        self.held.wait()
        self.batches.append([row.content for row in rows])
        if any(row.content == "fails" for row in rows):
            raise RuntimeError("cannot do this one")
        return np.array([[np.nan if row.content == "nan" else float(row.tokens)] for row in rows], np.float32)

    def is_finite(self, output: Any) -> bool:
        return bool(np.isfinite(output).all())


@pytest.fixture
def back_end() -> _BackEnd:
    return _BackEnd()


@pytest.fixture
def queue(back_end: _BackEnd) -> Iterator[BatchQueue]:
    made = BatchQueue(back_end, _Steady(0.0, A_TOKEN), limit=60.0)
    yield made
    back_end.held.set()
    assert made.close(10)


def _row(content: Any, tokens: int, group: Any = None) -> Row:
    return Row(content, tokens, tokens, group)


async def _while_busy(back_end: _BackEnd, queue: BatchQueue) -> asyncio.Future[Any]:
    """Keep the back end in a batch of its own until it is let go."""
    back_end.held.clear()
    first = queue.submit([_row("first", 1)])
    await asyncio.to_thread(back_end.started.acquire)
    return first


def _run(coroutine: Any) -> Any:
    return asyncio.run(asyncio.wait_for(coroutine, 20))


def test_what_waits_together_goes_together(queue: BatchQueue, back_end: _BackEnd) -> None:
    async def run() -> None:
        first = await _while_busy(back_end, queue)
        waiting = [queue.submit([_row(number, 10)]) for number in range(5)]
        assert queue.waiting == 5
        back_end.held.set()
        assert [(await one).outputs[0][0] for one in [first, *waiting]] == [1, 10, 10, 10, 10, 10]

    _run(run())
    assert [len(batch) for batch in back_end.batches] == [1, 5]
    assert queue.waiting == 0


def test_batches_keep_the_budget_and_the_length(queue: BatchQueue, back_end: _BackEnd) -> None:
    async def run() -> None:
        first = await _while_busy(back_end, queue)
        waiting = [queue.submit([_row(tokens, tokens)]) for tokens in (30, 3, 29, 4, 28, 3, 90)]
        back_end.held.set()
        await asyncio.gather(first, *waiting)

    _run(run())
    assert sorted(map(sorted, back_end.batches[1:])) == [[3, 3, 4], [28, 29, 30], [90]]


def test_groups_are_kept_apart(queue: BatchQueue, back_end: _BackEnd) -> None:
    async def run() -> None:
        first = await _while_busy(back_end, queue)
        waiting = [queue.submit([_row(number, 5, number % 2)]) for number in range(6)]
        back_end.held.set()
        await asyncio.gather(first, *waiting)

    _run(run())
    assert sorted(map(sorted, back_end.batches[1:])) == [[0, 2, 4], [1, 3, 5]]


def test_short_requests_pass_long_ones_but_not_for_ever(queue: BatchQueue, back_end: _BackEnd) -> None:
    async def run() -> None:
        first = await _while_busy(back_end, queue)
        long = queue.submit([_row("long", 90)] * 4)
        short = [queue.submit([_row("short", 20)]) for _ in range(100)]
        back_end.held.set()
        await asyncio.gather(first, long, *short)

    _run(run())
    order = [batch[0] for batch in back_end.batches[1:]]
    assert order[0] == "short"
    last_of_long = len(order) - 1 - order[::-1].index("long")
    passed = sum(batch.count("short") for batch in back_end.batches[1:last_of_long])
    assert passed * 20 * A_TOKEN <= queue_module.AHEAD + 4 * 90 * A_TOKEN + 2 * queue_module.LONGEST_BATCH
    assert order[-1] == "short"


def test_who_left_is_not_computed(queue: BatchQueue, back_end: _BackEnd) -> None:
    async def run() -> None:
        first = await _while_busy(back_end, queue)
        stays, leaves = queue.submit([_row("stays", 9)]), queue.submit([_row("leaves", 9)] * 3)
        leaves.cancel()
        back_end.held.set()
        await asyncio.gather(first, stays)

    _run(run())
    assert back_end.batches == [["first"], ["stays"]]
    assert queue.waiting == 0


@pytest.mark.parametrize("bad", ["fails", "nan"])
def test_a_text_that_fails_fails_alone(queue: BatchQueue, back_end: _BackEnd, bad: str) -> None:
    async def run() -> list[Any]:
        first = await _while_busy(back_end, queue)
        waiting = [queue.submit([_row(content, 5)]) for content in ("good", bad, "fine")]
        back_end.held.set()
        await first
        return await asyncio.gather(*waiting, return_exceptions=True)

    good, failed, fine = _run(run())
    assert good.outputs[0][0] == fine.outputs[0][0] == 5
    assert isinstance(failed, BackendRefusal)
    assert ("cannot do this one" if bad == "fails" else "NaN") in str(failed)


def test_too_long_a_wait_is_refused_with_the_time_to_come_back(back_end: _BackEnd) -> None:
    queue = BatchQueue(back_end, _Steady(0.0, A_TOKEN), limit=0.5)

    async def run() -> None:
        first = await _while_busy(back_end, queue)
        accepted = [queue.submit([_row("waits", 90)]) for _ in range(6)]
        with pytest.raises(OverloadedError) as refused:
            queue.submit([_row("refused", 5)])
        with pytest.raises(OverloadedError):
            queue.require_room()
        assert 0.2 < refused.value.retry_after < 1
        back_end.held.set()
        await asyncio.gather(first, *accepted)
        await queue.submit([_row("later", 5)])

    _run(run())
    assert queue.close(10)


def test_a_back_end_that_hangs_is_told_by_the_probe_and_to_those_who_wait(
    queue: BatchQueue, back_end: _BackEnd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_module, "LATE", 0.01)
    monkeypatch.setattr(queue_module, "LOST", 0.05)
    monkeypatch.setattr(queue_module, "WATCH", 0.02)

    async def run() -> None:
        first = await _while_busy(back_end, queue)
        waits = queue.submit([_row("waits", 5)])
        with pytest.raises(BackendRefusal, match="none in many times"):
            await queue.probe(_row("probe", 1))
        with pytest.raises(BackendRefusal):
            await first
        with pytest.raises(UnavailableError):
            await waits
        with pytest.raises(UnavailableError):
            queue.submit([_row("refused", 1)])
        back_end.held.set()
        while True:  # it answers again
            try:
                await queue.probe(_row("probe", 1))
                break
            except (BackendRefusal, UnavailableError):
                await asyncio.sleep(0)
        assert (await queue.submit([_row("served", 7)])).outputs[0][0] == 7

    _run(run())


def test_the_probe_passes_what_waits(queue: BatchQueue, back_end: _BackEnd) -> None:
    async def run() -> None:
        first = await _while_busy(back_end, queue)
        waiting = [queue.submit([_row("waits", 60)]) for _ in range(3)]
        probe = asyncio.ensure_future(queue.probe(_row("probe", 1)))
        await asyncio.sleep(0)
        back_end.held.set()
        await asyncio.gather(first, probe, *waiting)

    _run(run())
    assert back_end.batches[:2] == [["first"], ["probe"]]


def test_two_event_loops_are_answered(queue: BatchQueue) -> None:
    async def run() -> float:
        return float((await queue.submit([_row("one", 3)])).outputs[0][0])

    assert [_run(run()) for _ in range(2)] == [3, 3]


class _Told:
    """Metrics that remember."""

    def __init__(self) -> None:
        self.waiting: list[int] = []
        self.batches: list[tuple[int, int]] = []

    def queued(self, waiting: int) -> None:
        self.waiting.append(waiting)

    def batch(self, size: int, tokens: int) -> None:
        self.batches.append((size, tokens))

    def cache_hits(self, count: int) -> None:
        raise AssertionError("a queue keeps nothing")


def test_metrics_are_told_of_what_waits_and_of_batches(back_end: _BackEnd) -> None:
    told = _Told()
    queue = BatchQueue(back_end, _Steady(0.0, A_TOKEN), limit=60.0, metrics=told)

    async def run() -> None:
        first = await _while_busy(back_end, queue)
        waiting = [queue.submit([_row(number, 10)] * 2) for number in range(2)]
        assert max(told.waiting) == 4
        back_end.held.set()
        await asyncio.gather(first, *waiting)

    _run(run())
    assert told.waiting[-1] == 0
    assert told.batches == [(1, 1), (4, 40)]
    assert queue.close(10)


def test_metrics_that_fail_leave_nobody_waiting(back_end: _BackEnd) -> None:
    class Failing(_Told):
        def batch(self, size: int, tokens: int) -> None:
            raise OSError("no space")

    queue = BatchQueue(back_end, _Steady(0.0, A_TOKEN), limit=60.0, metrics=Failing())

    async def run() -> None:
        for _ in range(2):
            with pytest.raises(BackendRefusal, match="no space"):
                await queue.submit([_row("one", 3)])

    _run(run())
    assert queue.close(10)


def test_long_requests_are_estimated_with_those_that_will_pass_them(back_end: _BackEnd) -> None:
    queue = BatchQueue(back_end, _Steady(0.0, A_TOKEN), limit=1.2)

    async def run() -> None:
        first = await _while_busy(back_end, queue)
        queue._share = 0.5
        waits = queue.submit([_row("long", 100)] * 7)
        with pytest.raises(OverloadedError, match=r"1\.4 s"):
            queue.submit([_row("long", 100)] * 2)
        short = queue.submit([_row("short", 10)])
        back_end.held.set()
        await asyncio.gather(first, waits, short)

    _run(run())
    assert queue.close(10)
