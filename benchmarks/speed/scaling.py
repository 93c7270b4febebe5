"""How many documents each way to search inside one process carries, and at how many queries a second.

    python -m benchmarks.speed.scaling [--documents 10000,100000,1000000] [--queries 100] [--k 10] [--only exact,hnsw]

Ours alone: dense vectors exactly, in a graph (`HNSW32`) and in lists (`IVF`, one list for each square root of the
documents, a sixteenth of them read); sparse vectors exactly and by Seismic; words by BM25. The documents are made up:
dense vectors of unit length around as many centres as the square root of their number, terms with Zipf's frequencies.
Each size is a process of its own, on one thread, which tells what building took, the size on disk, the largest memory
while it searched a loaded index, queries a second one by one, the median and the 99th hundredth of their times, and
the share of the exact first `k` that it found. A path is not tried beyond the memory given by `--memory`, by default
three quarters of what is free: the size before tells how much the next would need.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.provenance import parse, write_results
from rankdistill.indexing import registry
from rankdistill.indexing.registry import IndexSettings

DIMENSION, TERMS, DOCUMENT_TERMS, QUERY_TERMS, WORDS = 384, 30_000, 100, 20, 60

MADE_AT_ONCE = 100_000
"""Documents that are made and added together, so that building needs little besides the index."""


@dataclass(frozen=True)
class Way:
    """One way to search.

    Args:
        settings: `(documents)` -> of the index.
        make: `(generator, rows, queries or not, of the documents)` -> what the index takes.
        exact: the path whose answers are the measure of its own; itself where it is exact.
        once: whether all documents must be added together.
    """

    settings: Callable[[int], IndexSettings]
    make: Callable[[np.random.Generator, int, bool, int], Any]
    exact: str
    once: bool = False


def dense(generator: np.random.Generator, rows: int, queries: bool, documents: int) -> np.ndarray:
    """Unit vectors around centres that are the same for documents and queries, float32 `[rows, DIMENSION]`."""
    count = max(1, int(documents**0.5))
    centres = np.random.default_rng(0).normal(size=(count, DIMENSION)).astype(np.float32)
    noise = generator.normal(size=(rows, DIMENSION)).astype(np.float32)
    vectors = centres[generator.integers(0, count, rows)] + noise
    found: np.ndarray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return found


def sparse(generator: np.random.Generator, rows: int, queries: bool, documents: int) -> Any:
    """Weights of terms that are as frequent as words are, `csr_array` float32 `[rows, TERMS]`."""
    from scipy.sparse import csr_array

    count = QUERY_TERMS if queries else DOCUMENT_TERMS
    terms = _zipf(generator, rows * count).reshape(rows, count)
    weights = generator.gamma(2.0, 0.5, rows * count).astype(np.float32)
    made = csr_array((weights, terms.ravel(), np.arange(0, rows * count + 1, count)), shape=(rows, TERMS))
    made.sum_duplicates()
    return made


def words(generator: np.random.Generator, rows: int, queries: bool, documents: int) -> list[str]:
    """Texts of made-up words."""
    count = 6 if queries else WORDS
    terms = _zipf(generator, rows * count).reshape(rows, count)
    return [" ".join(f"w{term}" for term in row) for row in terms.tolist()]


def _zipf(generator: np.random.Generator, count: int) -> np.ndarray:
    shares = np.cumsum(1 / np.arange(10, TERMS + 10))
    return np.searchsorted(shares / shares[-1], generator.random(count)).clip(0, TERMS - 1)


def _ivf(documents: int) -> IndexSettings:
    lists = max(1, int(documents**0.5))
    return IndexSettings(DIMENSION, "cosine", f"IVF{lists},Flat", {"nprobe": max(1, lists // 16)})


PATHS: Mapping[str, Way] = {
    "exact": Way(lambda documents: IndexSettings(DIMENSION, "cosine"), dense, "exact"),
    "hnsw": Way(lambda documents: IndexSettings(DIMENSION, "cosine", "HNSW32"), dense, "exact"),
    "ivf": Way(_ivf, dense, "exact", once=True),
    "sparse": Way(lambda documents: IndexSettings(TERMS, "dot", kind="sparse"), sparse, "sparse", once=True),
    "seismic": Way(lambda documents: IndexSettings(TERMS, "dot", "seismic", kind="sparse"), sparse, "sparse"),
    "bm25": Way(lambda documents: IndexSettings(0, "bm25", "bm25", kind="text"), words, "bm25", once=True),
}
"""Name -> how it is built and asked."""


def main(words: Sequence[str] | None = None) -> None:
    """Measure every path at every size, and write benchmarks/results/speed_scaling.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", default="10000,100000,1000000")
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--k", type=int, default=10)
    parser.add_argument("--only", default=",".join(PATHS))
    parser.add_argument("--memory", type=float, default=None, help="MB that a path may use")
    parser.add_argument("--work", type=Path, default=None, help="folder for the indexes; a temporary one unless given")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    given = parse(parser, words)
    if given.child:
        print(json.dumps(_one(given)))
        return
    memory = given.memory if given.memory is not None else 0.75 * _free_megabytes()
    rows: list[dict[str, Any]] = []
    for name in given.only.split(","):
        before: dict[str, Any] | None = None
        for documents in sorted(map(int, given.documents.split(","))):
            if before is not None and (need := before["memory_mb"] * documents / before["documents"]) > memory:
                row = {"path": name, "documents": documents, "needs_mb": round(need), "ended": "memory"}
            else:
                before = row = _elsewhere(given, name, documents)
            print(json.dumps(row), flush=True)
            rows.append(row)
    told = {"queries": given.queries, "k": given.k, "dimension": DIMENSION, "limit_mb": round(memory), "paths": rows}
    print(write_results("speed_scaling", told))


