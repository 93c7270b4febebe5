"""The server as an ASGI application: keys, limits, refusals, headers and metrics around the routes.

It is plain ASGI, for a request must cost little beside its inference: one look into a table of paths, no middleware.
Documentation is FastAPI's, loaded when it is first asked for (`documentation`).
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import re
import secrets
from collections.abc import Awaitable, Callable, Generator, Mapping, MutableMapping, Sequence
from time import perf_counter
from typing import Any, TypeAlias

from rankdistill.errors import BackendError, ConfigError, RankdistillError, SpaceMismatchError
from rankdistill.serving.answers import refusal_answer
from rankdistill.serving.contracts import Holder
from rankdistill.serving.exchange import Answer, Interface, Request, Route
from rankdistill.serving.metrics import ServerMetrics
from rankdistill.serving.refusals import (
    BackendRefusal,
    BadRequestError,
    InternalError,
    MediaTypeError,
    MethodError,
    OtherSpaceError,
    Refusal,
    TooLargeError,
    UnknownError,
)
from rankdistill.serving.routes.registry import routes
from rankdistill.serving.security import Keys

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

EXPOSED = (
    "x-request-id",
    "x-compute-tokens",
    "x-queue-time",
    "x-inference-time",
    "x-total-time",
    "server-timing",
    "x-rankdistill-space",
    "x-truncated",
    "retry-after",
)
"""Headers that a page of an allowed origin may read."""

_PLACES_TOLD = 256
_DIGITS = 19
"""Of a length that is read; a longer one is too large anyhow."""

_MEDIA_TYPES = frozenset((b"application/json", b"application/x-www-form-urlencoded", b""))
"""What a body of JSON is announced as; the second is what curl says where it is told nothing."""

_FOREIGN: tuple[tuple[type[RankdistillError], type[Refusal]], ...] = (
    (ConfigError, BadRequestError),
    (SpaceMismatchError, OtherSpaceError),
    (BackendError, BackendRefusal),
)
"""Errors of other parts of the package -> what they are to a client."""

_GOOD_ID = re.compile(rb"[\x21-\x7e]{1,128}")

log = logging.getLogger("rankdistill.serving")


def create_app(
    holder: Holder,
    *,
    keys: Keys | None = None,
    cors: Sequence[str] = (),
    metrics: ServerMetrics | None = None,
    page: bool = True,
) -> App:
    """The ASGI application of a server.

    Args:
        holder: of what is served.
        keys: who may ask; None: everyone.
        cors: origins whose pages may ask; none by default.
        metrics: of this worker.
        page: whether the search page is served.
    """
    app: App = Server(holder, keys, metrics or ServerMetrics(), routes(page))
    if not cors:
        return app
    from starlette.middleware.cors import CORSMiddleware

    return CORSMiddleware(
        app,
        allow_origins=list(cors),
        allow_methods=["GET", "POST"],
        allow_headers=["authorization", "content-type", "x-request-id"],
        expose_headers=EXPOSED,
    )


class Server:
    """The application; see `create_app`."""

    def __init__(self, holder: Holder, keys: Keys | None, metrics: ServerMetrics, routes: Sequence[Route]) -> None:
        self.holder, self.metrics = holder, metrics
        self._keys = keys
        self._table: dict[str, dict[str, Route]] = {}
        for route in routes:
            for path in (route.path, *route.aliases):
                self._table.setdefault(path, {})[route.method] = route
                if route.method == "GET":
                    self._table[path]["HEAD"] = route
        self._ids = map((secrets.token_hex(4) + "-%x").__mod__, itertools.count())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, as ASGI says."""
        if scope["type"] == "http":
            await self._exchange(scope, receive, send)
        elif scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1000})

    async def _exchange(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = perf_counter()
        head = _Head(scope["headers"])
        identity = head.id if head.id and _GOOD_ID.fullmatch(head.id) else next(self._ids).encode()
        request = Request(identity, b"", self.holder, self.metrics, self._keys is not None)
        methods = self._table.get(scope["path"])
        route = None if methods is None else methods.get(scope["method"])
        failed = None
        try:
            answer = await self._answer(request, route, methods, head, receive)
        except ClientLeftError:
            self.metrics.responded(499)
            if route is not None and route.inference:
                self.metrics.asked(request.texts)
                self.metrics.failed("left")
            log.info("499 %s %s %s", scope["method"], scope["path"], identity.decode())
            return
        except Exception as error:
            failed = _refusal(error, scope, identity)
            answer = refusal_answer(failed, _interface(route, scope["path"]))
            if not request.body and scope["method"] not in ("GET", "HEAD"):  # what still comes of it is no request
                answer.headers = [*answer.headers, (b"connection", b"close")]
        seconds = perf_counter() - begun
        if route is not None and route.inference:
            self.metrics.asked(request.texts)
            if failed is None and request.timing is not None:
                self.metrics.answered(request.texts, len(request.truncated), seconds, request.timing)
            elif failed is not None:
                self.metrics.failed(failed.kind)
        self.metrics.responded(answer.status)
        await send(
            {"type": "http.response.start", "status": answer.status, "headers": _headers(request, answer, seconds)}
        )
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else answer.body})

    async def _answer(
        self, request: Request, route: Route | None, methods: Mapping[str, Route] | None, head: _Head, receive: Receive
    ) -> Answer:
        if self._keys is not None and not (route is not None and route.public):
            request.filter = self._keys.admit(head.authorization)
        if methods is None:
            raise UnknownError(
                expected="a route of this server",
                got="another path",
                consequence="nothing was answered",
                remedy="GET /openapi.json lists the routes",
            )
        if route is None:
            allowed = ", ".join(sorted(methods))
            raise MethodError(
                allowed=allowed,
                expected=f"the method {allowed}",
                got="another one",
                consequence="nothing was answered",
            )
        if route.method == "POST":
            request.body = await _body(head, receive, self.holder.limits.body)
        if not route.needs_state:
            return await Watched(route.answer(request), receive)
        state = request.state = self.holder.acquire()
        try:
            return await Watched(route.answer(request), receive)
        finally:
            self.holder.release(state)


