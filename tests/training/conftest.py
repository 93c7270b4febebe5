"""A score store in memory, made from the tiny BEIR folder with a teacher that knows the labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from rankdistill.data import Dataset, load
from rankdistill.teachers.names import Called, choose

CANDIDATES_A_QUERY = 8


@dataclass(frozen=True)
class MemoryStore:
    """What training reads of a score store, from frames."""

    score_frame: pl.DataFrame
    candidate_frame: pl.DataFrame
    queries: Mapping[str, str]
    documents: Mapping[str, str]
    teacher_ids: tuple[str, ...] = ("teacher",)

    def teacher(self, name: str | None = None) -> str:
        return choose([Called(one) for one in self.teacher_ids], name)

    def scores(self, teacher_id: str | None = None) -> pl.DataFrame:
        return self.score_frame

    def score_kinds(self) -> Mapping[str, str]:
        return {"teacher": "logit"}

    @property
    def names(self) -> dict[str, str]:
        return {}

    def own_names(self, teacher_id: str) -> tuple[str, ...]:
        return (teacher_id,)

    def derivation(self, teacher_id: str | None = None) -> Mapping[str, object]:
        return {}

    def candidates(self) -> pl.DataFrame:
        return self.candidate_frame

    def query_texts(self) -> Mapping[str, str]:
        return self.queries

    def document_texts(self) -> Mapping[str, str]:
        return self.documents

    def with_teachers(self, *teacher_ids: str) -> MemoryStore:
        return replace(self, teacher_ids=teacher_ids)


@pytest.fixture
def tiny_data(tiny_beir: Path) -> Dataset:
    return load(tiny_beir)


@pytest.fixture
def tiny_store(tiny_data: Dataset) -> MemoryStore:
    """Every train query with its labelled documents and eight others; labelled ones score five higher."""
    generator = np.random.default_rng(0)
    rows = []
    for query_id, labels in tiny_data.qrels("train").items():
        drawn = set(generator.choice(sorted(tiny_data.contents), CANDIDATES_A_QUERY, replace=False).tolist())
        rows += [(query_id, doc_id, labels.get(doc_id)) for doc_id in sorted(drawn | labels.keys())]
    candidates = pl.DataFrame(
        rows, schema={"query_id": pl.String, "doc_id": pl.String, "label": pl.Int32}, orient="row"
    )
    noise = pl.Series(generator.normal(size=candidates.height) * 3, dtype=pl.Float32)
    scores = candidates.select("query_id", "doc_id", score=noise + candidates["label"].fill_null(0) * 5.0)
    return MemoryStore(
        scores.with_columns(pl.col("score").cast(pl.Float32)),
        candidates.with_columns(source=pl.lit("bm25")),
        tiny_data.queries("train"),
        tiny_data.contents,
    )
