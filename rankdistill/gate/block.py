"""All rows of some queries, for one teacher, joined with what the candidates tell; derived columns are made once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from rankdistill.gate.outline import Outline, Range
from rankdistill.gate.segments import Floats, Segments
from rankdistill.gate.subject import Subject

PAIR = ["query_id", "doc_id"]


@dataclass(frozen=True)
class Ranked:
    """The pairs of a block that one candidate source gave a rank, query after query.

    Args:
        segments: the queries.
        levels: the teacher's scores, in steps of their resolution.
        ranks: the source's, from 1.
        positive: which pairs are labelled relevant.
    """

    segments: Segments
    levels: Floats
    ranks: Floats
    positive: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Block:
    """One teacher's part of a piece.

    Args:
        raw: query_id, doc_id, score (and key), as stored.
        labels: query_id, doc_id, label (null: unlabelled), each candidate pair once.
        sources: query_id, doc_id, source, rank of the candidates that have a rank.
        range: the span of the teacher's scores, over all queries.
    """

    raw: pl.DataFrame = field(repr=False)
    labels: pl.DataFrame = field(repr=False)
    sources: pl.DataFrame = field(repr=False)
    range: Range

    @cached_property
    def scored(self) -> pl.DataFrame:
        """query_id, doc_id, label, score of each pair with a finite score, once, sorted."""
        finite = self.raw.select(*PAIR, pl.col("score").cast(pl.Float64)).filter(pl.col("score").is_finite())
        once = finite.sort(*PAIR, "score").unique(PAIR, keep="first", maintain_order=True)
        return once.join(self.labels, on=PAIR, how="left", maintain_order="left")

    @cached_property
    def segments(self) -> Segments:
        """The queries of `scored`."""
        return Segments(self.scored["query_id"].rle().struct.field("len").to_numpy())

    @cached_property
    def scores(self) -> Floats:
        """The scores of `scored`."""
        return self.scored["score"].to_numpy()

    @cached_property
    def levels(self) -> Floats:
        """The scores in steps of their resolution: what speaks of order reads these, so that noise is a tie."""
        return self.range.levels(self.scores)

    @cached_property
    def ranks(self) -> Floats:
        """The teacher's rank of each row of `scored` within its query, from 1."""
        return self.segments.ranks(self.levels)

    @cached_property
    def positive(self) -> NDArray[np.bool_]:
        """Rows of `scored` that are labelled relevant."""
        return (self.scored["label"].fill_null(0) > 0).to_numpy()

    @cached_property
    def unlabelled(self) -> NDArray[np.bool_]:
        """Rows of `scored` that nobody judged."""
        return self.scored["label"].is_null().to_numpy()

    @cached_property
    def by_source(self) -> dict[str, Ranked]:
        """Source -> the scored pairs that it ranked."""
        joined = self.scored.join(self.sources, on=PAIR, how="inner", maintain_order="left")
        found = {}
        for (source,), rows in joined.group_by("source", maintain_order=True):
            found[str(source)] = Ranked(
                Segments(rows["query_id"].rle().struct.field("len").to_numpy()),
                self.range.levels(rows["score"].to_numpy()),
                rows["rank"].cast(pl.Float64).to_numpy(),
                (rows["label"].fill_null(0) > 0).to_numpy(),
            )
        return found


def blocks(subject: Subject, found: Outline) -> Iterator[tuple[int, Mapping[str, Block]]]:
    """(rows, teacher_id -> its block) of one piece after the other."""
    for first, last, rows in found.spans():
        inside = pl.col("query_id").is_between(pl.lit(first), pl.lit(last))
        candidates = subject.candidates.filter(inside).collect()
        labels = candidates.group_by(PAIR).agg(pl.col("label").max())
        if subject.labels is not None:
            labels = _fill(labels, subject.labels.filter(inside))
        sources = candidates.filter(pl.col("rank").is_not_null() & pl.col("source").is_not_null())
        sources = sources.group_by(*PAIR, "source").agg(pl.col("rank").min())
        yield (
            rows,
            {
                teacher.teacher_id: Block(
                    teacher.between(first, last), labels, sources, found.ranges[teacher.teacher_id]
                )
                for teacher in subject.teachers
            },
        )


def _fill(labels: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """The candidates' labels, and where they have none, those of `known`."""
    joined = labels.join(known, on=PAIR, how="left", suffix="_known")
    return joined.select(*PAIR, pl.coalesce("label", "label_known").alias("label"))