class ClientLeftError(Exception):
    """The client closed its connection before its answer."""


class _Head:
    """The headers that the server reads."""

    __slots__ = ("authorization", "encoding", "id", "length", "media_type")

    def __init__(self, headers: Sequence[tuple[bytes, bytes]]) -> None:
        self.authorization = self.encoding = self.id = self.length = self.media_type = b""
        for name, value in headers:
            if name == b"content-type":
                self.media_type = value
            elif name == b"content-length":
                self.length = value
            elif name == b"authorization":
                self.authorization = value
            elif name == b"x-request-id":
                self.id = value
            elif name == b"content-encoding":
                self.encoding = value


class Watched:
    """Runs a route, and cancels it when its client leaves, so that the engine drops what waits.

    The client is watched from the first time that the route waits; one that answers at once costs no task.
    """

    def __init__(self, route: Any, receive: Receive) -> None:
        self._route, self._receive = route, receive
        self._left = False

    def __await__(self) -> Generator[Any, Any, Answer]:
        """Raises ClientLeftError, or what the route raises."""
        route = self._route
        try:
            awaited = route.send(None)
        except StopIteration as done:
            return done.value
        task = asyncio.current_task()
        assert task is not None
        watching = task.get_loop().create_task(self._watch(task))
        try:
            while True:
                try:
                    value = yield awaited
                except BaseException as error:
                    awaited = route.throw(error)
                else:
                    awaited = route.send(value)
        except StopIteration as done:
            return done.value
        except asyncio.CancelledError:
            if not self._left:
                raise
            task.uncancel()
            raise ClientLeftError from None
        finally:
            watching.cancel()

    async def _watch(self, task: asyncio.Task[Any]) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._left = True
        task.cancel()


