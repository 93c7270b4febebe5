"""The load generator counts what a server really did, and servers under measurement are started and ended whole."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from benchmarks.serving import models, starting
from benchmarks.serving.load import Load, cpu_seconds, descendants, run
from benchmarks.serving.peers import PEERS
from benchmarks.serving.peers.base import vectors


class Server:
    """Answers every third request with 429, breaks the connection at a body of `break`, and keeps the bodies."""

    def __init__(self) -> None:
        self.port, self.bodies, self.answered = 0, list[bytes](), 0
        self.connections = self.most = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.most = max(self.most, self.connections)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
                body = await reader.readexactly(length)
                self.bodies.append(body)
                if body == b'"break"' and len(self.bodies) % 5 == 0:
                    return
                self.answered += 1
                status = b"429 Too Many Requests" if len(self.bodies) % 3 == 0 else b"200 OK"
                writer.write(b"HTTP/1.1 " + status + b"\r\ncontent-length: 2\r\n\r\n{}")
                await asyncio.sleep(0)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            self.connections -= 1
            writer.close()


@contextmanager
def serving() -> Iterator[Server]:
    found, begun, stop = Server(), threading.Event(), asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def work() -> None:
        loops.append(asyncio.get_running_loop())
        async with await asyncio.start_server(found.serve, "127.0.0.1", 0) as server:
            found.port = server.sockets[0].getsockname()[1]
            begun.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(work()))
    thread.start()
    assert begun.wait(10)
    try:
        yield found
    finally:
        loops[0].call_soon_threadsafe(stop.set)
        thread.join(10)


def load_of(server: Server, bodies: Path, content: list[Any], **settings: Any) -> Load:
    bodies.write_text("".join(json.dumps(one) + "\n" for one in content))
    usual: dict[str, Any] = {"seconds": 0.4, "warm_up": 0.1, "patience": 10.0} | settings
    return Load(f"http://127.0.0.1:{server.port}/x", str(bodies), **usual)


def test_a_closed_loop_counts_every_answer(tmp_path: Path) -> None:
    with serving() as server:
        found = run(load_of(server, tmp_path / "bodies", ["a", "b", "c"], concurrency=4), os.getpid())
    assert server.most == 4
    assert server.bodies[:4] != server.bodies[4:8], "bodies take turns"
    assert {json.loads(body) for body in server.bodies} == {"a", "b", "c"}
    assert found.requests == sum(found.statuses.values()) <= server.answered
    assert found.answered == found.statuses["200"]
    assert found.statuses["429"] == pytest.approx(found.requests / 3, abs=3)
    assert (found.broken, found.unanswered) == (0, 0)
    assert found.p50_ms is not None
    assert found.p99_ms is not None
    assert found.max_ms is not None
    assert 0 < found.p50_ms <= found.p99_ms <= found.max_ms
    assert found.refused_p99_ms is not None
    assert found.server_cpu_us is not None
    assert found.server_cpu_us > 0


def test_an_open_loop_sends_at_its_rate_and_tells_what_broke(tmp_path: Path) -> None:
    with serving() as server:
        found = run(load_of(server, tmp_path / "bodies", ["break"], concurrency=8, rate=200.0))
    assert found.requests == pytest.approx(80, abs=40), "Poisson, of mean 80"
    assert found.broken > 0
    assert found.requests == sum(found.statuses.values()) + found.broken + found.unanswered


def test_processes_are_found_and_ended_with_what_they_started(tmp_path: Path) -> None:
    program = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'], stdin=sys.stdin)"
    reader, writer = os.pipe()
    with subprocess.Popen([sys.executable, "-c", program], stdin=reader, start_new_session=True) as child:
        while len(descendants(child.pid)) < 2:
            assert child.poll() is None
        below = descendants(child.pid)
        assert cpu_seconds(child.pid) >= 0
        starting.end(child, patience=5)
    os.close(reader)
    os.close(writer)
    assert all(starting.ended(pid) for pid in below)


def test_a_benchmark_that_is_ended_ends_its_server(tmp_path: Path) -> None:
    program = (
        "import sys, time\nfrom pathlib import Path\nfrom benchmarks.serving.starting import process\n"
        "with process([sys.executable, '-c', 'input()'], threads=1, log=Path(sys.argv[1])) as pid:\n"
        "    print(pid, flush=True)\n    time.sleep(60)"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True, cwd=starting.ROOT) as run_:
        assert run_.stdout is not None
        pid = int(run_.stdout.readline())
        assert not starting.ended(pid)
        run_.terminate()
        assert run_.wait(20) == 143
    assert starting.ended(pid)


def test_every_peer_has_a_command_for_a_bundle(tmp_path: Path) -> None:
    for name, peer in PEERS.items():
        assert peer.name == name
        query = tmp_path / "query"
        query.mkdir(exist_ok=True)
        (query / "1_Pooling").mkdir(exist_ok=True)
        (query / "tokenizer_config.json").write_text('{"model_max_length": 256}')
        (query / "1_Pooling/config.json").write_text('{"pooling_mode": "mean", "embedding_dimension": 8}')
        (query / "modules.json").write_text('[{"type": "a.b.Pooling", "path": "1_Pooling"}]')
        words = peer.command("python", tmp_path, 1234, 2)
        assert "1234" in words
        assert any(str(tmp_path) in word for word in words)
        assert peer.body("a river")["input"] == "a river"
    assert json.loads((tmp_path / "query-older/modules.json").read_text())[0]["type"] == (
        "sentence_transformers.models.Pooling"
    )
    assert not starting.available(PEERS["infinity"], tmp_path)
    assert starting.available(PEERS["naive"], None)
    refused = starting.started(PEERS["infinity"], tmp_path, None, threads=1, cores=[], log=tmp_path / "log")
    with pytest.raises(SystemExit, match="--venvs"):
        refused.__enter__()


def test_bodies_are_distinct_and_vectors_are_in_order(tmp_path: Path) -> None:
    models.write_bodies(["a", "b"], {"model": "m"}, tmp_path / "bodies", 5, first=10)
    found = [json.loads(line) for line in (tmp_path / "bodies").read_text().splitlines()]
    assert [one["input"] for one in found] == ["a 10", "b 11", "a 12", "b 13", "a 14"]
    assert found[0]["model"] == "m"
    assert vectors({"data": [{"index": 1, "embedding": [2.0]}, {"index": 0, "embedding": [1.0]}]}) == [[1.0], [2.0]]
