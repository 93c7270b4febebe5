"""What the gate looks at: candidates and one or more teachers' scores, as lazy frames that are read piece by piece."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from rankdistill.data import Dataset
from rankdistill.stores.reader import ScoreStore

UNKNOWN = "unknown"
"""The score kind of a teacher that does not say."""

_KIND_OF_TEACHER = {"cross_encoder": "logit"}
"""What teachers score in whose fingerprint does not name a score kind."""

_OPTIONAL = {"source": pl.String, "rank": pl.Int32, "label": pl.Int32}


@dataclass(frozen=True)
class Scores:
    """One teacher's scores.

    Args:
        teacher_id: whose.
        name: what people call the teacher.
        score_kind: `logit`, `probability`, `cosine`, `dot`, `rank` or `unknown`.
        rows: query_id, doc_id, score, and `key` where there are content keys.
    """

    teacher_id: str
    name: str
    score_kind: str
    rows: pl.LazyFrame


@dataclass(frozen=True)
class Subject:
    """What is checked.

    Args:
        title: what the report calls it.
        candidates: query_id, doc_id, source, rank, label; one row a source.
        teachers: their scores.
        labels: query_id, doc_id, label of pairs that the candidates have no label for; None: no others are known.
    """

    title: str
    candidates: pl.LazyFrame
    teachers: Sequence[Scores]
    labels: pl.DataFrame | None = None


def of_store(store: ScoreStore, teachers: Sequence[str] = (), dataset: Dataset | None = None) -> Subject:
    """A finished store.

    Args:
        store: the store.
        teachers: ids, starts of ids, or names; none: all.
        dataset: its qrels label what the candidates left unlabelled.

    Raises:
        StoreError: no such teacher, or a shard is missing.
    """
    chosen = [store.teacher(name) for name in dict.fromkeys(teachers)] or store.teacher_ids
    return Subject(
        title=str(store.path),
        candidates=with_all_columns(store.scan_candidates()),
        teachers=[of_teacher(one, store.fingerprint(one), store.scan(one)) for one in chosen],
        labels=_labels(dataset) if dataset is not None else None,
    )


def of_teacher(teacher_id: str, fingerprint: Mapping[str, Any], rows: pl.LazyFrame) -> Scores:
    """A teacher's scores with the name and score kind that its fingerprint tells."""
    kind = fingerprint.get("score_kind") or _KIND_OF_TEACHER.get(str(fingerprint.get("kind")), UNKNOWN)
    return Scores(teacher_id, str(fingerprint.get("name") or teacher_id), str(kind), rows)


def with_all_columns(candidates: pl.LazyFrame) -> pl.LazyFrame:
    """The candidates with null columns for what they do not tell."""
    known = candidates.collect_schema().names()
    absent = [pl.lit(None, kind).alias(name) for name, kind in _OPTIONAL.items() if name not in known]
    return candidates.with_columns(absent).select("query_id", "doc_id", *_OPTIONAL)


def _labels(dataset: Dataset) -> pl.DataFrame:
    rows = [
        (query_id, doc_id, label)
        for split in dataset.splits
        for query_id, labels in dataset.qrels(split).items()
        for doc_id, label in labels.items()
    ]
    schema = {"query_id": pl.String, "doc_id": pl.String, "label": pl.Int32}
    return pl.DataFrame(rows, schema=schema, orient="row").group_by("query_id", "doc_id").agg(pl.col("label").max())
