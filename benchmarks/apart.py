"""Labelled training queries that are kept apart: one split to choose on, and one more to test on."""

from __future__ import annotations

import shutil
from pathlib import Path

from rankdistill import data
from rankdistill.data import Dataset
from rankdistill.data.beir import QRELS
from rankdistill.data.writer import write_qrels
from rankdistill.mining.candidates import sample_queries

TRAIN, CHOICE, HELD_OUT = "train", "choice", "held-out"


def kept_apart(dataset: Dataset, trained: int, choice: int, folder: Path) -> Dataset:
    """A copy of the data with `trained` of the training queries (by hash) as `train`; the others have other splits.

    Of the others, in the order of their ids, the first `choice` are the split `choice`, the rest `held-out`.
    """
    if not folder.is_dir():
        qrels = dataset.qrels(TRAIN)
        train = sample_queries(dataset.queries(TRAIN), trained)
        others = sorted(qrels.keys() - train.keys())
        copy = folder.with_name(f"{folder.name}.part")
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(dataset.path, copy)
        for split, queries in ((TRAIN, train), (CHOICE, others[:choice]), (HELD_OUT, others[choice:])):
            write_qrels(copy / QRELS / f"{split}.tsv", {query_id: qrels[query_id] for query_id in queries})
        copy.rename(folder)
    return data.load(folder, "lenient")
