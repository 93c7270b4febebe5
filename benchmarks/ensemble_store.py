"""A score store with more teachers, and how well each ranks the labelled positives."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from rankdistill import teachers
from rankdistill.data import Dataset
from rankdistill.stores.reader import ScoreStore
from rankdistill.stores.writer import ScoreWriter


def scored(dataset: Dataset, given: Path, folder: Path, more: Mapping[str, str]) -> ScoreStore:
    """A copy of the store with the scores of more teachers, reference -> kind, of the same candidates."""
    if not folder.is_dir():
        shutil.copytree(given, folder)
    candidates = next((folder / "candidates").glob("*.parquet"))
    for model, kind in more.items():
        writer = ScoreWriter(
            folder,
            queries=dataset.queries(None),
            documents=dataset.contents,
            candidates=candidates,
            teacher=teachers.load(model, kind=kind),
            dataset_fingerprint=dataset.fingerprint,
            unit_size=1 << 20,
        )
        print(model, writer.run(), flush=True)
    return ScoreStore(folder)


def mrr(store: ScoreStore, teacher_id: str) -> float:
    """Mean reciprocal rank of each query's best-placed labelled positive among its candidates."""
    positives = store.candidates().filter(pl.col("label") > 0).select("query_id", "doc_id").unique()
    ranked = store.scores(teacher_id).with_columns(
        pl.col("score").rank("max", descending=True).over("query_id").alias("rank")
    )
    found = ranked.join(positives, on=["query_id", "doc_id"]).group_by("query_id").agg(pl.col("rank").min())
    return round(float((1 / found["rank"]).mean() or 0.0), 4)  # type: ignore[arg-type]
