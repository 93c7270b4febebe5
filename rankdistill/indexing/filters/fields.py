"""The fields of an index's documents: a Parquet file a shard, columns in memory when a filter asks for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from rankdistill import tables
from rankdistill.errors import DataError
from rankdistill.indexing.arrays import damaged
from rankdistill.indexing.filters.columns import COLUMNS, Column
from rankdistill.indexing.filters.types import TYPES
from rankdistill.indexing.topk import Positions

FIELDS_FILE = "fields.parquet"


class Fields:
    """The fields of documents, by position.

    Args:
        schema: field -> type, a name in `TYPES`.
        table: a column a field, a row a document; missing values are null.
    """

    def __init__(self, schema: Mapping[str, str], table: pa.Table) -> None:
        self.schema = dict(schema)
        self._table = table
        self._columns: dict[str, Column] = {}

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def column(self, name: str) -> Column:
        """The column `name` of the schema, ready to be compared."""
        if name not in self._columns:
            self._columns[name] = COLUMNS[self.schema[name]](pa.concat_arrays(self._table.column(name).chunks))
        return self._columns[name]

    def at(self, positions: Sequence[int] | Positions) -> list[dict[str, Any]]:
        """Field -> JSON value of the documents there, without those that they lack."""
        rows = self._table.take(pa.array(positions, pa.int64())).to_pylist()
        return [
            {name: TYPES[self.schema[name]].show(value) for name, value in row.items() if value is not None}
            for row in rows
        ]


def table_of(schema: Mapping[str, str], rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """A row a document, from what the types' `read` gave; a field that it lacks is null."""
    every = list(rows)
    return pa.table(
        {name: pa.array([row.get(name) for row in every], TYPES[kind].arrow) for name, kind in schema.items()},
        schema=arrow_schema(schema),
    )


def arrow_schema(schema: Mapping[str, str]) -> pa.Schema:
    """The schema of the file."""
    return pa.schema([pa.field(name, TYPES[kind].arrow) for name, kind in schema.items()])


def write_fields(folder: Path, table: pa.Table) -> None:
    """Write the fields of a shard's documents, in their order."""
    tables.write_parquet(folder / FIELDS_FILE, table)


def read_fields(folders: Sequence[Path], schema: Mapping[str, str], documents: int) -> Fields:
    """The fields of the shards in `folders`.

    Raises:
        DataError: a file is absent or damaged, or they are not of so many documents.
    """
    if not schema:  # a filter without conditions may still be asked for, and needs the number of rows
        return Fields({}, pa.table({"": pa.nulls(documents)}))
    wanted = arrow_schema(schema)
    parts = []
    for folder in folders:
        path = folder / FIELDS_FILE
        try:
            parts.append(tables.read_parquet(path, columns=wanted.names).cast(wanted))
        except (OSError, KeyError, pa.ArrowException) as error:
            raise damaged(f"the fields {', '.join(schema)} in {path}", str(error)) from error
    found = Fields(schema, pa.concat_tables(parts).combine_chunks())
    if len(found) != documents:
        raise DataError(
            expected=f"fields of {documents:,} documents",
            got=f"{len(found):,} rows",
            consequence="nothing was searched: documents would get the fields of others",
            remedy="remove the folder of the index, then build it again",
        )
    return found
