"""The Parquet schemas of the package and how its tables are written: same rows, same bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from rankdistill import files, locations
from rankdistill.errors import DataError

if TYPE_CHECKING:
    import polars as pl

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

READ_BYTES = 1 << 20
"""How much of a remote file is asked for at once; larger parts are asked for as they are."""

ROW_GROUP = 1 << 16
"""Rows that are written together."""

REQUESTS = 16
"""Requests to an object store at the same time."""


def write_parquet(path: Path, table: pa.Table) -> None:
    """Write `table` to `path` atomically as zstd Parquet."""
    with files.atomic_path(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", row_group_size=ROW_GROUP)


@contextmanager
def parquet_in_parts(path: Path, schema: pa.Schema) -> Iterator[Callable[[pa.Table], None]]:
    """A function that takes a table's next rows; on success `path` has the bytes that `write_parquet` gives them all.

    Memory holds a row group.
    """
    with files.atomic_path(path) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
        waiting, rows, written = [schema.empty_table()], 0, False

        def take(part: pa.Table) -> None:
            nonlocal waiting, rows, written
            waiting.append(part.cast(schema))
            rows += len(part)
            while rows >= ROW_GROUP:
                held = pa.concat_tables(waiting)
                writer.write_table(held.slice(0, ROW_GROUP).combine_chunks(), row_group_size=ROW_GROUP)
                waiting, rows, written = [held.slice(ROW_GROUP)], rows - ROW_GROUP, True

        yield take
        if rows or not written:
            writer.write_table(pa.concat_tables(waiting).combine_chunks(), row_group_size=ROW_GROUP)


def write_parquet_parts(path: Path, schema: pa.Schema, parts: Iterable[pa.Table]) -> None:
    """Write the rows of `parts`; see `parquet_in_parts`."""
    with parquet_in_parts(path, schema) as take:
        for part in parts:
            take(part)


_ABSENT = (FileNotFoundError, IsADirectoryError)


@contextmanager
def open_parquet(path: Path) -> Iterator[pq.ParquetFile]:
    """Open the Parquet file `path`, here or in an object store; its parts are read as they are asked for.

    Raises:
        DataError: it is absent, cut off, or no Parquet file.
        RemoteError: the object store does not answer, or refuses.
    """
    with ExitStack() as stack:
        with locations.remote_errors(path):
            try:
                remote = not locations.is_local(path)
                source = stack.enter_context(path.open("rb", READ_BYTES)) if remote else path.absolute()
                file = stack.enter_context(pq.ParquetFile(source))
            except (pa.ArrowInvalid, OSError) as error:
                if isinstance(error, OSError) and not (locations.is_local(path) or isinstance(error, _ABSENT)):
                    raise  # an object store that does not answer
                raise DataError(
                    expected=f"a whole Parquet file at {path}",
                    got=str(error),
                    consequence="nothing was read",
                    remedy="give the right path, or make the file again",
                ) from error
        yield file


def footers(paths: Sequence[Path]) -> list[pq.FileMetaData]:
    """The footer of each of the Parquet files: row counts and schema; those of an object store several at a time.

    Raises:
        DataError: one is absent, cut off, or no Parquet file.
    """
    if not paths or locations.is_local(paths[0]):
        return [_footer(path) for path in paths]
    with ThreadPoolExecutor(REQUESTS) as pool:
        return list(pool.map(_footer, paths))


def _footer(path: Path) -> pq.FileMetaData:
    with open_parquet(path) as file:
        return file.metadata


def scan_parquet(paths: Sequence[Path]) -> pl.LazyFrame:
    """The rows of Parquet files of one schema as a lazy frame.

    Polars reads object stores with a client of its own, which knows the environment variables; for S3 it is given the
    credentials that the other client finds.
    """
    import polars as pl

    if all(locations.is_local(path) for path in paths):
        return pl.scan_parquet(list(paths))
    urls = [str(path) for path in paths]
    if urls[0].startswith("memory:"):
        return pl.scan_parquet([path.read_bytes() for path in paths])
    if urls[0].startswith("s3"):
        return pl.scan_parquet(urls, glob=False, credential_provider=locations.s3_credentials)
    return pl.scan_parquet(urls, glob=False)


def check_schema(path: Path, wanted: pa.Schema, exact: bool = False) -> None:
    """Raise DataError unless the Parquet file `path` has the columns of `wanted` (more may follow).

    Args:
        path: the file.
        wanted: names and types; a text, a whole number and so on may be stored with another width.
        exact: the types must be the same.
    """
    check_columns(path, _footer(path).schema.to_arrow_schema(), wanted, exact)


def check_columns(path: Path, found: pa.Schema, wanted: pa.Schema, exact: bool = False) -> None:
    """Raise DataError unless the schema `found` in `path` has the columns of `wanted`; see `check_schema`."""
    wrong = [
        f"{field.name} is {found.field(field.name).type}, not {field.type}"
        if field.name in found.names
        else f"{field.name} is missing"
        for field in wanted
        if field.name not in found.names or not _agree(found.field(field.name).type, field, exact)
    ]
    if wrong:
        raise DataError(
            expected=f"the columns {', '.join(f'{field.name} ({field.type})' for field in wanted)}",
            got=f"{path}: {'; '.join(wrong)}",
            consequence="nothing was read",
            remedy="make the file again with this version, or rename and cast its columns",
        )


def _agree(found: pa.DataType, wanted: pa.Field, exact: bool) -> bool:
    if exact:
        return bool(found == wanted.type)
    return _family(found) == _family(wanted.type) or (wanted.nullable and pa.types.is_null(found))


def _family(kind: pa.DataType) -> str:
    """What a column of this type holds, whatever the width."""
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return "text"
    if pa.types.is_integer(kind):
        return "whole number"
    return "number" if pa.types.is_floating(kind) else str(kind)
