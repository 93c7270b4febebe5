"""Servers of a model that costs nothing, so that what is measured is the server.

    python -m benchmarks.serving.instant ours|fastapi|starlette --port PORT

`ours` is rankdistill's application on its own server; `fastapi` is what its tutorial leads to, with a model of the
request and of the answer; `starlette` is a route that does no more than read JSON and write it.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rankdistill.serving.contracts import Encoded, Limits, Scored, ServedModel, Side, State, Timing, Token
from rankdistill.serving.refusals import BadRequestError
from rankdistill.space import AnySpace, Space

DIMENSION = 384
VECTOR = np.random.default_rng(0).standard_normal((1, DIMENSION)).astype(np.float32)
NAME = "instant"
_TIMING = Timing(1e-6, 0.0, 1e-6)


class Instant:
    """One vector, whatever the text."""

    name, kind, backend, precision, weights = NAME, "dense", "none", "float32", ""
    sides: tuple[Side, ...] = ("query",)
    symmetric = False
    space: AnySpace | None = Space(DIMENSION, True, "cosine")
    query_spaces: Sequence[AnySpace] = (Space(DIMENSION, True, "cosine"),)
    dimensions = (DIMENSION,)
    prompts: dict[str, str] = {}  # noqa: RUF012

    def max_length(self, side: Side) -> int | None:
        """No maximum."""
        return None

    def tokenise(self, texts: Sequence[str], side: Side, special: bool = True) -> list[list[Token]]:
        """One token a text."""
        return [[Token(0, text, False, 0, len(text))] for text in texts]

    def vocabulary(self) -> Sequence[str]:
        """None."""
        return ()

    async def encode(
        self, texts: Sequence[str], side: Side, *, truncate: bool = True, prompt: str | None = None
    ) -> Encoded:
        """The vector."""
        return Encoded(
            VECTOR if len(texts) == 1 else np.repeat(VECTOR, len(texts), axis=0), [5] * len(texts), (), _TIMING
        )

    async def score(self, query: str, texts: Sequence[str], *, truncate: bool = True) -> Scored:
        """Refused."""
        raise BadRequestError(expected="texts to encode", got="pairs")

    async def probe(self) -> None:
        """It is there."""

    async def close(self) -> None:
        """Nothing."""


class Held:
    """Holds the model, always."""

    def __init__(self) -> None:
        model: ServedModel = Instant()  # type: ignore[assignment]
        self.limits, self.ready = Limits(), (True, "")
        self._state = State({NAME: model})

    def acquire(self) -> State:
        """The state."""
        return self._state

    def release(self, state: State) -> None:
        """Nothing."""


def ours() -> Any:
    """The application of rankdistill."""
    from rankdistill.serving.app import create_app

    return create_app(Held())


def fastapi() -> Any:
    """A route with a model of its request and of its answer."""
    from fastapi import FastAPI
    from pydantic import BaseModel

    class Asked(BaseModel):
        input: str | list[str]
        model: str | None = None

    class Row(BaseModel):
        object: str
        index: int
        embedding: list[float]

    class Answered(BaseModel):
        object: str
        data: list[Row]
        model: str

    app = FastAPI()

    async def embeddings(asked: Any) -> Any:
        rows = [{"object": "embedding", "index": 0, "embedding": VECTOR[0].tolist()}]
        return {"object": "list", "data": rows, "model": NAME}

    embeddings.__annotations__ |= {"asked": Asked, "return": Answered}
    app.post("/v1/embeddings", response_model=Answered)(embeddings)
    return app


def starlette() -> Any:
    """A route that reads JSON and writes JSON."""
    import orjson
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    async def embeddings(request: Request) -> Response:
        orjson.loads(await request.body())
        rows = [{"object": "embedding", "index": 0, "embedding": VECTOR[0]}]
        body = orjson.dumps({"object": "list", "data": rows, "model": NAME}, option=orjson.OPT_SERIALIZE_NUMPY)
        return Response(body, media_type="application/json")

    return Starlette(routes=[Route("/v1/embeddings", embeddings, methods=["POST"])])


SERVERS: dict[str, Callable[[], Any]] = {"ours": ours, "fastapi": fastapi, "starlette": starlette}


def main() -> None:
    """Serve until ended."""
    import uvicorn
    import uvloop

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server", choices=SERVERS)
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    app = SERVERS[given.server]()
    if given.server == "ours":
        from rankdistill.serving.connections import GuardedConfig

        config: uvicorn.Config = GuardedConfig(app, Limits())
        config.host, config.port = "127.0.0.1", given.port
    else:
        config = uvicorn.Config(app, host="127.0.0.1", port=given.port, access_log=False, log_level="warning")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(uvicorn.Server(config).serve())


if __name__ == "__main__":
    main()
