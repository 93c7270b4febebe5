"""A server in a thread of the test, and clients that write bytes themselves."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import uvloop

from rankdistill.serving.connections import GuardedConfig, sweep
from rankdistill.serving.contracts import Limits
from rankdistill.serving.listening import listen
from rankdistill.serving.process import DrainingServer

App = Callable[[Any, Any, Any], Awaitable[None]]

PATIENCE = 120.0
"""Seconds after which a test fails instead of waiting on."""


@dataclass
class Running:
    port: int
    server: DrainingServer
    loop: asyncio.AbstractEventLoop

    def drain(self) -> None:
        self.loop.call_soon_threadsafe(self.server.drain)


@contextmanager
def serving(app: App, limits: Limits, access_log: bool = False) -> Iterator[Running]:
    listener = listen("127.0.0.1", 0)
    server = DrainingServer(GuardedConfig(app, limits, access_log), limits.drain)
    begun = threading.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def run() -> None:
        loops.append(asyncio.get_running_loop())
        watching = asyncio.create_task(sweep(server.server_state))
        begun.set()
        await server.serve([listener])
        watching.cancel()

    def work() -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run())

    port = listener.getsockname()[1]
    thread = threading.Thread(target=work)
    thread.start()
    assert begun.wait(PATIENCE)
    running = Running(port, server, loops[0])
    try:
        yield running
    finally:
        if thread.is_alive():
            running.drain()
        thread.join(PATIENCE)
        assert not thread.is_alive()


@contextmanager
def client(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as opened:
        yield opened


def answer(opened: socket.socket) -> bytes:
    """One answer with a length, or all until the other side closes."""
    read = b""
    while True:
        head, end, body = read.partition(b"\r\n\r\n")
        if end:
            lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            if lengths and len(body) >= int(lengths[0].split(b":")[1]):
                return read
        more = opened.recv(65536)
        if not more:
            return read
        read += more


def post(body: bytes, path: str = "/", headers: str = "") -> bytes:
    return f"POST {path} HTTP/1.1\r\nhost: a\r\ncontent-length: {len(body)}\r\n{headers}\r\n".encode() + body
