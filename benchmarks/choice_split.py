"""A split to choose on, of labelled training queries, so that every other split only tests."""

from __future__ import annotations

import hashlib
import heapq
import shutil
from pathlib import Path

from rankdistill import data
from rankdistill.data import Dataset

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


def _hash(query_id: str) -> bytes:
    return hashlib.sha256(query_id.encode()).digest()
