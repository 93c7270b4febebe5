"""The files of vectors: written whole, read in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from rankdistill import files, integrity, tables
from rankdistill.data.digests import Digests, Hashes
from rankdistill.errors import DataError, StoreError
from rankdistill.stores.broken import written_anew
from rankdistill.stores.embeddings.identity import hashes_of_ids, hashes_of_keys
from rankdistill.stores.embeddings.layout import VectorType, vectors_schema

READ_AT_ONCE = 8192
"""Rows of a shard held in memory together."""


def write_shard(
    path: Path,
    unit: pa.Table,
    vectors: np.ndarray,
    truncated: np.ndarray,
    dtype: VectorType,
    before: Callable[[Path], object] | None = None,
) -> None:
    """Write the vectors of a work unit.

    Args:
        path: of the shard.
        unit: the columns of `layout.UNITS`.
        vectors: `[n, dimension]` in the number format `dtype`; finite.
        truncated: bool[n].
        dtype: of the vectors.
        before: called with what becomes the shard.
    """
    schema = vectors_schema(vectors.shape[1], dtype)
    flat = pa.array(np.ascontiguousarray(vectors).reshape(-1), schema.field("vector").type.value_type)
    column = pa.FixedSizeListArray.from_arrays(flat, type=schema.field("vector").type)
    table = pa.table([unit["text_id"], unit["key"], column, pa.array(truncated)], schema=schema)
    with files.atomic_path(path, before) as temporary:
        pq.write_table(table, temporary, use_dictionary=False, **tables.WRITTEN)


def require_whole(shards: Sequence[Path], dimension: int, dtype: VectorType) -> int:
    """The number of vectors in the shards.

    Raises:
        StoreError: one is cut off, or has other columns.
    """
    wanted = vectors_schema(dimension, dtype)
    try:
        rows = 0
        for path, footer in zip(shards, tables.footers(shards, checked=False), strict=True):
            tables.check_columns(path, footer.schema.to_arrow_schema(), wanted, exact=True)
            rows += footer.num_rows
    except DataError as error:
        raise StoreError(
            expected=error.expected,
            got=error.got,
            consequence="no vector was read",
            remedy="remove that file and run the same `rankdistill embed` again: it makes it anew",
        ) from error
    except Exception:  # whatever else pyarrow makes of a damaged footer
        for path in shards:
            integrity.require(path, whole=True)
        raise
    for path in shards:
        integrity.require(path)
    return rows


def stored_keys(shards: Sequence[Path]) -> Digests:
    """The keys of all vectors."""
    return Digests(_keys(shards), tables.count_rows(shards))


def _keys(shards: Sequence[Path]) -> Iterator[Hashes]:
    for path in shards:
        with written_anew(path.parent.parent, path), tables.open_parquet(path) as file:
            for batch in file.iter_batches(READ_AT_ONCE, columns=["key"]):
                yield hashes_of_keys(batch.column("key"))


def truncated_ids(shards: Sequence[Path]) -> Digests:
    """The ids, as `hashes_of_ids`, of the texts of which the teacher read only the beginning."""
    return Digests(_truncated(shards))


def _truncated(shards: Sequence[Path]) -> Iterator[Hashes]:
    for path in shards:
        with tables.open_parquet(path) as file:
            for rows in file.iter_batches(READ_AT_ONCE, columns=["text_id", "truncated"]):
                yield hashes_of_ids(rows.filter(rows["truncated"]).column("text_id"))


def vectors(shards: Sequence[Path]) -> Iterator[tuple[pa.Array, np.ndarray]]:
    """The text ids of some thousand vectors, and the vectors `[n, dimension]`."""
    for path in shards:
        with tables.open_parquet(path) as file:
            for batch in file.iter_batches(READ_AT_ONCE, columns=["text_id", "vector"]):
                column = batch.column("vector")
                yield batch.column("text_id"), column.flatten().to_numpy().reshape(-1, column.type.list_size)
