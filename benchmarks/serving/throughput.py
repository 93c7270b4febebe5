"""Requests a second and how long they take: our server against others, same models, one machine, one run.

    python -m benchmarks.serving.throughput --data DIR --venvs DIR [--rounds 2] [--seconds 6] [--only NAME ...]

Each server embeds one text a request: the queries of `--data`, each with a number of its own, so that no cache answers.
It has the processors `--server-cores` and as many threads, the load generator (`load`, another process) `--load-cores`.
Servers take turns, a round each. Closed loop at 1, 8 and 64 connections; then an open loop (requests begin at random
times, whatever the server does) at half of what it answered at 64, and at all of it.

`rankdistill` runs what it chose by measuring here among the back ends that keep float32's ranking; `rankdistill
float32` the fastest exact one, whose numbers are those of the peers, `rankdistill int8` what loses a little of the
ranking and is never chosen unasked. The cosine of each server's vectors with those of
sentence-transformers (`naive`) is told.

Measurements are kept in `--work`, by round, model, server and load: a run that was interrupted goes on with those that
are missing. They are not reused by another revision of the code.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.provenance import REVISION, parse, write_results
from benchmarks.serving import models, starting
from benchmarks.serving.load import Load, Measured, memory_bytes, run
from benchmarks.serving.peers import PEERS
from benchmarks.serving.peers.base import Peer, vectors
from benchmarks.serving.peers.ours import OURS
from rankdistill import data

CONCURRENCY = (1, 8, 64)
SHARES = (0.5, 1.0)
"""Of what a server answered at 64 connections: rates of the open loop."""

OPEN_CONNECTIONS = 512
BODIES = 50_000

SAMPLE = 8
"""Texts whose vectors are compared."""

TARGETS = {"naive": 6.0, "best peer": 2.0}


class Kept:
    """Measurements by key, in a file that grows a line each.

    Args:
        file: of this revision and no other.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._found: dict[str, dict[str, Any]] = {}
        if file.exists():
            for line in file.read_text().splitlines():
                said = json.loads(line)
                if said["revision"] == REVISION:
                    self._found[said["key"]] = said["value"]

    def get(self, *key: object) -> dict[str, Any] | None:
        """What was measured; None where it was not."""
        return self._found.get("|".join(map(str, key)))

    def put(self, value: dict[str, Any], *key: object) -> None:
        """Keep a measurement."""
        name = "|".join(map(str, key))
        self._found[name] = value
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("a") as out:
            out.write(json.dumps({"revision": REVISION, "key": name, "value": value}) + "\n")


def main() -> None:
    """Measure what is missing, and write benchmarks/results/serving_throughput.json."""
    given = _arguments()
    kept = Kept(given.work / "throughput.jsonl")
    texts = list(data.load(given.data, "lenient").queries(None).values())
    bundles = {size: models.bundle(size, given.work, given.model) for size in given.sizes}
    names = [name for name in given.only or PEERS if starting.available(PEERS[name], given.venvs)]
    if missing := set(given.only or PEERS) - set(names):
        print(f"left out, as {given.venvs} has no such environment: {', '.join(sorted(missing))}", flush=True)
    for number in range(given.rounds):
        for size, bundle in bundles.items():
            for name in names if number % 2 == 0 else names[::-1]:
                _measure(PEERS[name], size, bundle, number, texts, kept, given)
    rows = [row for size in bundles for row in _rows(size, names, kept, given.rounds)]
    content: dict[str, Any] = {
        "settings": {
            name: getattr(given, name) for name in ("rounds", "seconds", "server_cores", "load_cores", "model")
        },
        "targets": TARGETS,
        "servers": rows,
        "ratios": [_ratios(rows, size) for size in bundles],
    }
    print(json.dumps({"ratios": content["ratios"]}, indent=1))
    print(write_results("serving_throughput", content, given.data.name))


def _arguments() -> argparse.Namespace:
    cores = sorted(os.sched_getaffinity(0))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--venvs", type=Path)
    parser.add_argument("--work", type=Path, default=Path("runs/serving"))
    parser.add_argument("--model", default=models.MODEL)
    parser.add_argument("--sizes", nargs="*", choices=models.SIZES, default=list(models.SIZES))
    parser.add_argument("--only", choices=PEERS, action="append")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--warm-up", type=float, default=1.5)
    parser.add_argument("--server-cores", type=int, nargs="+", default=cores[:-1] or cores)
    parser.add_argument("--load-cores", type=int, nargs="+", default=cores[-1:])
    return parse(parser)


def _loads() -> list[str]:
    return [*(f"closed {count}" for count in CONCURRENCY), *(f"open {share:g}" for share in SHARES)]


