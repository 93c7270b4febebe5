"""A static student over HTTP: requests a second on one core, and what a request costs beside encoding its text.

    python -m benchmarks.serving.static --data DIR [--work runs/serving] [--seconds 6]

The student is fitted to MODEL's vectors of the collection's texts. The server has one core, the load generator (64
connections, one text a request) another. A text is a query of the collection with two words of others behind it, so
that none comes twice, and words are as often new as they are to a server that runs for a while. `overhead` is the
processor time of a request less that of encoding such a text in this process, one by one and in batches of 64: HTTP,
JSON, checks and the queue.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.provenance import parse, write_results
from benchmarks.serving import models, starting
from benchmarks.serving.load import Load, run
from benchmarks.serving.peers import PEERS
from rankdistill import data

PER_CORE, OVERHEAD = 5000.0, 80.0
"""What is aimed at: requests a second, and microseconds."""

BODIES, CONNECTIONS = 80_000, 64


def main() -> None:
    """Measure vectors as JSON numbers and as base64, and write benchmarks/results/serving_static.json."""
    cores = sorted(os.sched_getaffinity(0))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("runs/serving"))
    parser.add_argument("--model", default=models.MODEL)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--server-core", type=int, default=cores[0])
    parser.add_argument("--load-cores", type=int, nargs="+", default=cores[1:] or cores)
    given = parse(parser)
    texts = list(data.load(given.data, "lenient").queries(None).values())
    folder = models.static(given.data, given.work, given.model)
    encode = _encoding_us(folder, texts)
    rows = []
    for encoding in ("float", "base64"):
        found = [_served(given, folder, texts, encoding, number) for number in range(given.rounds)]
        best = max(found, key=lambda one: one["per_second"])
        row = {
            "encoding": encoding,
            "per_second": [one["per_second"] for one in found],
            "p99_ms": best["p99_ms"],
            "server_cpu_us": best["server_cpu_us"],
            "generator_cpu_share": best["generator_cpu_share"],
            "overhead_cpu_us": round(best["server_cpu_us"] - encode["one by one"], 1),
            "reached": best["per_second"] >= PER_CORE,
        }
        print(json.dumps(row), flush=True)
        rows.append(row)
    content = {"aims": {"per_second": PER_CORE, "overhead_cpu_us": OVERHEAD}, "encoding_cpu_us": encode, "served": rows}
    print(write_results("serving_static", content, given.data.name))


def _served(given: argparse.Namespace, folder: Path, texts: list[str], encoding: str, number: int) -> dict[str, Any]:
    """One round: a new server, and texts that none had before."""
    peer, log = PEERS["rankdistill"], given.work / "logs" / "static.log"
    bodies = given.work / "bodies.jsonl"
    with bodies.open("w") as out:
        for text in _distinct(texts, BODIES * number, BODIES):
            out.write(json.dumps({"input": text, **peer.extra, "encoding_format": encoding}) + "\n")
    with starting.started(peer, folder, None, threads=1, cores=[given.server_core], log=log) as running:
        load = Load(
            f"{running.url}{peer.path}",
            str(bodies),
            CONNECTIONS,
            seconds=given.seconds,
            warm_up=1.5,
            cores=given.load_cores,
        )
        found = run(load, running.pid)
    return {name: getattr(found, name) for name in ("per_second", "p99_ms", "server_cpu_us", "generator_cpu_share")}


def _distinct(texts: list[str], first: int, count: int) -> Iterator[str]:
    """So many texts, none of them twice; those of another `first` are others."""
    words = sorted({word for text in texts for word in text.split()})
    for number in range(first, first + count):
        place, turn = number % len(texts), number // len(texts)
        left, right = words[number * 7919 % len(words)], words[turn * 104729 % len(words)]
        yield f"{texts[place]} {left} {right}"


def _encoding_us(folder: Path, texts: list[str], count: int = 4096) -> dict[str, float]:
    """Processor microseconds of encoding a text, one by one and in batches of 64; none was encoded before."""
    from rankdistill.inference import TextEncoder

    encoder = TextEncoder(str(folder), threads=1)
    encoder.encode_queries(list(_distinct(texts, 10 * BODIES, count)))
    found: dict[str, float] = {}
    for place, (name, size) in enumerate((("one by one", 1), ("in batches", 64))):
        some = list(_distinct(texts, 10 * BODIES + (place + 1) * count, count))
        busy = time.process_time()
        for start in range(0, count, size):
            encoder.encode_queries(some[start : start + size])
        found[name] = round(1e6 * (time.process_time() - busy) / count, 1)
    return found


if __name__ == "__main__":
    main()
