"""`rankdistill serve` as a process of its own, and requests to it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tests.serving.process.loopback import PATIENCE

PROGRAM = "import sys; sys.argv[0] = 'rankdistill'; from rankdistill.cli.main import main; main()"


@dataclass
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Command:
    """The running command; `told` is what it said when it was warm."""

    process: subprocess.Popen[str]
    told: dict[str, Any] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)

    def connection(self) -> http.client.HTTPConnection:
        found = urlsplit(self.told["url"])
        return http.client.HTTPConnection(found.hostname or "", found.port, timeout=PATIENCE)

    def ask(self, path: str, body: Any = None, **headers: str) -> Reply:
        connection = self.connection()
        try:
            return asked(connection, path, body, **headers)
        finally:
            connection.close()

    def embed(self, text: str = "the deep river", **headers: str) -> Reply:
        return self.ask("/v1/embeddings", {"input": text, "input_type": "query"}, **headers)

    def ended(self) -> int:
        return self.process.wait(PATIENCE)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.ended()

    def wait_for_log(self, text: str) -> None:
        until(lambda: any(text in line for line in self.log), lambda: "".join(self.log))


def asked(connection: http.client.HTTPConnection, path: str, body: Any = None, **headers: str) -> Reply:
    """One request on a connection."""
    sent = None if body is None else json.dumps(body)
    head = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request("GET" if sent is None else "POST", path, sent, {"content-type": "application/json"} | head)
    found = connection.getresponse()
    return Reply(found.status, {name.lower(): value for name, value in found.getheaders()}, found.read())


def until(holds: Callable[[], object], told: Callable[[], object] = lambda: "") -> None:
    """Look again and again, for a while."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() < began + PATIENCE, told()
        time.sleep(0.02)


@contextmanager
def command(*words: object, warm: bool = True, **environment: str) -> Iterator[Command]:
    """Start the command on a free port; it is killed at the end where it still runs."""
    called = [sys.executable, "-c", PROGRAM, "serve", *map(str, words), "--port", "0", "--json"]
    process = subprocess.Popen(
        called, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | environment
    )
    running = Command(process)
    assert process.stdout is not None
    assert process.stderr is not None
    reading = threading.Thread(target=lambda: running.log.extend(process.stderr or ()))
    reading.start()
    try:
        if warm:
            said = ""
            for line in process.stdout:
                said += line
                if line.startswith("}"):
                    break
            assert said, (process.wait(PATIENCE), "".join(running.log))
            running.told = json.loads(said)
        yield running
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(PATIENCE)
        reading.join(PATIENCE)
        process.stdout.close()
        process.stderr.close()