def _measure(
    peer: Peer, size: str, bundle: Path, number: int, texts: list[str], kept: Kept, given: argparse.Namespace
) -> None:
    """One server through all loads, unless they are there."""
    if all(kept.get(number, size, peer.name, load) for load in (*_loads(), "about")):
        return
    log = given.work / "logs" / f"{peer.name}.log"
    with starting.started(
        peer, bundle, given.venvs, threads=len(given.server_cores), cores=given.server_cores, log=log
    ) as running:
        sampled = [vectors(starting.ask(f"{running.url}{peer.path}", peer.body(text))[1])[0] for text in texts[:SAMPLE]]
        for name, found in _through(peer, running, texts, given):
            kept.put(asdict(found), number, size, peer.name, name)
            print(
                f"round {number + 1}, {size}, {peer.name}, {name}: {found.per_second:,.0f}/s, p50 {found.p50_ms} ms,"
                f" p99 {found.p99_ms} ms, {found.server_cpu_us} us of processor a request",
                flush=True,
            )
        about = {
            "start_seconds": round(running.start_seconds, 1),
            "memory_mb": round(memory_bytes(running.pid) / 1e6),
            "vectors": sampled,
        }
        kept.put(about, number, size, peer.name, "about")


def _through(
    peer: Peer, running: starting.Running, texts: list[str], given: argparse.Namespace
) -> Iterator[tuple[str, Measured]]:
    """Each load by its name, and what came of it; no text comes twice."""
    capacity = 0.0
    bodies = given.work / "bodies.jsonl"
    for number, name in enumerate(_loads()):
        kind, value = name.split()
        rate = None if kind == "closed" else max(1.0, float(value) * capacity)
        models.write_bodies(texts, dict(peer.extra), bodies, BODIES, BODIES * number)
        load = Load(
            f"{running.url}{peer.path}",
            str(bodies),
            int(value) if rate is None else OPEN_CONNECTIONS,
            rate,
            given.seconds,
            given.warm_up,
            cores=given.load_cores,
        )
        found = run(load, running.pid)
        if rate is None:
            capacity = found.per_second
        yield name, found


def _rows(size: str, names: Sequence[str], kept: Kept, rounds: int) -> list[dict[str, Any]]:
    """A row a server and load: medians over the rounds."""
    reference = kept.get(0, size, "naive", "about")
    rows = []
    for name in names:
        abouts = [about for number in range(rounds) if (about := kept.get(number, size, name, "about"))]
        cosine = None if reference is None else _least_cosine(abouts[0]["vectors"], reference["vectors"])
        for load in _loads():
            measured = [found for number in range(rounds) if (found := kept.get(number, size, name, load))]
            row: dict[str, Any] = {"model": size, "server": name, "load": load}
            for field in ("per_second", "p50_ms", "p99_ms", "server_cpu_us", "generator_cpu_share"):
                values = [found[field] for found in measured if found[field] is not None]
                row[field] = round(statistics.median(values), 3) if values else None
            row["per_second_of_rounds"] = [found["per_second"] for found in measured]
            row["not_answered"] = sum(found["requests"] - found["answered"] for found in measured)
            row["memory_mb"] = max(about["memory_mb"] for about in abouts)
            row["least_cosine_with_naive"] = cosine
            rows.append(row)
    return rows


def _least_cosine(ours: Sequence[Sequence[float]], theirs: Sequence[Sequence[float]]) -> float:
    left, right = np.array(ours), np.array(theirs)
    return round(float(((left * right).sum(1) / np.linalg.norm(left, axis=1) / np.linalg.norm(right, axis=1)).min()), 6)


def _ratios(rows: Sequence[Mapping[str, Any]], size: str) -> dict[str, Any]:
    """Ours over the naive server and over the best peer, at 64 connections."""
    at_64 = {row["server"]: row for row in rows if (row["model"], row["load"]) == (size, f"closed {CONCURRENCY[-1]}")}
    found: dict[str, Any] = {"model": size}
    peers = [row for name, row in at_64.items() if name not in OURS]
    for ours in OURS:
        if ours in at_64 and peers:
            best = max(peers, key=lambda row: row["per_second"] or 0.0)
            against = {"naive": at_64.get("naive"), "best peer": best}
            found[ours] = {name: _ratio(at_64[ours], row, TARGETS[name]) for name, row in against.items() if row}
    return found


def _ratio(ours: Mapping[str, Any], theirs: Mapping[str, Any], target: float) -> dict[str, Any]:
    """How many times as many requests; None where the other answered none in the measured time."""
    left, right = ours["per_second"] or 0.0, theirs["per_second"] or 0.0
    slower = theirs["p99_ms"] is None or (ours["p99_ms"] is not None and ours["p99_ms"] < theirs["p99_ms"])
    return {
        "server": theirs["server"],
        "times_as_many": round(left / right, 2) if right else None,
        "p99_ms": [ours["p99_ms"], theirs["p99_ms"]],
        "reached": left > 0 and left >= target * right and slower,
    }


if __name__ == "__main__":
    main()
