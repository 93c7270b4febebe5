"""Sorting rows that do not fit in memory: sorted pieces on disk, read back together in ranges of whole queries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import polars as pl

from rankdistill.formats.ranges import RANGE_ROWS, query_ranges
from rankdistill.formats.rows import Row

PIECE_ROWS = 400_000
"""Rows held while reading; about 250 bytes each."""

ROW_GROUP = 16_384

SCHEMA = {
    "order": pl.Int64,
    "place": pl.Int64,
    "query_id": pl.String,
    "doc_id": pl.String,
    "value": pl.Float64,
    "label": pl.Int32,
    "positive_id": pl.String,
    "source": pl.String,
}
"""The fields of `Row`, with `place` (file and line) for `line`; `order` counts the rows as they came."""

_LINE_BITS = 40


def place_of(file: int, line: int) -> int:
    """One number for the line of a file, that sorts as they do."""
    return file << _LINE_BITS | line


def file_and_line(place: int) -> tuple[int, int]:
    """What `place_of` was given."""
    return place >> _LINE_BITS, place & ((1 << _LINE_BITS) - 1)


class Spool:
    """Rows on their way to being sorted by query_id, doc_id, order.

    Args:
        folder: an empty folder for the pieces; what is in it afterwards is of no use.
        piece_rows: rows held in memory.
    """

    def __init__(self, folder: Path, piece_rows: int = PIECE_ROWS) -> None:
        self.folder, self.piece_rows = folder, piece_rows
        self.pieces: list[Path] = []
        self.held: list[tuple[object, ...]] = []
        self.taken = 0

    def extend(self, file: int, rows: Iterable[Row]) -> None:
        """Take up the rows of file number `file`."""
        append = self.held.append
        for order, row in enumerate(rows, start=self.taken):
            append((order, place_of(file, row.line), *row[1:]))
            self.taken = order + 1
            if len(self.held) >= self.piece_rows:
                self._flush()

    def ranges(self, range_rows: int = RANGE_ROWS) -> Iterator[pl.DataFrame]:
        """All rows (columns of `SCHEMA`), sorted by query_id, doc_id, order; no query is split between two tables."""
        self._flush()
        if not self.pieces:
            return
        table = pl.scan_parquet(self.pieces)
        for inside in query_ranges(table, range_rows):
            yield table.filter(inside).collect().sort("query_id", "doc_id", "order")

    def _flush(self) -> None:
        if not self.held:
            return
        columns = dict(zip(SCHEMA, map(list, zip(*self.held, strict=True)), strict=True))
        self.held.clear()
        path = self.folder / f"piece-{len(self.pieces):06d}.parquet"
        piece = pl.DataFrame(columns, schema=SCHEMA).sort("query_id", "doc_id", "order")
        piece.write_parquet(path, row_group_size=ROW_GROUP, compression="lz4")
        self.pieces.append(path)
