"""What a route is given and what it gives back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel

from rankdistill.serving import bodies
from rankdistill.serving.contracts import Encoded, Holder, Limits, ModelKind, Scored, State, Timing
from rankdistill.serving.metrics import ServerMetrics
from rankdistill.serving.refusals import Refusal

JSON = b"application/json"


@dataclass(slots=True)
class Answer:
    """What is sent: a body, and headers beyond those that every answer has."""

    body: bytes
    media_type: bytes = JSON
    status: int = 200
    headers: Sequence[tuple[bytes, bytes]] = ()


@dataclass(slots=True)
class Request:
    """A request whose key was good, and what its route tells of it for headers and metrics.

    Args:
        id: `x-request-id`.
        body: as it came.
        holder: of the state; routes that set `Route.needs_state` are given `state` too.
        metrics: of this server.
        keyed: whether keys are asked for.
        filter: of the key that was given, and-ed to every search; None where there is none.
        texts: how many were asked for.
        tokens: that the model read.
        truncated: places of the texts of which it read only the beginning.
        space: fingerprint of the vectors' space.
        timing: None until something was inferred.
    """

    id: bytes
    body: bytes
    holder: Holder
    metrics: ServerMetrics
    keyed: bool = False
    filter: Mapping[str, Any] | None = None
    state: State = field(default_factory=lambda: State({}))
    texts: int = 1
    tokens: int = 0
    truncated: Sequence[int] = ()
    space: str = ""
    timing: Timing | None = None

    @property
    def limits(self) -> Limits:
        """What this server accepts."""
        return self.holder.limits

    def read(self, schema: type[bodies.BodyT]) -> bodies.BodyT:
        """The body as `schema` says; a Refusal where it is something else."""
        return bodies.read(self.body, schema)

    def tell(self, done: Encoded | Scored, space: str = "") -> None:
        """Note what was inferred, for headers and metrics."""
        self.tokens += sum(done.tokens)
        self.truncated = done.truncated
        self.timing = done.timing
        self.space = space


Interface = Literal["openai", "cohere", "tei"]
"""Whose bodies refusals have; see `rankdistill.serving.answers`."""


@dataclass(frozen=True)
class Route:
    """One route: what it takes, what it gives, what it refuses. The OpenAPI document says the same, made from this.

    Args:
        method: of HTTP.
        path: of the URL.
        answer: what answers.
        summary: one line.
        request: schema of the body; None for GET.
        response: schema of the answer; a type of media where it is no JSON.
        interface: whose bodies refusals have.
        refusals: what `answer` raises, beyond what every route of its method does.
        kinds: of models that it is for, which the document names.
        public: no key is asked for.
        needs_state: refused while the server warms up or drains.
        inference: counted by TEI's metrics.
        aliases: other paths.
        listed: in the OpenAPI document.
    """

    method: Literal["GET", "POST"]
    path: str
    answer: Callable[[Request], Awaitable[Answer]]
    summary: str
    request: type[BaseModel] | None = None
    response: Any = None
    interface: Interface = "tei"
    refusals: tuple[type[Refusal], ...] = ()
    kinds: tuple[ModelKind, ...] = ()
    public: bool = False
    needs_state: bool = True
    inference: bool = False
    aliases: tuple[str, ...] = ()
    listed: bool = True
