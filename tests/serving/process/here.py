"""`rankdistill.serve` in the main thread of the test, and a visitor in another: no process, whose imports take long."""

from __future__ import annotations

import http.client
import os
import signal
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import rankdistill
from rankdistill.verbs.serve import Serving
from tests.serving.process.command import Reply, asked
from tests.serving.process.loopback import PATIENCE


class Visit:
    """What a visitor may do."""

    def __init__(self, serving: Serving) -> None:
        self.serving = serving

    def connection(self) -> http.client.HTTPConnection:
        found = urlsplit(self.serving.url)
        return http.client.HTTPConnection(found.hostname or "", found.port, timeout=PATIENCE)

    def ask(self, path: str, body: Any = None, **headers: str) -> Reply:
        connection = self.connection()
        try:
            return asked(connection, path, body, **headers)
        finally:
            connection.close()

    def embed(self, text: str = "the deep river", **headers: str) -> Reply:
        return self.ask("/v1/embeddings", {"input": text, "input_type": "query"}, **headers)


def visited(visitor: Callable[[Visit], None], *given: Any, **settings: Any) -> None:
    """Serve, let `visitor` come when all is warm, and end with SIGTERM when it goes; what it raises is raised."""
    faults: list[BaseException] = []
    threads: list[threading.Thread] = []

    def visit(serving: Serving) -> None:
        try:
            visitor(Visit(serving))
        except BaseException as error:
            faults.append(error)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    def started(serving: Serving) -> None:
        threads.append(threading.Thread(target=visit, args=(serving,)))
        threads[0].start()

    before = signal.getsignal(signal.SIGTERM)
    rankdistill.serve(*given, port=0, started=started, **({"backend": "torch", "threads": 1} | settings))
    assert signal.getsignal(signal.SIGTERM) == before
    assert threads, "it never began"
    threads[0].join(PATIENCE)
    if faults:
        raise faults[0]
