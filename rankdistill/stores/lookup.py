"""The texts of a store by id, as compact as the file: for workers that have no data set at hand."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa

from rankdistill import tables


class StoredTexts(Mapping[str, str]):
    """Id -> text of a texts file, which is sorted by id; found by bisection.

    Args:
        path: `queries.parquet` or `documents.parquet` of a store.
    """

    def __init__(self, path: Path) -> None:
        with tables.open_parquet(path) as file:
            table = file.read()
        self._ids, self._texts = (column.cast(pa.large_string()).combine_chunks() for column in table.columns)

    def __getitem__(self, identifier: str) -> str:
        row = bisect_left(self._ids, identifier, key=lambda value: value.as_py())
        if row == len(self._ids) or self._ids[row].as_py() != identifier:
            raise KeyError(identifier)
        return self._texts[row].as_py()

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids.to_pylist())

    def __len__(self) -> int:
        return len(self._ids)
