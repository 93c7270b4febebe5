r"""Load on a server, from a process of its own so that its processor time is not the server's.

    python -m benchmarks.serving.load --url http://127.0.0.1:8080/v1/embeddings --body '{"input": "a query"}' \
        --concurrency 8 --seconds 5 [--rate 100] [--pid PID] [--cores 1]

Closed loop: each of `--concurrency` connections sends its next request when the answer to the last one came. Open loop,
with `--rate`: requests begin at random times (Poisson) whatever the server does, and the time of each is counted from
when it should have begun, so that queueing shows. Requests are distinct where several bodies are given (`--bodies`, a
file, one a line). With `--pid`, the processor time of that process and of all below it is told for a request.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[2]
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Load:
    """What is sent.

    Args:
        url: the address that is posted to.
        bodies: file with JSON bodies, one a line; sent in turn.
        concurrency: connections of the closed loop; of the open loop the most.
        rate: requests a second of the open loop; None: closed loop.
        seconds: that are measured.
        warm_up: seconds before, which are not.
        key: for `Authorization: Bearer`; None: none.
        cores: processors that the load runs on; none: any.
        patience: seconds to wait for the last answers.
        seed: of the times of the open loop.
    """

    url: str
    bodies: str
    concurrency: int
    rate: float | None = None
    seconds: float = 5.0
    warm_up: float = 1.0
    key: str | None = None
    cores: Sequence[int] = ()
    patience: float = 30.0
    seed: int = 13


@dataclass
class Measured:
    """What came of a load.

    Args:
        requests: that were begun in the measured time.
        answered: of them with status 200.
        statuses: status -> how many.
        broken: connections that ended without an answer.
        unanswered: still out when the patience ended.
        per_second: answers with status 200 a second that came in the measured time.
        p50_ms: time of an answer with status 200; so the others.
        refused_p99_ms: of the other answers; None where there were none.
        server_cpu_us: processor time of the server in the measured time over the answers 200 that came in it;
            None where its process was not named.
        generator_cpu_share: processor time of the load generator over the time; near 1 it was the bottleneck.
    """

    requests: int = 0
    answered: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    broken: int = 0
    unanswered: int = 0
    per_second: float = 0.0
    p50_ms: float | None = None
    p90_ms: float | None = None
    p99_ms: float | None = None
    max_ms: float | None = None
    refused_p99_ms: float | None = None
    server_cpu_us: float | None = None
    generator_cpu_share: float = 0.0


def run(load: Load, pid: int | None = None) -> Measured:
    """Send a load from another process and tell what came of it.

    Args:
        load: what is sent.
        pid: the server's process, whose processor time is measured with that of its descendants.

    Raises:
        SystemExit: the generator failed.
    """
    command = [sys.executable, "-m", "benchmarks.serving.load", "--child", json.dumps(asdict(load))]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        before = after = 0.0
        result: dict[str, Any] | None = None
        for line in child.stdout:
            said = json.loads(line)
            if said == "begin":
                before = cpu_seconds(pid) if pid else 0.0
            elif said == "end":
                after = cpu_seconds(pid) if pid else 0.0
            else:
                result = said
    if result is None:
        raise SystemExit(f"the load generator failed on {load.url}")
    found = Measured(**result)
    if pid and found.per_second:
        found.server_cpu_us = round(1e6 * (after - before) / (found.per_second * load.seconds), 1)
    return found


def cpu_seconds(pid: int) -> float:
    """Processor seconds of a process and of all below it, so far; those that ended count with who waited for them."""
    return sum(_times(one) for one in descendants(pid))


def descendants(pid: int) -> list[int]:
    """A process and all below it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and (stat := _stat(int(entry.name))):
            children.setdefault(int(stat[1]), []).append(int(entry.name))
    found, waiting = [], [pid]
    while waiting:
        found.append(waiting.pop())
        waiting += children.get(found[-1], [])
    return found


def ended(pid: int) -> bool:
    """Whether a process is no more, or only waits to be looked at."""
    return (_stat(pid) or ["Z"])[0] == "Z"


def memory_bytes(pid: int) -> int:
    """Resident bytes of a process and of all below it."""
    return sum(int(stat[21]) * os.sysconf("SC_PAGE_SIZE") for one in descendants(pid) if (stat := _stat(one)))


