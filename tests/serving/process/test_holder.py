"""The state that requests hold: acquired, replaced, closed with its last request; told broken, warming, draining."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from rankdistill.serving.contracts import Limits, SearchService, ServedModel, State
from rankdistill.serving.holder import StateHolder
from rankdistill.serving.refusals import BackendRefusal, UnavailableError


class Model:
    """Answers its probe, or not."""

    def __init__(self) -> None:
        self.closed = 0
        self.fault: Exception | None = None
        self.hangs = False

    async def probe(self) -> None:
        if self.hangs:
            await asyncio.Event().wait()
        if self.fault is not None:
            raise self.fault

    async def close(self) -> None:
        self.closed += 1


class Search:
    closed = 0

    async def close(self) -> None:
        self.closed += 1


def state(**models: Model) -> State:
    return State(cast("dict[str, ServedModel]", models), cast(SearchService, Search()))


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_a_replaced_state_is_closed_with_its_last_request_and_never_before() -> None:
    async def run() -> None:
        holder, old, new = StateHolder(Limits()), Model(), Model()
        holder.replace(state(one=old))
        first, second = holder.acquire(), holder.acquire()
        holder.replace(state(one=new))
        assert holder.acquire().models["one"] is new
        holder.release(first)
        await settled()
        assert (old.closed, cast(Any, second.search).closed) == (0, 0)
        holder.release(second)
        await settled()
        assert (old.closed, cast(Any, second.search).closed, new.closed) == (1, 1, 0)

    asyncio.run(run())


def test_a_model_that_the_new_state_keeps_is_not_closed_with_the_old_one() -> None:
    async def run() -> None:
        holder, kept, gone = StateHolder(Limits()), Model(), Model()
        old = state(kept=kept, gone=gone)
        holder.replace(old)
        holder.replace(state(kept=kept))
        await settled()
        assert (kept.closed, gone.closed, cast(Any, old.search).closed) == (0, 1, 1)
        await holder.close()
        assert kept.closed == 1

    asyncio.run(run())


def test_two_states_that_are_equal_are_still_two() -> None:
    async def run() -> None:
        holder, model = StateHolder(Limits()), Model()
        search = cast(SearchService, Search())
        first, second = (State(cast("dict[str, ServedModel]", {"one": model}), search) for _ in range(2))
        assert first == second
        holder.replace(first)
        held = holder.acquire()
        holder.replace(second)
        holder.release(held)
        other = holder.acquire()
        await settled()
        assert other is second
        assert model.closed == 0

    asyncio.run(run())


def test_nothing_is_acquired_while_warming_or_draining() -> None:
    async def run() -> None:
        holder = StateHolder(Limits())
        assert holder.ready == (False, "warming")
        with pytest.raises(UnavailableError, match="loading") as refused:
            holder.acquire()
        assert refused.value.retry_after > 0
        holder.replace(state(one=Model()))
        assert holder.ready == (True, "")
        held = holder.acquire()
        holder.drain()
        assert holder.ready == (False, "draining")
        with pytest.raises(UnavailableError, match="shutting down"):
            holder.acquire()
        holder.release(held)

    asyncio.run(run())


def test_a_model_that_fails_or_hangs_is_told_and_told_again_when_it_answers(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        holder, failing, hanging = StateHolder(Limits()), Model(), Model()
        holder.replace(state(failing=failing, hanging=hanging))
        failing.fault = BackendRefusal(expected="finite vectors", got="NaN")
        hanging.hangs = True
        await holder.probe(0.01)
        ready, why = holder.ready
        assert not ready
        assert "failing: expected: finite vectors got: NaN" in why
        assert "hanging: no answer within 0.01 s" in why
        failing.fault, hanging.hangs = None, False
        await holder.probe(10)
        assert holder.ready == (True, "")

    asyncio.run(run())
    told = [record.getMessage() for record in caplog.records]
    assert sum("is broken" in line for line in told) == 2
    assert sum("answers again" in line for line in told) == 2


def test_a_new_state_does_not_inherit_what_was_broken() -> None:
    async def run() -> None:
        holder, old = StateHolder(Limits()), Model()
        old.fault = RuntimeError()
        holder.replace(state(old=old))
        await holder.probe(1)
        assert holder.ready == (False, "old: RuntimeError")
        holder.replace(state(new=Model()))
        assert holder.ready == (True, "")

    asyncio.run(run())
