"""Connections: how many, how long a request may take to arrive, and how one is closed without losing the answer.

uvicorn's protocol of `httptools` with four things that it has not. A request has `header_seconds` to arrive, head and
body, however slowly its bytes come. An answer that is given before the body was read (a body of 100 MB is refused by
its head) is not lost in a reset: the server's side is closed, and what the client still sends is thrown away for a
while. Connections beyond the limit hear that the server is full. Who offers another protocol (Java's client asks for
HTTP/2 so by default) is answered in this one, as HTTP allows: the parser would stop before the body.

One sweep twice a second looks at all connections; a timer for each request would cost more than the rest of this file.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, cast

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from rankdistill.serving.contracts import Limits
from rankdistill.serving.pressure import Pressure

SWEEP_SECONDS = 0.5

LINGER_SECONDS = 2.0
"""How long what a client still sends is read and thrown away after its answer."""

KEEP_ALIVE_SECONDS = 75
"""How long an idle connection stays open: longer than the 60 s of common load balancers, which must close first."""

FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain; charset=utf-8\r\nretry-after: 1\r\n"
    b"connection: close\r\ncontent-length: 21\r\n\r\ntoo many connections\n"
)
SLOW = (
    b"HTTP/1.1 408 Request Timeout\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"connection: close\r\ncontent-length: 35\r\n\r\nthe request took too long to arrive"
)
ENDING = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain; charset=utf-8\r\nretry-after: 1\r\n"
    b"connection: close\r\ncontent-length: 25\r\n\r\nthe server shuts down now"
)


class GuardedConfig(uvicorn.Config):
    """Settings of uvicorn with the limits that `GuardedProtocol` keeps.

    Args:
        app: what answers.
        limits: `connections` and `header_seconds` count here.
        access_log: a line a request.
    """

    def __init__(self, app: Any, limits: Limits, access_log: bool = False) -> None:
        super().__init__(
            app,
            http=GuardedProtocol,
            loop="uvloop",
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            log_level="info" if access_log else "error",
            access_log=access_log,
            proxy_headers=False,
            server_header=False,
            backlog=2048,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
        )
        if access_log:
            _show_requests()
        self.limits = limits
        self.draining = False
        self.pressure: Pressure | None = None


def _show_requests() -> None:
    """Let requests be seen: uvicorn makes a line a request only where somebody hears its logger."""
    logger = logging.getLogger("uvicorn.access")
    if not logger.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        logger.addHandler(handler)
    logger.propagate = False


class GuardedProtocol(HttpToolsProtocol):
    """One connection.

    Attributes:
        began: when the request that is arriving began; None where none is. In the loop's seconds, as all here.
        until: when what still comes is not read any longer; None where the connection is not being closed.
        stalled: since when the client has not read its answer; None where it does.
        surplus: whether it is one too many.
        refused: whether the request that is arriving is refused when it is there.
        offered: whether it offers another protocol, and is read again without that.
    """

    config: GuardedConfig

    def __init__(
        self, config: GuardedConfig, server_state: ServerState, app_state: dict[str, Any], _loop: Any = None
    ) -> None:
        super().__init__(config=config, server_state=server_state, app_state=app_state, _loop=_loop)
        self.began: float | None = None
        self.until: float | None = None
        self.stalled: float | None = None
        self.surplus = self.refused = self.offered = False

    def connection_made(self, transport: Any) -> None:
        """A client is there."""
        self.began = self.loop.time()
        self.surplus = len(self.connections) >= self.config.limits.connections
        super().connection_made(Closing(transport, self))  # type: ignore[arg-type]

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        if self.until is not None:
            return
        if self.surplus:
            self.transport.write(FULL)
            self.transport.close()
            return
        self._unset_keepalive_if_required()
        try:
            self._parse(data)
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")

    def _parse(self, data: bytes) -> None:
        while True:
            try:
                self.parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as stopped:
                data = self._head_without_offer() + data[stopped.args[0] :]
                self.offered = False
                self.parser = httptools.HttpRequestParser(self)

    def _head_without_offer(self) -> bytes:
        """The head that was read, without what offers another protocol."""
        first = b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())
        rest = [b"%s: %s" % pair for pair in map(_without_offer, self.headers) if pair[1]]
        return b"\r\n".join((first, *rest, b"", b""))

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        if self.began is None:
            self.began = self.loop.time()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is there."""
        self.offered = self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT"
        if self.offered:
            return
        pressure, cycle = self.config.pressure, self.cycle
        if pressure is not None and pressure.is_too_high and (cycle is None or cycle.response_complete):
            self.refused = self.parser.get_method() == b"POST" and not self.expect_100_continue
            if self.refused:
                return
        super().on_headers_complete()
        if self.config.draining:
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        """The last byte of a request."""
        if self.offered:  # only its head was read
            return
        self.began = None
        if self.refused:
            self._refuse()
            return
        super().on_message_complete()

    def on_body(self, body: bytes) -> None:
        """A part of a request."""
        if not self.refused:
            super().on_body(body)

    def _refuse(self) -> None:
        """Say that too much is asked for, and wait for the next request."""
        self.refused = False
        assert self.config.pressure is not None
        self.transport.write(self.config.pressure.refusal(self.url))
        if self.config.draining or not self.parser.should_keep_alive():
            self.transport.close()
        else:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def on_response_complete(self) -> None:
        """An answer was written; a body that nobody reads is not waited for."""
        super().on_response_complete()
        if self.cycle.more_body and self.cycle.response_complete:
            self.transport.close()

    def pause_writing(self) -> None:
        """The client reads more slowly than it is answered."""
        self.stalled = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        """It reads again."""
        self.stalled = None
        super().resume_writing()

    def end_with_answer(self) -> None:
        """Close after the answer that is being made, and say so in it."""
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            cycle.keep_alive = False

    def sweep(self, now: float) -> None:
        """Close the connection where its time is over."""
        limit = self.config.limits.header_seconds
        if self.until is not None:
            if now >= self.until:
                self.transport.abort()
        elif self.stalled is not None and now - self.stalled > limit:
            self.transport.abort()
        elif self.surplus:
            if self.began is not None and now - self.began > LINGER_SECONDS:
                self.transport.abort()
        elif self.began is not None and now - self.began > limit and not self.pipeline:
            self._leave(SLOW if self.headers is not None else b"")

    def cut(self) -> None:
        """End what is not answered yet, as the server ends."""
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            self._leave(ENDING)
        else:
            self.transport.close()

    def _leave(self, said: bytes) -> None:
        """Say so where nothing is said yet, and close; the task of the request hears that the client left."""
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            if cycle.response_started:
                said = b""
            cycle.disconnected = True
            cycle.message_event.set()
        if said:
            self.transport.write(said)
        self.transport.close()


