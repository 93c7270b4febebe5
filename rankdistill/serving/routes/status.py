"""Whether the server runs, and whether it can answer."""

from __future__ import annotations

from typing import Literal

import orjson
from pydantic import BaseModel

from rankdistill.serving.exchange import Answer, Request, Route


class Health(BaseModel):
    """The process answers."""

    status: Literal["ok"]


async def health(request: Request) -> Answer:
    """`GET /health`: the process alone; whether the model answers is told by `/ready`."""
    return Answer(orjson.dumps({"status": "ok"}))


ROUTES = (Route("GET", "/health", health, "Whether the process runs", response=Health, public=True, needs_state=False),)
