"""Parquet files: only the columns that are wanted are read, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from rankdistill import tables
from rankdistill.data.bad_rows import BadRows
from rankdistill.data.converting.table import Column, Row, hash_of, require_columns
from rankdistill.errors import DataError

BATCH = 1024
"""Rows at a time."""


@dataclass(frozen=True)
class ParquetTable:
    """Parquet files with the same columns.

    Args:
        paths: the files.
    """

    paths: Sequence[Path]

    @property
    def encodings(self) -> list[str]:
        """See `Table`."""
        return []

    @cached_property
    def digest(self) -> str:
        """See `Table`."""
        return hash_of(self.paths)

    @cached_property
    def columns(self) -> list[Column]:
        """See `Table`; DataError where the first file is no Parquet."""
        with tables.open_parquet(self.paths[0]) as file:
            return columns_of(file.schema_arrow)

    def rows(self, wanted: Sequence[str], bad: BadRows) -> Iterator[Row]:
        """See `Table`; lines are rows.

        Raises:
            DataError: a file is no Parquet, or lacks a column.
        """
        for path in self.paths:
            with tables.open_parquet(path) as file:
                require_columns(path, columns_of(file.schema_arrow), wanted)
                batches = file.iter_batches(BATCH, columns=list(dict.fromkeys(wanted)))
                yield from (
                    Row(path, number, values) for number, values in enumerate(values_of(path, batches), start=1)
                )


def values_of(path: Path, batches: Iterator[Any]) -> Iterator[dict[str, Any]]:
    """The rows of batches of Arrow; DataError for damaged ones."""
    import pyarrow as pa

    try:
        for batch in batches:
            yield from batch.to_pylist()
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DataError(
            expected=f"data at {path} that can be read to their end",
            got=str(error),
            consequence="nothing was written",
            remedy="make the file again",
        ) from error


def columns_of(schema: Any) -> list[Column]:
    """The columns of an Arrow schema."""
    return [Column(field.name, str(field.type), _is_text(field.type)) for field in schema]


def _is_text(kind: Any) -> bool:
    import pyarrow.types as types

    if types.is_dictionary(kind):
        return _is_text(kind.value_type)
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))
