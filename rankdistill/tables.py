"""The Parquet schemas of the package and how its tables are written: same rows, same bytes."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from rankdistill import files
from rankdistill.errors import DataError

CANDIDATES = pa.schema(
    [
        pa.field("query_id", pa.string(), nullable=False),
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("rank", pa.int32()),
        pa.field("source_score", pa.float32()),
        pa.field("label", pa.int32()),
    ]
)
"""One row a (query, document, source); see `rankdistill.records.Candidate`. Sorted by query_id, source, rank."""

SCORES = pa.schema(
    [
        pa.field("query_id", pa.string(), nullable=False),
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("teacher_id", pa.string(), nullable=False),
        pa.field("score", pa.float32(), nullable=False),
        pa.field("key", pa.binary(16), nullable=False),
    ]
)
"""One raw score a pair; `key` is the content key (hash of both texts). Sorted by query_id, doc_id."""

CANDIDATES_FILE = "candidates.parquet"


def write_parquet(path: Path, table: pa.Table) -> None:
    """Write `table` to `path` atomically as zstd Parquet."""
    with files.atomic_path(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", row_group_size=65536)


def check_schema(path: Path, wanted: pa.Schema) -> None:
    """Raise DataError unless the Parquet file `path` has the columns of `wanted` (more may follow)."""
    try:
        found = pq.read_schema(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(
            expected=f"a Parquet file at {path}",
            got=str(error),
            consequence="nothing was read",
            remedy="give the right path, or make the file again",
        ) from error
    missing = [field.name for field in wanted if field.name not in found.names]
    if missing:
        raise DataError(
            expected=f"the columns {wanted.names}",
            got=f"{path} with {found.names}; missing {missing}",
            consequence="nothing was read",
            remedy="make the file again with this version, or rename its columns",
        )
