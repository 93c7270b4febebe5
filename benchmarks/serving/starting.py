"""Servers started for a measurement, awaited until they answer, and ended with all that they started."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.serving.load import descendants, ended
from benchmarks.serving.peers.base import Peer

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 600.0
"""Seconds that a server may take until it answers: ours measures its back ends where it never ran before."""


@dataclass(frozen=True)
class Running:
    """A server that answers.

    Args:
        url: its root.
        pid: its process, or the parent of them.
        start_seconds: from its start to its first answer.
    """

    url: str
    pid: int
    start_seconds: float


@contextmanager
def started(
    peer: Peer, bundle: Path, venvs: Path | None, *, threads: int, cores: Sequence[int], log: Path
) -> Iterator[Running]:
    """A peer with a bundle's query tower, bound to `cores`, that has answered once; its output goes to `log`.

    Raises:
        SystemExit: it does not answer.
    """
    port = free_port()
    command = peer.command(_python(peer, venvs), bundle, port, threads)
    begun, url = time.perf_counter(), f"http://127.0.0.1:{port}"
    with process(command, peer.environment, cores=cores, threads=threads, log=log) as pid:
        await_answer(f"{url}{peer.path}", peer.body("is it there"), pid, log)
        yield Running(url, pid, time.perf_counter() - begun)


@contextmanager
def process(
    command: Sequence[str], environment: Mapping[str, str] = {}, *, cores: Sequence[int] = (), threads: int, log: Path
) -> Iterator[int]:
    """The process of a program that runs while the block does, and is ended with all that it started."""
    words = [str(word) for word in command]
    if cores:
        words = ["taskset", "-c", ",".join(map(str, cores)), *words]
    limits = {name: str(threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as out:
        child = subprocess.Popen(
            words,
            cwd=ROOT,
            env={**os.environ, **limits, "TOKENIZERS_PARALLELISM": "false", **environment},
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # or it would outlive us
    try:
        yield child.pid
    finally:
        end(child)
        signal.signal(signal.SIGTERM, before)


def end(child: subprocess.Popen[bytes], patience: float = 15.0) -> None:
    """End a process that has a session of its own, and all that it started there."""
    below = descendants(child.pid)
    child.terminate()
    try:
        child.wait(patience)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait(patience)
    last = time.perf_counter() + patience
    for pid in below:
        while not ended(pid) and time.perf_counter() < last:
            try:
                if os.getsid(pid) != child.pid:
                    break  # another process has that number now
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                break
            time.sleep(0.01)


def free_port() -> int:
    """A port of the loopback that nothing listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def ask(url: str, body: Any, timeout: float = 60.0) -> tuple[int, Any]:
    """(status, JSON or text) of a POST, whatever the status; 0 and the reason where there is no answer."""
    status, _, said = exchange(url, {"content-type": "application/json"}, json.dumps(body).encode(), timeout)
    try:
        return status, json.loads(said)
    except ValueError:
        return status, said.decode("utf-8", "replace")


def exchange(
    url: str, headers: Mapping[str, str], body: bytes, timeout: float = 60.0
) -> tuple[int, dict[str, str], bytes]:
    """(status, headers, body) of the answer to a POST, whatever the status; 0 and the reason where there is none."""
    request = urllib.request.Request(url, body, dict(headers))
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=timeout) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read()
    except OSError as error:
        return 0, {}, str(error).encode()


def available(peer: Peer, venvs: Path | None) -> bool:
    """Whether its environment is there."""
    return not peer.own or (venvs is not None and (venvs / peer.name / "bin" / "python").exists())


def _python(peer: Peer, venvs: Path | None) -> str:
    if not peer.own:
        return sys.executable
    if venvs is None or not available(peer, venvs):
        raise SystemExit(f"{peer.name}: give --venvs DIR with DIR/{peer.name}/bin/python, which has its libraries")
    return str(venvs / peer.name / "bin" / "python")


def await_answer(url: str, body: Any, pid: int, log: Path) -> None:
    """Return when a server answers a request; SystemExit with the end of its log where it does not."""
    end_at = time.perf_counter() + PATIENCE
    status: int = 0
    said: object = ""
    while time.perf_counter() < end_at:
        status, said = ask(url, body)
        if status == 200:
            return
        if ended(pid):
            break
        time.sleep(0.2)
    tail = log.read_text(errors="replace")[-2000:]
    raise SystemExit(f"{url} does not answer ({status}: {str(said)[:200]}); the end of its log:\n{tail}")