async def _body(head: _Head, receive: Receive, limit: int) -> bytes:
    """The body, no more of which is held than `limit` bytes and what one message brings.

    Raises:
        MediaTypeError: it is not announced as JSON, or is compressed.
        TooLargeError: it is longer than `limit`.
        ClientLeftError: it did not come whole.
    """
    media_type = head.media_type
    if media_type != b"application/json":
        plain = media_type.partition(b";")[0].strip().lower()
        if plain not in _MEDIA_TYPES and not plain.endswith(b"+json"):
            raise MediaTypeError(
                expected="'Content-Type: application/json'",
                got=repr(media_type.decode("latin-1")[:100]),
                consequence="nothing was answered",
            )
    if head.encoding and head.encoding.lower() != b"identity":
        raise MediaTypeError(
            expected="a body that is not compressed",
            got=f"'Content-Encoding: {head.encoding.decode('latin-1')[:100]}'",
            consequence="nothing was answered: a small body may unpack to a large one",
        )
    announced = int(head.length[:_DIGITS]) if head.length.isdigit() else 0
    if announced > limit:
        raise _too_large(limit, f"{announced:,}" if len(head.length) < _DIGITS else "far more")
    parts: list[bytes] = []
    length = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientLeftError
        part = message.get("body", b"")
        length += len(part)
        if length > limit:
            raise _too_large(limit, "more")
        if not message.get("more_body"):
            return part if not parts else b"".join((*parts, part))
        parts.append(part)


def _too_large(limit: int, got: str) -> TooLargeError:
    return TooLargeError(
        expected=f"a body of at most {limit:,} bytes",
        got=f"{got} bytes",
        consequence="the rest was not read",
        remedy="send the texts in several requests",
    )


def _refusal(error: Exception, scope: Scope, identity: bytes) -> Refusal:
    if isinstance(error, Refusal):
        return error
    for kind, refusal in _FOREIGN:
        if isinstance(error, kind):
            parts = {"expected": error.expected, "got": error.got, "consequence": error.consequence}
            return refusal(**parts, remedy=error.remedy)
    log.error("500 %s %s %s", scope["method"], scope["path"], identity.decode(), exc_info=error)
    return InternalError(
        expected="an answer",
        got="a fault of the server",
        consequence="nothing was answered",
        remedy=f"the server's log tells more under the request id {identity.decode()}",
    )


def _interface(route: Route | None, path: str) -> Interface:
    if route is not None:
        return route.interface
    return "openai" if path.startswith("/v1/") else "cohere" if path.startswith("/v2/") else "tei"


def _headers(request: Request, answer: Answer, seconds: float) -> list[tuple[bytes, bytes]]:
    headers = [
        (b"content-type", answer.media_type),
        (b"content-length", b"%d" % len(answer.body)),
        (b"x-request-id", request.id),
        *answer.headers,
    ]
    timing = request.timing
    if timing is None or answer.status != 200:
        return headers
    headers += (
        (b"x-compute-tokens", b"%d" % request.tokens),
        (b"x-queue-time", b"%d" % (timing.queue * 1e3)),
        (b"x-inference-time", b"%d" % (timing.inference * 1e3)),
        (b"x-total-time", b"%d" % (seconds * 1e3)),
        (
            b"server-timing",
            b"tokenisation;dur=%.3f, queue;dur=%.3f, inference;dur=%.3f, total;dur=%.3f"
            % (timing.tokenisation * 1e3, timing.queue * 1e3, timing.inference * 1e3, seconds * 1e3),
        ),
    )
    if request.space:
        headers.append((b"x-rankdistill-space", request.space.encode()))
    if request.truncated:
        places = ",".join(map(str, request.truncated[:_PLACES_TOLD]))
        headers.append(
            (b"x-truncated", f"{places},...".encode() if len(request.truncated) > _PLACES_TOLD else places.encode())
        )
    return headers


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
