"""Joining the rows of several splits or files into one corpus or one set of queries."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from rankdistill.errors import DataError
from rankdistill.records import Document, Query

Row = TypeVar("Row", Document, Query)


def merge(rows: Iterable[Row]) -> list[Row]:
    """The distinct rows in order of first appearance; the first field is the id.

    Raises:
        DataError: two rows share an id but say different things.
    """
    found: dict[str, Row] = {}
    for row in rows:
        if found.setdefault(row[0], row) != row:
            raise DataError(
                expected="one text for each id",
                got=f"two different texts of {row[0]!r}",
                consequence="nothing was written: a judgement could mean either",
                remedy="fetch one split, or one subset, of the source",
            )
    return list(found.values())
