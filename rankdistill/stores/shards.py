"""What the footers of a store's shards tell, before a row is read: that each is whole, and which queries it holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from rankdistill import integrity, tables
from rankdistill.errors import DataError, StoreError


@dataclass(frozen=True)
class Shard:
    """One whole file of scores.

    Args:
        path: where it is.
        rows: how many scores it has.
        low: its first query id, or None where the file does not say.
        high: its last query id, or None.
    """

    path: Path
    rows: int
    low: str | None
    high: str | None

    def may_hold(self, low: str, high: str) -> bool:
        """Whether a query id between `low` and `high` may be in it."""
        return self.low is None or self.high is None or (self.low <= high and low <= self.high)


def inspect(paths: Sequence[Path]) -> list[Shard]:
    """The shards at `paths`, in their order.

    Raises:
        StoreError: one is damaged, or cut off, or its columns are not those of `tables.SCORES`.
        RemoteError: the object store does not answer, or refuses.
    """
    return [_shard(path, footer) for path, footer in zip(paths, footers(paths), strict=True)]


def footers(paths: Sequence[Path]) -> Iterator[pq.FileMetaData]:
    """The footers of the shards at `paths`, in their order, 13 KiB each; raises as `inspect` does."""
    try:
        for path, footer in zip(paths, tables.footers(paths, checked=False), strict=True):
            tables.check_columns(path, footer.schema.to_arrow_schema(), tables.SCORES, exact=True)
            yield footer
    except DataError as error:
        raise StoreError(
            expected=error.expected,
            got=error.got,
            consequence="no score was read",
            remedy="remove that file and run the same `rankdistill score` or `import` again: it makes it anew",
        ) from error
    except Exception:  # whatever else pyarrow makes of a damaged footer
        for path in paths:
            integrity.require(path, whole=True)
        raise
    for path in paths:
        integrity.require(path, whole=True)


def _shard(path: Path, footer: pq.FileMetaData) -> Shard:
    place = footer.schema.names.index("query_id")
    known = [footer.row_group(number).column(place).statistics for number in range(footer.num_row_groups)]
    if not known or not all(one is not None and one.has_min_max for one in known):
        return Shard(path, footer.num_rows, None, None)
    return Shard(path, footer.num_rows, min(one.min for one in known), max(one.max for one in known))
