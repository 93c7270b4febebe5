"""Reading one teacher's shards in ranges of whole queries, so that memory does not grow with the store.

A shard is sorted, but a query may lie in several shards, and shards of different plans overlap. Each row group's first
and last query are known from its statistics; a range is read from the row groups that reach into it, each once, and
what reaches beyond is held for the next range.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from rankdistill import tables
from rankdistill.errors import StoreError
from rankdistill.stores.shards import footers as shard_footers

COLUMNS = ["query_id", "doc_id", "score"]

EMPTY = pl.DataFrame(schema={"query_id": pl.String, "doc_id": pl.String, "score": pl.Float64})

RANGE_ROWS = 1_000_000
"""Rows of all teachers together that a range aims at; a query is never split, so a huge one makes a huge range."""


@dataclass(frozen=True)
class Span:
    """A row group: rows `first` to `first + rows` of a file of `whole` rows, with queries `low` to `high`."""

    path: Path
    whole: int
    first: int
    rows: int
    low: str
    high: str


def spans(shards: Sequence[Path]) -> list[Span]:
    """The row groups of `shards`, by first query; raises StoreError if one is cut off or foreign."""
    footers = zip(shards, shard_footers(shards), strict=True)
    found = [span for path, footer in footers for span in _spans_of(path, footer)]
    return sorted(found, key=lambda span: (span.low, span.high))


def holding(member: Sequence[Span], queries: Collection[str] | None) -> list[Span]:
    """The row groups that may hold one of `queries`; None: all."""
    if queries is None:
        return list(member)
    wanted = sorted(queries)
    return [span for span in member if bisect_left(wanted, span.low) < bisect_right(wanted, span.high)]


def cuts(members: Sequence[Sequence[Span]], rows: int = RANGE_ROWS) -> Iterator[str | None]:
    """Rising query ids, each the end (exclusive) of a range of about `rows` rows of all members; None ends the last."""
    held, last = 0, ""
    for span in sorted((span for member in members for span in member), key=lambda span: span.low):
        if held + span.rows > rows and held and span.low > last:
            yield span.low
            held, last = 0, span.low
        held += span.rows
    yield None


class Cursor:
    """Hands out one teacher's rows range by range.

    Args:
        teacher_id: whose, for messages.
        member: its row groups, as `spans` gives them.
    """

    def __init__(self, teacher_id: str, member: Sequence[Span]) -> None:
        self.teacher_id, self._member, self._next = teacher_id, member, 0
        self._held = EMPTY

    def take(self, below: str | None) -> pl.DataFrame:
        """query_id, doc_id, score (float64) of the queries below `below` not taken yet; sorted by query_id, doc_id.

        Raises:
            StoreError: a pair has two scores, or a score is not finite.
        """
        first = self._next
        while self._next < len(self._member) and (below is None or self._member[self._next].low < below):
            self._next += 1
        rows = self._held
        if self._next > first:
            rows = pl.concat([rows, _read(self._member[first : self._next]).collect()])
        if below is not None:
            beyond = pl.col("query_id") >= below
            self._held, rows = rows.filter(beyond), rows.filter(~beyond)
        return self._checked(rows)

    def _checked(self, rows: pl.DataFrame) -> pl.DataFrame:
        if not _rises(rows):
            rows = rows.sort("query_id", "doc_id")
            if not _rises(rows):
                twice = rows.filter(rows.select("query_id", "doc_id").is_duplicated()).row(0)
                raise self._unusable("one score a (query, document) pair", f"several for {twice[0]!r}, {twice[1]!r}")
        if not rows["score"].is_finite().all():
            bad = rows.filter(~pl.col("score").is_finite()).row(0)
            raise self._unusable("finite scores", f"{bad[2]} for query {bad[0]!r}, document {bad[1]!r}")
        return rows

    def _unusable(self, expected: str, got: str) -> StoreError:
        return StoreError(
            expected=f"{expected} of {self.teacher_id}",
            got=got,
            consequence="nothing was combined",
            remedy="score or import this teacher again, into a new store",
        )


def _spans_of(path: Path, footer: pq.FileMetaData) -> Iterator[Span]:
    place, first = footer.schema.names.index("query_id"), 0
    for number in range(footer.num_row_groups):
        group = footer.row_group(number)
        known = group.column(place).statistics
        if known is not None and known.has_min_max:
            low, high = known.min, known.max
        else:
            with tables.open_parquet(path) as shard:
                queries = shard.read_row_group(number, columns=["query_id"]).column(0).to_pylist()
            low, high = min(queries), max(queries)
        yield Span(path, footer.num_rows, first, group.num_rows, low, high)
        first += group.num_rows


def _read(wanted: Sequence[Span]) -> pl.LazyFrame:
    """The rows of these row groups, in their order; neighbours are read at once."""
    parts: list[pl.LazyFrame] = []
    for whole, run in groupby(wanted, key=lambda span: span.rows == span.whole):
        if whole:
            parts.append(tables.scan_parquet([span.path for span in run]))
        else:
            parts += [tables.scan_parquet([span.path]).slice(span.first, span.rows) for span in run]
    return pl.concat([part.select(COLUMNS) for part in parts]).with_columns(pl.col("score").cast(pl.Float64))


def _rises(rows: pl.DataFrame) -> bool:
    """Whether (query_id, doc_id) rises strictly from row to row."""
    query, doc = pl.col("query_id"), pl.col("doc_id")
    above, same = query > query.shift(), query == query.shift()
    return bool(rows.select((above | (same & (doc > doc.shift()))).fill_null(True).all()).item())
