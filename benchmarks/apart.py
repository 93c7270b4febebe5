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

    Raises:
        SystemExit: the folder is there already, with other numbers of queries.
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
    found = data.load(folder, "lenient")
    held = [len(found.judgements.get(split, {})) for split in (TRAIN, CHOICE)]
    every = len(dataset.qrels(TRAIN))
    wanted = [min(trained, every), min(choice, max(every - trained, 0))]
    if held != wanted:
        raise SystemExit(
            f"{folder} has {held[0]:,} training queries and {held[1]:,} to choose on, where {wanted[0]:,} and "
            f"{wanted[1]:,} are asked for; figures would be told as of those: ask for as many, or take another --work"
        )
    return found
