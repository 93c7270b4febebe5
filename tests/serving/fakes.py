"""A model that answers at once, a holder that holds it, and a client without a network."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson
from scipy.sparse import csr_array

from rankdistill.serving.app import App
from rankdistill.serving.contracts import (
    Encoded,
    Limits,
    ModelKind,
    Scored,
    SearchAnswer,
    SearchHit,
    SearchRequest,
    SearchService,
    Side,
    State,
    Timing,
    Token,
)
from rankdistill.serving.refusals import TooLongError, UnavailableError
from rankdistill.space import AnySpace, MultiVectorSpace, Space, SparseSpace

TERMS = ("river", "planet", "bread", "violin")


def spaces(dimension: int = 8) -> dict[str, AnySpace | None]:
    """A space of each kind of model."""
    return {
        "dense": Space(dimension, True, "cosine"),
        "sparse": SparseSpace(len(TERMS), "terms", "dot"),
        "multi_vector": MultiVectorSpace(dimension, "maxsim"),
        "pairs": None,
    }


@dataclass
class FakeModel:
    """A served model whose numbers are hashes of the texts: equal texts have equal vectors.

    A word is a token; a black star leaves none.
    """

    name: str = "tiny"
    kind: ModelKind = "dense"
    sides: tuple[Side, ...] = ("query", "document")
    symmetric: bool = False
    dimensions: tuple[int, ...] = (8, 4)
    backend: str = "fake"
    precision: str = "float32"
    weights: str = "0" * 64
    prompts: Mapping[str, str] = field(default_factory=lambda: {"query": "query: ", "document": "", "title": "title: "})
    longest: int = 16
    fails: Exception | None = None
    gate: asyncio.Event | None = None
    asked: list[tuple[list[str], Any]] = field(default_factory=list)
    dropped: int = 0
    probed: int = 0
    broken: Exception | None = None

    @property
    def query_spaces(self) -> Sequence[AnySpace]:
        """Its own."""
        return () if self.space is None else (self.space,)

    @property
    def space(self) -> AnySpace | None:
        """Of its kind."""
        return spaces(self.dimensions[0])[self.kind]

    def max_length(self, side: Side) -> int | None:
        """Of both sides."""
        return self.longest

    def tokenise(self, texts: Sequence[str], side: Side, special: bool = True) -> list[list[Token]]:
        """Words."""
        rows = []
        for text in texts:
            found = [
                Token(7, match[0], False, match.start(), match.end())
                for match in re.finditer(r"\w+|[^\w\s\u2605]", text)
            ]
            rows.append(
                [Token(1, "[CLS]", True, None, None), *found, Token(2, "[SEP]", True, None, None)] if special else found
            )
        return rows

    def vocabulary(self) -> Sequence[str]:
        """Four terms."""
        return TERMS if self.kind == "sparse" else ()

    async def encode(
        self, texts: Sequence[str], side: Side, *, truncate: bool = True, prompt: str | None = None
    ) -> Encoded:
        """Hashes as vectors."""
        self.asked.append((list(texts), (side, prompt)))
        lengths = [len(text.split()) + 2 for text in texts]
        cut = [place for place, length in enumerate(lengths) if length > self.longest]
        await self._wait(cut, truncate)
        vectors: Any = np.stack([_vector(f"{side}{prompt or ''}{text}", self.dimensions[0]) for text in texts])
        if self.kind == "sparse":
            vectors = csr_array(np.array([[text.count(term) for term in TERMS] for text in texts], dtype=np.float32))
        if self.kind == "multi_vector":
            vectors = [np.stack([_vector(word, self.dimensions[0]) for word in text.split()]) for text in texts]
        return Encoded(vectors, [min(length, self.longest) for length in lengths], cut, Timing(0.0001, 0.002, 0.003))

    async def score(self, query: str, texts: Sequence[str], *, truncate: bool = True) -> Scored:
        """Words in common, as logits."""
        self.asked.append((list(texts), query))
        lengths = [len(text.split()) + len(query.split()) + 3 for text in texts]
        cut = [place for place, length in enumerate(lengths) if length > self.longest]
        await self._wait(cut, truncate)
        scores = [float(len(set(query.split()) & set(text.split()))) for text in texts]
        return Scored(np.array(scores, dtype=np.float32), lengths, cut, Timing(0.0001, 0.002, 0.003))

    async def probe(self) -> None:
        """Counts itself."""
        self.probed += 1
        if self.broken is not None:
            raise self.broken

    async def close(self) -> None:
        """Nothing."""

    async def _wait(self, cut: Sequence[int], truncate: bool) -> None:
        if cut and not truncate:
            raise TooLongError(expected=f"at most {self.longest} tokens", got=f"more at place {cut[0]}")
        if self.gate is not None:
            try:
                await self.gate.wait()
            except asyncio.CancelledError:
                self.dropped += 1
                raise
        if self.fails is not None:
            raise self.fails


def _vector(text: str, dimension: int) -> np.ndarray:
    drawn = np.random.default_rng(list(hashlib.sha256(text.encode()).digest())).standard_normal(dimension)
    return (drawn / np.linalg.norm(drawn)).astype(np.float32)


class FakeHolder:
    """Holds one state."""

    def __init__(
        self, *models: Any, search: SearchService | None = None, limits: Limits | None = None, **state: Any
    ) -> None:
        self.limits = limits or Limits()
        self.state = State({model.name: model for model in models}, search, **state)
        self.ready: tuple[bool, str] = (True, "")

    def acquire(self) -> State:
        """The state."""
        if not self.ready[0]:
            raise UnavailableError(expected="a server that is ready", got=self.ready[1], retry_after=2.5)
        self.state.using += 1
        return self.state

    def release(self, state: State) -> None:
        """Counted."""
        state.using -= 1


@dataclass
class Reply:
    """An answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body."""
        return orjson.loads(self.body)


def ask(app: App, path: str, body: Any = None, *, method: str = "", headers: Mapping[str, str] | None = None) -> Reply:
    """Ask an application once; `body` is JSON, or bytes as they are."""
    sent = body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body)
    return asyncio.run(converse(app, path, [sent], method or ("GET" if body is None else "POST"), headers))


async def converse(
    app: App,
    path: str,
    parts: Sequence[bytes],
    method: str = "POST",
    headers: Mapping[str, str] | None = None,
    leaves: asyncio.Event | None = None,
) -> Reply:
    """Ask with a body in parts; the client leaves when `leaves` is set. Status 0: no answer came."""
    head = {"content-type": "application/json"} | {name.lower(): value for name, value in (headers or {}).items()}
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in head.items()],
        "query_string": b"",
    }
    messages = [
        {"type": "http.request", "body": part, "more_body": place < len(parts) - 1} for place, part in enumerate(parts)
    ]
    reply = Reply(0, {}, b"")

    async def receive() -> Any:
        if messages:
            return messages.pop(0)
        await (leaves or asyncio.Event()).wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            reply.status = message["status"]
            reply.headers |= {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            reply.body += message["body"]

    await app(scope, receive, send)
    return reply


class FakeSearch:
    """Finds one document, whatever is asked."""

    indexes = ("fake",)
    modes = ("dense",)
    settings: Mapping[str, Any] = {"rerank_depth": 100}

    def __init__(self) -> None:
        self.asked: list[tuple[Sequence[SearchRequest], Any]] = []

    async def search(
        self, requests: Sequence[SearchRequest], filter: Mapping[str, Any] | None = None
    ) -> list[SearchAnswer]:
        """One hit each."""
        self.asked.append((requests, filter))
        found = SearchHit("d1", 0.5, {"text": "a river", "year": 2004})
        return [SearchAnswer([found], 0.001, "0" * 64, request.mode or "dense") for request in requests]

    def describe(self) -> Mapping[str, Any]:
        """One index."""
        return {"fake": {"documents": 1, "kind": "dense"}}

    async def close(self) -> None:
        """Nothing."""
