"""A store as queries with their scored documents, positives apart from the rest: what every format is written from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import polars as pl

from rankdistill.errors import StoreError
from rankdistill.formats.ranges import query_ranges
from rankdistill.stores.reader import ScoreStore

PAIR = ["query_id", "doc_id"]

Missing = Literal["error", "drop"]
"""What to do with a candidate that has no score."""


class Scored(NamedTuple):
    """A document of a query with its raw score, its label (None: unjudged) and what proposed it."""

    doc_id: str
    score: float
    label: int | None
    sources: tuple[str, ...]


class Group(NamedTuple):
    """A query; `positives` have a label above 0, all others are `negatives`; both by falling score, then by id."""

    query_id: str
    positives: list[Scored]
    negatives: list[Scored]

    @property
    def ranked(self) -> list[Scored]:
        """All documents by falling score, then by id."""
        return sorted([*self.positives, *self.negatives], key=_by_score)


@dataclass
class GroupReader:
    """Goes through a store's candidates with one teacher's scores, query by query.

    Args:
        store: the store.
        teacher_id: whose scores.
        sources: only candidates that these sources proposed, with their labels, whoever tells them; empty: all.
        missing: a candidate without a score stops it (`error`), or is left out and counted (`drop`).
    """

    store: ScoreStore
    teacher_id: str
    sources: Sequence[str] = ()
    missing: Missing = "error"
    without_score: int = 0

    def __iter__(self) -> Iterator[Group]:
        """The queries in the order of their ids.

        Raises:
            StoreError: a candidate has no score, and that is an error.
        """
        self.without_score = 0
        every, scores = self.store.scan_candidates(), self.store.scan(self.teacher_id).select(*PAIR, "score")
        for inside in query_ranges(self._candidates()):
            pairs = (
                every.filter(inside)
                .group_by(PAIR)
                .agg(pl.col("label").max(), pl.col("source").filter(self._is_taken()).unique().sort().alias("sources"))
                .filter(pl.col("sources").list.len() > 0)
            )
            rows = pairs.join(scores.filter(inside), on=PAIR, how="left").sort(PAIR).collect()
            self._count_missing(rows)
            # through text: the shortest decimal number that gives the same float32
            rows = rows.drop_nulls("score").with_columns(pl.col("score").cast(pl.String).cast(pl.Float64))
            for query in rows.partition_by("query_id", maintain_order=True):
                yield _group(query)

    def doc_ids(self) -> set[str]:
        """The documents of all groups."""
        return set(self._candidates().select(pl.col("doc_id").unique()).collect()["doc_id"])

    def _candidates(self) -> pl.LazyFrame:
        return self.store.scan_candidates().filter(self._is_taken())

    def _is_taken(self) -> pl.Expr:
        return pl.col("source").is_in(list(self.sources)) if self.sources else pl.lit(True)

    def _count_missing(self, rows: pl.DataFrame) -> None:
        lacking = rows.filter(pl.col("score").is_null())
        self.without_score += lacking.height
        if lacking.height and self.missing == "error":
            query_id, doc_id = lacking.select(PAIR).row(0)
            raise StoreError(
                expected=f"a score of {self.teacher_id} for every candidate",
                got=f"none for query {query_id!r}, document {doc_id!r}",
                consequence="nothing was written: leaving candidates out silently would change the training set",
                remedy="score the rest, keep one source's candidates with --source, or count and leave them out with "
                "--missing drop",
            )


def margin(positive: Scored, negative: Scored) -> float:
    """score(positive) - score(negative), as the shortest decimal number that gives the same float32."""
    return float(str(np.float32(positive.score - negative.score)))


def _group(rows: pl.DataFrame) -> Group:
    positives: list[Scored] = []
    negatives: list[Scored] = []
    for doc_id, label, sources, score in rows.select("doc_id", "label", "sources", "score").iter_rows():
        found = Scored(doc_id, score, label, tuple(sources))
        (positives if label is not None and label > 0 else negatives).append(found)
    return Group(rows["query_id"][0], sorted(positives, key=_by_score), sorted(negatives, key=_by_score))


def _by_score(document: Scored) -> tuple[float, str]:
    return -document.score, document.doc_id