def _without_offer(header: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    """A header without what offers another protocol; empty where nothing else is in it."""
    name, value = header
    if name in (b"upgrade", b"http2-settings"):
        return name, b""
    if name != b"connection":
        return header
    offer = (b"", b"upgrade", b"http2-settings")
    return name, b", ".join(one for one in map(bytes.strip, value.split(b",")) if one.lower() not in offer)


class Closing:
    """A transport that closes its own side first while the client still sends, and sends an answer in one piece.

    An answer's head waits for what is written next, its body: uvloop would send the head at once, and a second call of
    the system for the body costs about as much as all that is computed for a small answer.
    """

    __slots__ = (
        "_answered",
        "_head",
        "_protocol",
        "_transport",
        "abort",
        "get_extra_info",
        "pause_reading",
        "resume_reading",
    )

    def __init__(self, transport: asyncio.Transport, protocol: GuardedProtocol) -> None:
        self._transport, self._protocol = transport, protocol
        self._head = b""
        self._answered: object = None
        self.abort, self.get_extra_info = transport.abort, transport.get_extra_info
        self.pause_reading, self.resume_reading = transport.pause_reading, transport.resume_reading

    def write(self, data: bytes) -> None:
        """Send it; an answer's head with what comes next."""
        cycle = self._protocol.cycle
        if self._head:
            head, self._head = self._head, b""
            self._transport.writelines([head, data])
        elif cycle is not None and cycle is not self._answered and cycle.response_started:
            self._answered, self._head = cycle, data
        else:
            self._transport.write(data)

    def is_closing(self) -> bool:
        """Whether nothing more may be written."""
        return self._protocol.until is not None or self._transport.is_closing()

    def close(self) -> None:
        """Close; at once where the request has arrived whole."""
        protocol, transport = self._protocol, self._transport
        if transport.is_closing() or protocol.until is not None:
            return
        if self._head:
            self.write(b"")
        if protocol.began is None:
            transport.close()
            return
        protocol.until = protocol.loop.time() + LINGER_SECONDS
        protocol.flow.resume_reading()
        if transport.can_write_eof():
            transport.write_eof()


async def sweep(state: ServerState) -> None:
    """Look after all connections, for ever."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        now = loop.time()
        for connection in guarded(state):
            connection.sweep(now)


def guarded(state: ServerState) -> list[GuardedProtocol]:
    """The connections that are open now."""
    return cast("list[GuardedProtocol]", list(state.connections))
