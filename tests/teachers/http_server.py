"""A small HTTP server in a thread that answers as tests tell it to, and time that passes without waiting."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from rankdistill.teachers.http.pacing import Clock


@dataclass
class Reply:
    """What the server says once; `drop` breaks the connection instead, `after` waits for an event first."""

    content: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    drop: bool = False
    after: threading.Event | None = None

    @property
    def body(self) -> bytes:
        """The content as sent: text as it is, the rest as JSON (NaN included)."""
        return (self.content if isinstance(self.content, str) else json.dumps(self.content)).encode()


@dataclass
class Asked:
    """A request that the server saw."""

    path: str
    headers: dict[str, str]
    body: Any


class FakeServer:
    """Answers with `answer(path, body)`, after the replies of `first` have been used up."""

    def __init__(self, answer: Callable[[str, Any], Reply]) -> None:
        self.answer, self.first, self.asked = answer, list[Reply](), list[Asked]()
        self._lock = threading.Lock()
        self.url = ""

    @property
    def posts(self) -> list[Asked]:
        """The requests with a body."""
        return [asked for asked in self.asked if asked.body is not None]

    def reply(self, asked: Asked) -> Reply:
        """What to say to a request; page `/info` is not among `first`."""
        with self._lock:
            self.asked.append(asked)
            if self.first and asked.body is not None:
                return self.first.pop(0)
        return self.answer(asked.path, asked.body)


@contextmanager
def serving(answer: Callable[[str, Any], Reply]) -> Iterator[FakeServer]:
    """A running server at `server.url` (without a path)."""
    fake = FakeServer(answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet

        def do_GET(self) -> None:
            self._reply(None)

        def do_POST(self) -> None:
            self._reply(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def _reply(self, body: Any) -> None:
            reply = fake.reply(Asked(self.path, dict(self.headers), body))
            if reply.after is not None:
                reply.after.wait(10)
            if reply.drop:
                self.close_connection = True
                return
            self.send_response(reply.status)
            for name, value in {"Content-Type": "application/json", **reply.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    fake.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class FakeTime:
    """Time that passes only when somebody waits."""

    def __init__(self) -> None:
        self.seconds, self.waits = 1000.0, list[float]()
        self._lock = threading.Lock()

    def clock(self) -> Clock:
        """A clock that shows this time."""
        return Clock(now=lambda: self.seconds, wait=self._wait, date=lambda: self.seconds)

    def _wait(self, seconds: float, stop: threading.Event) -> None:
        with self._lock:
            self.waits.append(seconds)
            self.seconds += seconds


def relevance(query: str, document: str) -> float:
    """A score that tells pairs apart: between -4 and 4."""
    shared = len(set(query.split()) & set(document.split()))
    return shared + len(document) % 7 / 10 - len(query) % 3


def rerank_rows(query: str, documents: Sequence[str], field: str) -> list[dict[str, Any]]:
    """Rows of a rerank answer, the best document first, as servers give them."""
    rows = [{"index": index, field: relevance(query, text)} for index, text in enumerate(documents)]
    return sorted(rows, key=lambda row: -row[field])
