"""Whether the server runs, whether it can answer, and what it counted."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

import orjson
from pydantic import BaseModel

from rankdistill.serving.contracts import Holder, State
from rankdistill.serving.exchange import Answer, Request, Route
from rankdistill.serving.metrics import MEDIA_TYPE
from rankdistill.serving.refusals import Refusal, UnavailableError

PROBE_SECONDS = 1.5
"""A model that has not answered a known text by then is broken."""

FRESH_SECONDS = 1.0
"""A probe is good for so long, however many ask."""


class Health(BaseModel):
    """The process answers."""

    status: Literal["ok"]


class Ready(BaseModel):
    """Every model answered a known text."""

    status: Literal["ready"]


async def health(request: Request) -> Answer:
    """`GET /health`: the process alone; whether the models answer is told by `/ready`."""
    return Answer(orjson.dumps({"status": "ok"}))


async def ready(request: Request) -> Answer:
    """`GET /ready`: a known text through every model, at most once a second.

    Raises:
        UnavailableError: warming, draining, or a model is broken.
    """
    able, why = request.holder.ready
    if not able:
        raise _unavailable(why)
    state = request.holder.acquire()
    try:
        why = await asyncio.shield(_probe(state, request.holder))
    finally:
        request.holder.release(state)
    if why:
        raise _unavailable(why)
    return Answer(orjson.dumps({"status": "ready"}))


async def metrics(request: Request) -> Answer:
    """`GET /metrics`."""
    try:
        state = request.holder.acquire()
    except UnavailableError:
        return Answer(request.metrics.text({}), MEDIA_TYPE)
    try:
        return Answer(request.metrics.text(state.models), MEDIA_TYPE)
    finally:
        request.holder.release(state)


def _probe(state: State, holder: Holder) -> asyncio.Task[str]:
    """What is broken, or nothing: a task that all who ask within a second share."""
    loop = asyncio.get_running_loop()
    begun, task = state.facts.get("probe", (0.0, None))
    if task is None or task.get_loop() is not loop or (task.done() and loop.time() - begun > FRESH_SECONDS):
        task = loop.create_task(_broken(state, holder))
        state.facts["probe"] = (loop.time(), task)
    return task


async def _broken(state: State, holder: Holder) -> str:
    held = holder.acquire()  # as long as the probe lasts, though who asked may leave
    try:
        found: Any = await asyncio.gather(*(_probed(model) for model in state.models.values()))
    finally:
        holder.release(held)
    return "; ".join(filter(None, found))


async def _probed(model: Any) -> str:
    try:
        await asyncio.wait_for(model.probe(), PROBE_SECONDS)
    except TimeoutError:
        return f"{model.name} does not answer within {PROBE_SECONDS} s"
    except Refusal as refusal:
        return f"{model.name}: {refusal.got}"
    except Exception as error:
        return f"{model.name}: {type(error).__name__}: {error}"
    return ""


def _unavailable(why: str) -> UnavailableError:
    return UnavailableError(
        retry_after=1.0,
        expected="a server that answers",
        got=why,
        consequence="requests should go elsewhere",
        remedy="ask again",
    )


ROUTES = (
    Route("GET", "/health", health, "Whether the process runs", response=Health, public=True, needs_state=False),
    Route(
        "GET",
        "/ready",
        ready,
        "Whether requests are answered: a known text through every model",
        response=Ready,
        refusals=(UnavailableError,),
        public=True,
        needs_state=False,
    ),
    Route(
        "GET",
        "/metrics",
        metrics,
        "Counters, in Prometheus's text format",
        response=MEDIA_TYPE.decode(),
        needs_state=False,
    ),
)
