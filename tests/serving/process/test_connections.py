"""Slow clients, large bodies, too many connections, and the end: with a plain ASGI application behind the protocol."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from types import SimpleNamespace
from typing import Any

import pytest

from rankdistill.serving import process
from rankdistill.serving.connections import Closing
from rankdistill.serving.contracts import Limits
from rankdistill.serving.pressure import FEWEST, Pressure
from tests.serving.process.command import until
from tests.serving.process.loopback import answer, client, post, serving


async def body_of(receive: Any) -> bytes | None:
    """All of a body; None where the client left."""
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


async def respond(send: Any, body: bytes, status: int = 200) -> None:
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Echo:
    """Gives a body back; refuses what says that it is longer than 1,000 bytes before it came."""

    def __init__(self) -> None:
        self.left = asyncio.Event()
        self.entered = asyncio.Event()
        self.may_go_on = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if int(dict(scope["headers"]).get(b"content-length", b"0")) > 1000:
            await respond(send, b"too large", 413)
            return
        body = await body_of(receive)
        if body is None:
            self.left.set()
            return
        if scope["path"] == "/wait":
            self.entered.set()
            left = asyncio.ensure_future(body_of(receive))
            going_on = asyncio.ensure_future(self.may_go_on.wait())
            await asyncio.wait({left, going_on}, return_when=asyncio.FIRST_COMPLETED)
            left.cancel()
            going_on.cancel()
            if not self.may_go_on.is_set():
                self.left.set()
                return
        await respond(send, body)


def test_a_connection_is_kept_for_the_next_request() -> None:
    with serving(Echo(), Limits()) as running, client(running.port) as one:
        for text in (b"first", b"second"):
            one.sendall(post(text))
            assert answer(one).endswith(b"\r\n\r\n" + text)


def test_a_request_is_a_line_on_standard_error_where_that_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    logger = logging.getLogger("uvicorn.access")
    before, logger.handlers = logger.handlers, []
    try:
        with serving(Echo(), Limits(), access_log=True) as running, client(running.port) as one:
            one.sendall(post(b"first", "/there?a=b"))
            answer(one)
    finally:
        logger.handlers = before
    assert '"POST /there?a=b HTTP/1.1" 200' in capsys.readouterr().err


@pytest.mark.parametrize("halves", [False, True])
@pytest.mark.parametrize(
    "offer",
    [
        "connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n",
        "connection: keep-alive, upgrade\r\nupgrade: websocket\r\n",
    ],
    ids=["http2", "websocket"],
)
def test_who_offers_another_protocol_is_answered_in_this_one(offer: str, halves: bool) -> None:
    """Java's HttpClient offers HTTP/2 in every first request; its body must not be lost."""
    with serving(Echo(), Limits()) as running, client(running.port) as one:
        sent = post(b"first", headers=offer)
        parts = [sent[: len(sent) // 2], sent[len(sent) // 2 : -2], sent[-2:]] if halves else [sent]
        for part in parts:
            one.sendall(part)
        assert answer(one).endswith(b"\r\n\r\nfirst")
        one.sendall(post(b"second", headers=offer) + post(b"third"))
        read = answer(one)
        while b"third" not in read:
            read += answer(one)
        assert read.index(b"second") < read.index(b"third")


def test_an_offer_in_chunks() -> None:
    head = b"POST / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: h2c\r\ntransfer-encoding: chunked\r\n\r\n"
    with serving(Echo(), Limits()) as running, client(running.port) as one:
        one.sendall(head + b"3\r\nfir\r\n2\r\nst\r\n0\r\n\r\n")
        assert answer(one).endswith(b"\r\n\r\nfirst")
        one.sendall(b"CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n")
        assert answer(one).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("sent", [b"POST / HT", post(b"0123456789")[:-5]], ids=["head", "body"])
def test_a_request_that_does_not_arrive_in_time_is_ended(sent: bytes) -> None:
    app = Echo()
    with serving(app, Limits(header_seconds=0.2)) as running, client(running.port) as one:
        one.sendall(sent)
        assert answer(one).startswith(b"HTTP/1.1 408 ")
        assert one.recv(1) == b""
    assert app.left.is_set() == sent.endswith(b"4"), "the application hears that the body will not come"


def test_a_client_of_a_byte_now_and_then_is_ended_too() -> None:
    with serving(Echo(), Limits(header_seconds=0.3)) as running, client(running.port) as one:
        one.settimeout(0.05)
        began = time.monotonic()
        read = b""
        while not read and time.monotonic() < began + 20:
            one.sendall(b"P" if read == b"" else b"")
            try:
                read = one.recv(1000)
            except TimeoutError:
                continue
        assert b" 408 " in read or b" 400 " in read


def test_a_quiet_client_does_not_hold_its_connection() -> None:
    with serving(Echo(), Limits(header_seconds=0.2)) as running, client(running.port) as one:
        assert one.recv(1) == b""


def test_an_early_refusal_reaches_a_client_that_sends_on() -> None:
    """The head says 20 MB: the answer must not be lost in the reset that closing a socket with unread bytes is."""
    with serving(Echo(), Limits()) as running, client(running.port) as one:
        one.sendall(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 20000000\r\n\r\n")
        chunk = bytes(1_000_000)
        for _ in range(20):
            one.sendall(chunk)
        assert answer(one).startswith(b"HTTP/1.1 413 ")
        assert one.recv(1) == b""


def test_one_connection_too_many_hears_so() -> None:
    with serving(Echo(), Limits(connections=2)) as running, client(running.port) as one, client(running.port) as two:
        for held in (one, two):
            held.sendall(post(b"held"))
            answer(held)
        with client(running.port) as three:
            three.sendall(post(b"more"))
            said = answer(three)
            assert said.startswith(b"HTTP/1.1 503 ")
            assert b"retry-after:" in said
        one.sendall(post(b"again"))
        assert answer(one).endswith(b"again"), "those that were there first are served on"


def test_what_was_accepted_is_answered_when_the_server_ends() -> None:
    app = Echo()
    with serving(app, Limits(drain=20)) as running, client(running.port) as idle, client(running.port) as busy:
        idle.sendall(post(b"before"))
        answer(idle)
        busy.sendall(post(b"late", "/wait"))
        asyncio.run_coroutine_threadsafe(app.entered.wait(), running.loop).result(20)
        running.drain()
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0), running.loop).result(20)
        idle.sendall(post(b"on a kept connection"))
        said = answer(idle)
        assert said.endswith(b"on a kept connection")
        assert b"connection: close" in said
        with client(running.port) as new:
            new.sendall(post(b"on a new one"))
            assert b"connection: close" in answer(new)
        running.loop.call_soon_threadsafe(app.may_go_on.set)
        said = answer(busy)
        assert said.endswith(b"late")
        assert b"connection: close" in said


def test_a_server_that_ends_answers_a_while_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever balances load hears of the end by an answer, and not by a connection that is refused."""
    monkeypatch.setattr(process, "STAY_SECONDS", 60.0)
    with serving(Echo(), Limits()) as running:
        running.drain()
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0), running.loop).result(20)
        with client(running.port) as new:
            new.sendall(post(b"after the end began"))
            said = answer(new)
        assert said.endswith(b"after the end began")
        assert b"connection: close" in said
        monkeypatch.setattr(process, "STAY_SECONDS", 0.0)


def test_what_takes_longer_than_the_drain_is_cut() -> None:
    app = Echo()
    with serving(app, Limits(drain=0.1)) as running, client(running.port) as busy:
        busy.sendall(post(b"late", "/wait"))
        asyncio.run_coroutine_threadsafe(app.entered.wait(), running.loop).result(20)
        running.drain()
        assert answer(busy).startswith(b"HTTP/1.1 503 ")
    assert app.left.is_set()


def test_a_request_that_is_no_http_is_refused() -> None:
    with serving(Echo(), Limits()) as running, client(running.port) as one:
        one.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")
        assert answer(one).startswith(b"HTTP/1.1 400 ")


def test_who_asks_for_a_websocket_gets_a_plain_answer(caplog: pytest.LogCaptureFixture) -> None:
    with serving(Echo(), Limits()) as running, client(running.port) as one:
        one.sendall(post(b"", headers="connection: upgrade\r\nupgrade: websocket\r\n"))
        assert answer(one).startswith(b"HTTP/1.1 200 ")
    assert not caplog.records


def test_a_loop_that_is_late_refuses_what_would_wait_too_long() -> None:
    app, refused = Echo(), []
    with serving(app, Limits()) as running, client(running.port) as one:
        pressure = Pressure(1.0, running.server.server_state, lambda: refused.append(1))
        pressure.beat(0.0, 0.0)
        running.server.config.pressure = pressure
        with contextlib.ExitStack() as held:
            waiting = [held.enter_context(client(running.port)) for _ in range(FEWEST)]
            for other in waiting:
                other.sendall(post(b"late", "/wait"))
            until(lambda: len(running.server.server_state.tasks) == FEWEST)
            one.sendall(post(b"still answered: the loop is not late"))
            assert answer(one).startswith(b"HTTP/1.1 200 ")
            pressure.beat(1.0, 0.5)  # one answer a second, and so many that wait
            for path, shape in (
                ("/v1/embeddings", b'{"error":{'),
                ("/v2/embed", b'{"message":'),
                ("/x", b'{"error":"'),
            ):
                one.sendall(post(b"one too many", path))
                said = answer(one)
                assert said.startswith(b"HTTP/1.1 429 ")
                assert b"\r\nretry-after: 1\r\n" in said
                assert shape in said
            one.sendall(b"GET /ready HTTP/1.1\r\nhost: a\r\n\r\n")
            assert answer(one).startswith(b"HTTP/1.1 200 "), "who looks after the server is answered"
            running.loop.call_soon_threadsafe(app.may_go_on.set)
            assert all(answer(other).startswith(b"HTTP/1.1 200 ") for other in waiting)
        until(lambda: not running.server.server_state.tasks)
        one.sendall(post(b"again"))
        assert answer(one).endswith(b"again")
    assert len(refused) == 3


class Written:
    """Stands for uvloop's transport: keeps what is written, a call an entry."""

    def __init__(self) -> None:
        self.calls: list[bytes] = []
        self.closed = False
        self.abort = self.get_extra_info = self.pause_reading = self.resume_reading = lambda *_: None

    def write(self, data: bytes) -> None:
        self.calls.append(data)

    def writelines(self, parts: list[bytes]) -> None:
        self.calls.append(b"".join(parts))

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True


def _closing(written: Written) -> tuple[Closing, SimpleNamespace]:
    protocol = SimpleNamespace(cycle=None, until=None, began=None)
    return Closing(written, protocol), protocol  # type: ignore[arg-type]


def test_an_answer_is_sent_in_one_piece() -> None:
    written = Written()
    transport, protocol = _closing(written)
    for number in range(2):  # on one connection
        protocol.cycle = SimpleNamespace(response_started=False)
        transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        protocol.cycle.response_started = True
        transport.write(b"head")
        assert written.calls[2 * number :] == [b"HTTP/1.1 100 Continue\r\n\r\n"]
        transport.write(b"body")
        assert written.calls[2 * number + 1 :] == [b"headbody"]
    transport.write(b"more of the body")
    assert written.calls[-1] == b"more of the body"


def test_a_head_without_a_body_is_sent_before_the_end() -> None:
    written = Written()
    transport, protocol = _closing(written)
    protocol.cycle = SimpleNamespace(response_started=True)
    transport.write(b"head")
    transport.close()
    assert (written.calls, written.closed) == ([b"head"], True)