def _elsewhere(given: argparse.Namespace, name: str, documents: int) -> dict[str, Any]:
    """One path at one size, in a process of its own, whose memory is then its own too."""
    with tempfile.TemporaryDirectory(dir=given.work) as folder:
        line = ["--child", name, "--documents", str(documents), "--queries", str(given.queries), "--k", str(given.k)]
        command = [sys.executable, "-m", "benchmarks.speed.scaling", *line, "--work", folder]
        built = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        # A second process loads what the first saved, so that building is not counted as searching's memory.
        searched = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return {"path": name, "documents": documents, **built, **searched}


def _one(given: argparse.Namespace) -> dict[str, Any]:
    """Builds the index if it is not there, else searches it."""
    path, documents, folder = PATHS[given.child], int(given.documents), Path(given.work) / "index"
    settings = path.settings(documents)
    if not folder.is_dir():
        return _built(path, settings, documents, folder)
    generator = np.random.default_rng(2)
    queries = path.make(generator, given.queries, True, documents)
    index = registry.load(folder, settings)
    index.search(queries[:1], given.k)
    seconds, answers = [], []
    for place in range(given.queries):
        start = time.perf_counter()
        ids, _ = index.search(queries[place : place + 1], given.k)
        seconds.append(time.perf_counter() - start)
        answers.append(ids[0].tolist())
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "memory_mb": round(memory, 1),
        "queries_per_second": round(given.queries / sum(seconds), 2),
        "p50_ms": round(1000 * float(np.quantile(seconds, 0.5)), 4),
        "p99_ms": round(1000 * float(np.quantile(seconds, 0.99)), 4),
        "recall": _recall(path, given.child, answers, queries, documents, given.k),
    }


def _built(path: Way, settings: IndexSettings, documents: int, folder: Path) -> dict[str, Any]:
    start = time.perf_counter()
    index = registry.create(settings)
    making = 0.0
    step = documents if path.once else MADE_AT_ONCE
    generator = np.random.default_rng(1)
    for at in range(0, documents, step):
        count = min(step, documents - at)
        began = time.perf_counter()
        made = path.make(generator, count, False, documents)
        making += time.perf_counter() - began
        index.add([f"d{number}" for number in range(at, at + count)], made)
    folder.mkdir()
    index.save(folder)
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return {
        "build_seconds": round(time.perf_counter() - start - making, 2),
        "build_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "disk_mb": round(size / 1e6, 1),
    }


def _recall(path: Way, name: str, answers: list[list[str]], queries: Any, documents: int, k: int) -> float:
    """The share of the exact first `k`; the documents are made again, as they were added, a part at a time."""
    if path.exact == name:
        return 1.0
    wanted: list[list[tuple[float, str]]] = [[] for _ in answers]
    generator = np.random.default_rng(1)
    step = documents if path.once else MADE_AT_ONCE
    for at in range(0, documents, step):
        count = min(step, documents - at)
        part = registry.create(PATHS[path.exact].settings(documents))
        part.add([f"d{number}" for number in range(at, at + count)], path.make(generator, count, False, documents))
        for row, (ids, scores) in enumerate(zip(*part.search(queries, k), strict=True)):
            found = [(float(score), doc_id) for doc_id, score in zip(ids, scores, strict=True) if doc_id]
            wanted[row] = sorted([*wanted[row], *found], key=lambda hit: -hit[0])[:k]
    shares = [
        len({doc_id for _, doc_id in best} & set(answer)) / max(1, len(best))
        for best, answer in zip(wanted, answers, strict=True)
    ]
    return round(float(np.mean(shares)), 4)


def _free_megabytes() -> float:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable"):
            return int(line.split()[1]) / 1024
    raise SystemExit("give --memory: this system does not tell what is free")


if __name__ == "__main__":
    main()