def _times(pid: int) -> float:
    stat = _stat(pid)
    return sum(map(int, stat[11:15])) / TICKS if stat else 0.0


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on; none where the process ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


class _Connection(asyncio.Protocol):
    """One connection that sends one request at a time.

    Args:
        done: called with (connection, status, seconds since the start), status 0 where it broke.
    """

    def __init__(self, done: Any) -> None:
        self._done, self._buffer, self._need, self._head = done, bytearray(), -1, 0
        self.start, self.busy, self.measured, self._transport = 0.0, False, False, None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def send(self, data: bytes, start: float) -> None:
        """Send a request that should have begun at `start`."""
        self.busy, self.start = True, start
        self._buffer.clear()
        self._need = -1
        assert self._transport is not None
        self._transport.write(data)

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        if self._need < 0:
            self._head = buffer.find(b"\r\n\r\n") + 4
            if self._head < 4:
                return
            head = bytes(buffer[: self._head]).lower()
            place = head.find(b"\r\ncontent-length:")
            self._need = 0 if place < 0 else self._head + int(head[place + 17 : head.index(b"\r\n", place + 2)])
        if (buffer.endswith(b"0\r\n\r\n") if self._need == 0 else len(buffer) >= self._need) and self.busy:
            self.busy = False
            self._done(self, int(buffer[9:12]), time.perf_counter() - self.start)

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        if self.busy:
            self.busy = False
            self._done(self, 0, time.perf_counter() - self.start)

    @property
    def alive(self) -> bool:
        """Whether it can send."""
        return self._transport is not None and not self._transport.is_closing()

    def close(self) -> None:
        """Let it go."""
        if self._transport is not None:
            self._transport.close()


