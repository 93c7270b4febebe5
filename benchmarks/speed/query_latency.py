"""Encoding one query at a time, and many: a teacher, its students, and their exported forms, in one process in turns.

    python -m benchmarks.speed.query_latency --data DIR --students STUDENTS [--queries 400] [--threads 1,2]

Each system encodes a block of queries, one query a call, then the next system the same block, and so on. Times are
those of the call, tokenising included. `encode` is plain `SentenceTransformer.encode_query`; a name of a back end is
`TextEncoder` with it; `engine` is a static student's tokenising and table look-up without what `TextEncoder` does
around them. STUDENTS holds a folder a student.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.leaf_students import add_arguments, students_of
from benchmarks.provenance import parse, write_results
from benchmarks.speed.race import sample_texts

Encode = Callable[[Sequence[str]], np.ndarray]

REFERENCE = "encode"
BLOCK = 50
BACKENDS = ("torch", "openvino", "openvino-int8", "onnx", "onnx-int8")
STATIC = "static"


@dataclass(frozen=True)
class System:
    """One way to run one model.

    Args:
        model: the model's name.
        way: `encode`, a back end's name, `static`, or `engine`.
        encode: queries -> vectors.
        model_bytes: of the weights as this way reads them from disk.
    """

    model: str
    way: str
    encode: Encode
    model_bytes: int

    @property
    def name(self) -> str:
        """Model and way."""
        return f"{self.model}, {self.way}"


def main() -> None:
    """Measure every system at each number of threads and write benchmarks/results/speed_query_latency.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--queries", type=int, default=400)
    parser.add_argument("--batch", type=int, default=2000, help="queries encoded in one call")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--backends", nargs="+", default=BACKENDS)
    parser.add_argument("--seed", type=int, default=0)
    add_arguments(parser)
    given = parse(parser)

    import torch

    _, texts = sample_texts(given.data, 0, max(given.queries, given.batch), given.seed)
    models = {"teacher": given.teacher, **students_of(given.students)}
    content: dict[str, Any] = {"queries": given.queries, "batch": len(texts), "by_threads": {}}
    with tempfile.TemporaryDirectory() as cache:
        for threads in map(int, given.threads.split(",")):
            torch.set_num_threads(threads)
            opened = (_systems(name, model, given.backends, Path(cache)) for name, model in models.items())
            systems = list(chain.from_iterable(opened))
            taken = _one_by_one(systems, texts[: given.queries], given.rounds)
            rates = _in_batches(systems, texts, given.rounds)
            rows = _rows(systems, texts[: given.queries], taken, rates)
            content["by_threads"][str(threads)] = rows
            _show(threads, rows)
    print(write_results("speed_query_latency", content, given.data.name))


def _systems(name: str, model: str, backends: Sequence[str], cache: Path) -> list[System]:
    """Plain sentence-transformers, and every back end, exported into `cache`; a static model has one of its own."""
    from sentence_transformers import SentenceTransformer

    from rankdistill.evaluation.footprint import footprint
    from rankdistill.inference import TextEncoder
    from rankdistill.inference.static_model import accelerate_static
    from rankdistill.models import resolve

    weights = footprint(model).model_bytes or 0
    original = SentenceTransformer(str(resolve(model).path), device="cpu")
    plain = partial(original.encode_query, show_progress_bar=False)
    found = [System(name, REFERENCE, plain, weights)]
    table = accelerate_static(original, "auto", "cpu")
    if table is not None:
        encoder = TextEncoder(model, device="cpu")
        found.append(System(name, STATIC, encoder.encode_queries, weights))
        found.append(System(name, "engine", lambda texts: table.run([texts]), weights))
        return found
    for backend in backends:
        folder = cache / name / backend
        os.environ["RANKDISTILL_CACHE"] = str(folder)
        encoder = TextEncoder(model, backend=backend, device="cpu")
        exported = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        found.append(System(name, backend, encoder.encode_queries, exported or weights))
    return found


def _one_by_one(systems: Sequence[System], texts: Sequence[str], rounds: int) -> dict[str, np.ndarray]:
    """Milliseconds of every call of each system, one a query and round; a round before them warms up."""
    taken = {system.name: np.empty((rounds + 1, len(texts))) for system in systems}
    for number in range(rounds + 1):
        for start in range(0, len(texts), BLOCK):
            for system in systems:
                for place in range(start, min(start + BLOCK, len(texts))):
                    begun = time.perf_counter()
                    system.encode([texts[place]])
                    taken[system.name][number, place] = 1000 * (time.perf_counter() - begun)
    return {name: rows[1:].ravel() for name, rows in taken.items()}


def _in_batches(systems: Sequence[System], texts: list[str], rounds: int) -> dict[str, float]:
    """Queries a second of each system over all texts in one call: the fastest of the rounds, after one to warm up."""
    best = dict.fromkeys((system.name for system in systems), float("inf"))
    for number in range(rounds + 1):
        for system in systems:
            begun = time.perf_counter()
            system.encode(texts)
            if number:
                best[system.name] = min(best[system.name], time.perf_counter() - begun)
    return {name: len(texts) / seconds for name, seconds in best.items()}


def _rows(
    systems: Sequence[System], texts: Sequence[str], taken: dict[str, np.ndarray], rates: dict[str, float]
) -> list[dict[str, Any]]:
    originals = {system.model: system.encode(texts) for system in systems if system.way == REFERENCE}
    base = systems[0].name
    rows = []
    for system in systems:
        p50, p99 = np.percentile(taken[system.name], [50, 99])
        rows.append(
            {
                "model": system.model,
                "way": system.way,
                "p50_ms": round(float(p50), 4),
                "p99_ms": round(float(p99), 4),
                "times_faster": round(float(np.percentile(taken[base], 50) / p50), 1),
                "queries_per_second": round(rates[system.name]),
                "times_faster_in_batches": round(rates[system.name] / rates[base], 1),
                "model_bytes": system.model_bytes,
                "cosine_to_encode": _least_cosine(system.encode(texts), originals[system.model]),
            }
        )
    return rows


def _least_cosine(found: np.ndarray, expected: np.ndarray) -> float:
    products = (found * expected).sum(axis=1) / np.linalg.norm(found, axis=1) / np.linalg.norm(expected, axis=1)
    return round(float(products.min()), 6)


def _show(threads: int, rows: list[dict[str, Any]]) -> None:
    print(f"{threads} threads; ratios to {rows[0]['model']}, {rows[0]['way']}")
    for row in rows:
        print(json.dumps(row))


if __name__ == "__main__":
    main()
