"""What is served at this instant: requests hold it while they run, a reload replaces it, the last one closes it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from rankdistill.notes import note
from rankdistill.serving.contracts import Limits, ServedModel, State
from rankdistill.serving.refusals import UnavailableError

RETRY_SECONDS = 1.0
"""After which a client may ask again: another worker, or another server behind the balancer, answers."""


class StateHolder:
    """Implements `contracts.Holder`; used from one event loop only.

    Args:
        limits: what is accepted.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._state: State | None = None
        self._replaced: dict[int, State] = {}
        self._draining = False
        self._broken: dict[str, str] = {}
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def state(self) -> State | None:
        """The current one; None while warming."""
        return self._state

    @property
    def ready(self) -> tuple[bool, str]:
        """See `contracts.Holder.ready`."""
        if self._draining:
            return False, "draining"
        if self._state is None:
            return False, "warming"
        if self._broken:
            return False, "; ".join(f"{name}: {why}" for name, why in self._broken.items())
        return True, ""

    @property
    def is_broken(self) -> bool:
        """Whether a model did not answer when it was asked last."""
        return bool(self._broken)

    def acquire(self) -> State:
        """See `contracts.Holder.acquire`."""
        state = self._state
        if state is None or self._draining:
            raise self._unavailable()
        state.using += 1
        return state

    def release(self, state: State) -> None:
        """See `contracts.Holder.release`."""
        state.using -= 1
        if state.using == 0 and id(state) in self._replaced:
            self._close(state)

    def replace(self, state: State) -> None:
        """Serve `state` from now on; models that the old state shares with it stay open."""
        before, self._state = self._state, state
        self._broken = {name: why for name, why in self._broken.items() if name in state.models}
        if before is not None:
            self._replaced[id(before)] = before
            if before.using == 0:
                self._close(before)

    def drain(self) -> None:
        """Refuse what comes from now on."""
        self._draining = True

    async def probe(self, limit: float) -> None:
        """Ask each model for a known text; `ready` tells of those that fail, or take longer than `limit` seconds."""
        state = self._state
        if state is None:
            return
        found = await asyncio.gather(*(_fault(model, limit) for model in state.models.values()))
        broken = {name: why for name, why in zip(state.models, found, strict=True) if why is not None}
        if state is not self._state:
            return
        for name in broken.keys() - self._broken.keys():
            note(f"{name} is broken, so /ready says 503: {broken[name]}")
        for name in self._broken.keys() - broken.keys():
            note(f"{name} answers again")
        self._broken = broken

    async def close(self) -> None:
        """Close what is left; whatever still waits in a queue is answered first."""
        self.drain()
        state, self._state = self._state, None
        for one in [*self._replaced.values(), *([state] if state is not None else [])]:
            self._close(one)
        await asyncio.gather(*self._closing, return_exceptions=True)

    def _close(self, state: State) -> None:
        self._replaced.pop(id(state), None)
        living = [one for one in (self._state, *self._replaced.values()) if one is not None]
        kept = {id(model) for one in living for model in one.models.values()}
        models = [model for model in state.models.values() if id(model) not in kept]
        task = asyncio.get_running_loop().create_task(_closed(state, models))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _unavailable(self) -> UnavailableError:
        draining = self._draining
        return UnavailableError(
            retry_after=RETRY_SECONDS,
            expected="a server that answers",
            got="one that is shutting down" if draining else "one that is still loading its models",
            consequence="the request was not begun",
            remedy="send it again; /ready tells when" if not draining else "send it again: another server takes it",
        )


async def _closed(state: State, models: Iterable[ServedModel]) -> None:
    if state.search is not None:
        await state.search.close()
    for model in models:
        await model.close()


async def _fault(model: ServedModel, limit: float) -> str | None:
    """Why a model does not answer; None where it does."""
    try:
        await asyncio.wait_for(model.probe(), limit)
    except TimeoutError:
        return f"no answer within {limit:g} s"
    except Exception as error:  # whatever a back end throws is a fault of the model
        return " ".join(str(error).split()) or type(error).__name__
    return None
