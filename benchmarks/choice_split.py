"""A split to choose on, of labelled training queries, and few documents for it: the other splits only test.

Documents drawn at random are too easy to tell two models apart. So those are taken that some searches find.
"""

from __future__ import annotations

import hashlib
import heapq
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from rankdistill import data, tables
from rankdistill.data import Dataset
from rankdistill.mining import candidates
from rankdistill.mining.source import Source

CHOICE = "choice"


def with_choice(dataset: Dataset, count: int, folder: Path) -> Dataset:
    """A copy of the data in which `count` of the training queries are the split `choice`."""
    qrels = dataset.qrels("train")
    chosen = set(heapq.nsmallest(count, qrels, key=_hash))
    if not folder.is_dir():
        copy = folder.with_name(f"{folder.name}.part")
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(dataset.path, copy)
        splits = {CHOICE: chosen, "train": qrels.keys() - chosen}
        for split, queries in splits.items():
            lines = [
                f"{query_id}\t{doc_id}\t{label}\n"
                for query_id in sorted(queries)
                for doc_id, label in qrels[query_id].items()
            ]
            (copy / "qrels" / f"{split}.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(lines))
        copy.rename(folder)
    return data.load(folder, "lenient")


def found_for(dataset: Dataset, sources: Sequence[Source], depth: int, folder: Path) -> Dataset:
    """The split `choice` alone, among the documents that are judged for it or that a source finds for a query."""
    candidates.build(folder / "candidates", dataset, CHOICE, sources, depth)
    found = set(pl.read_parquet(folder / "candidates" / tables.CANDIDATES_FILE)["doc_id"])
    found |= {doc_id for labels in dataset.qrels(CHOICE).values() for doc_id in labels}
    (folder / "data" / "qrels").mkdir(parents=True, exist_ok=True)
    shutil.copy(dataset.path / "qrels" / f"{CHOICE}.tsv", folder / "data" / "qrels")
    documents = (
        {"_id": one.doc_id, "title": one.title, "text": one.text} for one in dataset.documents() if one.doc_id in found
    )
    queries = ({"_id": query_id, "text": text} for query_id, text in dataset.queries(CHOICE).items())
    for name, rows in (("corpus", documents), ("queries", queries)):
        (folder / "data" / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return data.load(folder / "data")


def _hash(query_id: str) -> bytes:
    return hashlib.sha256(query_id.encode()).digest()