class _Generator:
    """Sends the requests of a load from one event loop."""

    def __init__(self, load: Load) -> None:
        self.load, parts = load, urlsplit(load.url)
        self.host, self.port = parts.hostname or "127.0.0.1", parts.port or 80
        key = f"authorization: Bearer {load.key}\r\n" if load.key else ""
        self.requests = [
            (
                f"POST {parts.path or '/'} HTTP/1.1\r\nhost: {parts.netloc}\r\ncontent-type: application/json\r\n{key}"
                f"content-length: {len(body)}\r\n\r\n"
            ).encode()
            + body
            for body in Path(load.bodies).read_bytes().splitlines()
            if body.strip()
        ]
        self.number = self.out_measured = self.arrived = 0
        self.idle: deque[_Connection] = deque()
        self.all: list[_Connection] = []
        self.waiting: deque[float] = deque()
        self.times: list[float] = []
        self.refused: list[float] = []
        self.statuses: Counter[int] = Counter()
        self.begun, self.measuring, self.over = 0, False, False
        self.opening: set[asyncio.Task[None]] = set()

    async def connect(self) -> _Connection:
        loop = asyncio.get_running_loop()
        _, made = await loop.create_connection(lambda: _Connection(self.done), self.host, self.port)
        self.all.append(made)
        return made

    def send(self, connection: _Connection, start: float) -> None:
        connection.measured = self.measuring
        self.begun += self.measuring
        self.out_measured += self.measuring
        connection.send(self.requests[self.number % len(self.requests)], start)
        self.number += 1

    def done(self, connection: _Connection, status: int, seconds: float) -> None:
        self.arrived += self.measuring and not self.over and status == 200
        if connection.measured:
            self.out_measured -= 1
            self.statuses[status] += 1
            (self.times if status == 200 else self.refused).append(seconds)
        if self.over:
            return
        if not connection.alive:
            self.all.remove(connection)
            self._open()
        elif self.load.rate is None:
            self.send(connection, time.perf_counter())
        elif self.waiting:
            self.send(connection, self.waiting.popleft())
        else:
            self.idle.append(connection)

    def due(self, start: float) -> None:
        """A request of the open loop that should begin now."""
        while self.idle:
            connection = self.idle.popleft()
            if connection.alive:
                self.send(connection, start)
                return
            self.all.remove(connection)
        self.waiting.append(start)
        if len(self.all) + len(self.opening) < self.load.concurrency:
            self._open()

    def _open(self) -> None:
        task = asyncio.get_running_loop().create_task(self._opened())
        self.opening.add(task)
        task.add_done_callback(self.opening.discard)

    async def _opened(self) -> None:
        try:
            made = await self.connect()
        except OSError:
            if self.measuring:
                self.statuses[0] += 1
            await asyncio.sleep(0.01)
            if not self.over and self.load.rate is None:
                self._open()
            return
        if self.load.rate is None:
            self.send(made, time.perf_counter())
        elif self.waiting:
            self.send(made, self.waiting.popleft())
        else:
            self.idle.append(made)

    async def open_loop(self, seconds: float, chance: random.Random) -> None:
        assert self.load.rate is not None
        start = time.perf_counter()
        next_at = start + chance.expovariate(self.load.rate)
        while next_at < start + seconds:
            wait = next_at - time.perf_counter()
            if wait > 0:
                await asyncio.sleep(wait)
            else:
                await asyncio.sleep(0)
            now = time.perf_counter()
            while next_at <= now and next_at < start + seconds:
                self.due(next_at)
                next_at += chance.expovariate(self.load.rate)

    async def run(self) -> Measured:
        load, chance = self.load, random.Random(self.load.seed)
        if load.rate is None:
            for _ in range(load.concurrency):
                self._open()
        for measured, seconds in ((False, load.warm_up), (True, load.seconds)):
            if measured:
                self.measuring = True
                print(json.dumps("begin"), flush=True)
                start, busy = time.perf_counter(), time.process_time()
            if load.rate is None:
                await asyncio.sleep(seconds)
            else:
                await self.open_loop(seconds, chance)
        elapsed = time.perf_counter() - start
        share, arrived = (time.process_time() - busy) / elapsed, self.arrived
        self.over = load.rate is None
        print(json.dumps("end"), flush=True)
        await self._last_answers()
        self.over = True
        for connection in list(self.all):
            connection.close()
        return Measured(
            requests=self.begun,
            answered=self.statuses[200],
            statuses={str(status): count for status, count in sorted(self.statuses.items()) if status},
            broken=self.statuses[0],
            unanswered=self.out_measured + len(self.waiting),
            per_second=round(arrived / elapsed, 2),
            p50_ms=_quantile(self.times, 0.5),
            p90_ms=_quantile(self.times, 0.9),
            p99_ms=_quantile(self.times, 0.99),
            max_ms=_quantile(self.times, 1.0),
            refused_p99_ms=_quantile(self.refused, 0.99),
            generator_cpu_share=round(share, 3),
        )

    async def _last_answers(self) -> None:
        end = time.perf_counter() + self.load.patience
        while (self.out_measured or self.waiting) and time.perf_counter() < end:
            await asyncio.sleep(0.005)


def _quantile(times: Sequence[float], share: float) -> float | None:
    """Milliseconds that `share` of the times do not exceed; None of none."""
    if not times:
        return None
    ordered = sorted(times)
    return round(1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))], 3)


def _child(load: Load) -> None:
    if load.cores:
        os.sched_setaffinity(0, load.cores)
    try:
        import uvloop

        runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    except ImportError:
        runner = asyncio.Runner()

    async def all_of_it() -> Measured:
        return await _Generator(load).run()

    with runner:
        print(json.dumps(asdict(runner.run(all_of_it()))), flush=True)


def main() -> None:
    """Send a load and print what came of it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--url")
    parser.add_argument("--body")
    parser.add_argument("--bodies", type=Path)
    parser.add_argument("--concurrency", type=int, default=8)
    parser.add_argument("--rate", type=float)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--warm-up", type=float, default=1.0)
    parser.add_argument("--key")
    parser.add_argument("--cores", type=int, nargs="*", default=[])
    parser.add_argument("--pid", type=int)
    given = parser.parse_args()
    if given.child:
        _child(Load(**json.loads(given.child)))
        return
    if not given.url or (given.body is None) == (given.bodies is None):
        parser.error("give --url, and one of --body and --bodies")
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        bodies = given.bodies
        if bodies is None:
            bodies = Path(folder) / "bodies.jsonl"
            bodies.write_text(given.body + "\n")
        load = Load(
            given.url, str(bodies), given.concurrency, given.rate, given.seconds, given.warm_up, given.key, given.cores
        )
        print(json.dumps(asdict(run(load, given.pid)), indent=1))


if __name__ == "__main__":
    main()
