"""Score stores on disk with scores that the tests choose."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from rankdistill import files, manifest, tables
from rankdistill.gate.run import examine
from rankdistill.gate.subject import of_store
from rankdistill.gate.verdict import Report, TeacherReport, Verdict
from rankdistill.stores.keys import pair_key, text_hash
from rankdistill.stores.layout import Layout
from rankdistill.stores.reader import ScoreStore

QUERIES, DEPTH = 60, 12


def write_store(
    root: Path, candidates: pl.DataFrame, teachers: Mapping[str, tuple[str, pl.DataFrame]], shards: int = 2
) -> ScoreStore:
    """A finished store.

    Args:
        root: its folder.
        candidates: the columns of `tables.CANDIDATES`.
        teachers: name -> (score kind, query_id, doc_id, score and perhaps key).
        shards: files a teacher.
    """
    layout = Layout(root)
    ordered = candidates.select(tables.CANDIDATES.names).sort("query_id", "source", "rank", nulls_last=True)
    table = ordered.to_arrow().cast(tables.CANDIDATES)
    tables.write_parquet(layout.candidates / "given.parquet", table)
    for name, (kind, scores) in teachers.items():
        files.write_text(layout.teacher(name), json.dumps({"kind": "table", "name": name, "score_kind": kind}))
        rows = scores.with_columns(teacher_id=pl.lit(name), score=pl.col("score").cast(pl.Float32))
        if "key" not in rows.columns:
            rows = rows.with_columns(key=_keys(rows, name))
        rows = rows.select(tables.SCORES.names).sort("query_id", "doc_id", maintain_order=True)
        for number in range(shards):
            part = rows.slice(
                number * len(rows) // shards, (number + 1) * len(rows) // shards - number * len(rows) // shards
            )
            columns = [part[field.name].to_arrow().cast(field.type) for field in tables.SCORES]
            nullable = pa.schema([field.with_nullable(True) for field in tables.SCORES])
            tables.write_parquet(
                layout.scores(name) / f"part-{number:06d}-0.parquet", pa.table(columns, schema=nullable)
            )
    written = {
        path.relative_to(root).as_posix(): files.hash_file(path) for path in sorted(root.rglob("*")) if path.is_file()
    }
    manifest.Manifest("scores", outputs=written).write(root)
    return ScoreStore(root)


def _keys(rows: pl.DataFrame, name: str) -> pl.Series:
    pairs = zip(rows["query_id"].to_list(), rows["doc_id"].to_list(), strict=True)
    keys = [pair_key(text_hash(query_id), text_hash(doc_id), name) for query_id, doc_id in pairs]
    return pl.Series(keys, dtype=pl.Binary)


def made_candidates(queries: int = QUERIES, depth: int = DEPTH, seed: int = 0) -> pl.DataFrame:
    """BM25-like candidates: each query's only positive stands at a random rank."""
    generator = np.random.default_rng(seed)
    rows = []
    for number in range(queries):
        best = int(generator.integers(depth))
        for rank in range(depth):
            label = 1 if rank == best else None
            rows.append((f"q{number:03d}", f"d{(number * 7 + rank) % 500:03d}", "bm25", rank + 1, -float(rank), label))
    schema = {name: pl.String for name in ("query_id", "doc_id", "source")}
    return pl.DataFrame(
        rows,
        schema={**schema, "rank": pl.Int32, "source_score": pl.Float32, "label": pl.Int32},
        orient="row",
    )


def made_scores(candidates: pl.DataFrame, gap: float = 5.0, noise: float = 2.0, seed: int = 1) -> pl.DataFrame:
    """Logits: noise, and `gap` on top for the positives."""
    generator = np.random.default_rng(seed)
    pairs = candidates.select("query_id", "doc_id", "label").unique(["query_id", "doc_id"], maintain_order=True)
    values = generator.normal(scale=noise, size=len(pairs)) + gap * (pairs["label"].fill_null(0) > 0).to_numpy()
    return pairs.select("query_id", "doc_id", score=pl.Series(values - 2.0, dtype=pl.Float32))


def check(store: ScoreStore, **given: Any) -> Report:
    """The gate's answer."""
    return examine(of_store(store, **given))


def of_check(report: Report | TeacherReport, name: str) -> Verdict:
    """The verdict of one check on the first teacher."""
    teacher = report.teachers[0] if isinstance(report, Report) else report
    return next(verdict for verdict in teacher.verdicts if verdict.check == name)


@pytest.fixture
def good_store(tmp_path: Path) -> ScoreStore:
    """A store with one teacher that every check passes."""
    candidates = made_candidates()
    return write_store(tmp_path / "store", candidates, {"good": ("logit", made_scores(candidates))})
