"""What the server costs beside the inference: requests to a model that answers at once.

    python -m benchmarks.serving.overhead [--seconds 5] [--concurrency 16] [--scratch]

Processor time of the server's process over its answers, for ours, for a route as FastAPI's tutorial leads to, and for a
route that reads JSON and writes it; all on the same server, event loop and parser of HTTP, in one run. The load comes
from a process of its own. `in process` is ours without HTTP.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks import provenance
from benchmarks.serving.instant import SERVERS, ours
from benchmarks.serving.load import Load, run
from benchmarks.serving.starting import ask, free_port, process

BODIES = {
    "numbers": {"input": "how do rivers carve valleys"},
    "base64": {"input": "how do rivers carve valleys", "encoding_format": "base64"},
}
BUDGET = 80.0
"""Microseconds a request that the server may cost."""


def main(words: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--concurrency", type=int, default=16)
    given = provenance.parse(parser, words)
    cores = sorted(os.sched_getaffinity(0))
    found: dict[str, Any] = {"in process": {name: _in_process(body) for name, body in BODIES.items()}}
    print(f"in process  {_shown(found['in process'])}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for server in SERVERS:
            bodies = BODIES if server == "ours" else {"numbers": BODIES["numbers"]}
            found[server] = _over_http(server, bodies, given, cores, Path(folder))
            told = {name: one["server_cpu_us"] for name, one in found[server].items()}
            print(f"{server:10}  {_shown(told)}", flush=True)
    cost = found["ours"]["numbers"]["server_cpu_us"]
    ratio = {server: found[server]["numbers"]["server_cpu_us"] / cost for server in SERVERS}
    print(f"others over ours: {', '.join(f'{name} {value:.2f}' for name, value in ratio.items() if name != 'ours')}")
    print(f"within {BUDGET:.0f} us: {'yes' if cost <= BUDGET else 'no'}")
    result = {"servers": found, "over_ours": ratio, "budget_us": BUDGET, "within_budget": cost <= BUDGET}
    provenance.write_results("serving_overhead", result)
    return result


def _over_http(
    server: str, bodies: dict[str, Any], given: argparse.Namespace, cores: Sequence[int], folder: Path
) -> dict[str, Any]:
    """Each body -> what was measured; the server on the first processor, the load on the others."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.serving.instant", server, "--port", str(port)]
    found = {}
    with process(command, cores=cores[:1], threads=1, log=folder / f"{server}.log") as pid:
        url = f"http://127.0.0.1:{port}/v1/embeddings"
        _await(url, folder / f"{server}.log")
        for name, body in bodies.items():
            file = folder / f"{name}.jsonl"
            file.write_text(json.dumps(body) + "\n")
            load = Load(url, str(file), given.concurrency, seconds=given.seconds, cores=tuple(cores[1:]))
            found[name] = asdict(run(load, pid))
    return found


def _await(url: str, log: Path, patience: float = 120.0) -> None:
    end = time.monotonic() + patience
    while ask(url, BODIES["numbers"])[0] != 200:
        if time.monotonic() > end:
            raise SystemExit(f"{url} does not answer; its log:\n{log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.1)


def _in_process(body: dict[str, Any], requests: int = 5000) -> float:
    """Microseconds of processor a request of our application alone: the least of five times so many requests."""
    written = json.dumps(body).encode()
    headers = [(b"host", b"a"), (b"accept", b"*/*"), (b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/v1/embeddings", "headers": headers}
    app = ours()

    async def receive() -> Any:
        return {"type": "http.request", "body": written, "more_body": False}

    async def send(message: Any) -> None:
        return None

    async def many() -> float:
        began = time.process_time()
        for _ in range(requests):
            await app(scope, receive, send)
        return (time.process_time() - began) / requests * 1e6

    return min(asyncio.run(many()) for _ in range(5))


def _shown(microseconds: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.0f} us" for name, value in microseconds.items())


if __name__ == "__main__":
    main()
