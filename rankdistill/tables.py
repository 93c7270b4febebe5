"""The Parquet schemas of the package, and how its tables are written and read: same rows, same bytes.

Pages are written with their checksums (CRC-32), which pyarrow compares when it reads them. polars does not, so a file
that it reads is compared as a whole with its artefact's manifest; see `rankdistill.integrity`.
"""

from __future__ import annotations

import atexit
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from rankdistill import files, integrity, locations
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


WRITTEN: Mapping[str, Any] = {"compression": "zstd", "write_page_checksum": True}
"""How pyarrow writes the package's Parquet files."""


def write_parquet(
    path: Path, table: pa.Table, part_of: Path | None = None, before: Callable[[Path], object] | None = None
) -> None:
    """Write `table` to `path` atomically as zstd Parquet.

    Args:
        path: the file.
        table: its rows.
        part_of: the folder of a finished artefact that the file belongs to; see `integrity.replacing`.
        before: called with what becomes the file, without `part_of`.
    """
    opened = files.atomic_path(path, before) if part_of is None else integrity.replacing(path, part_of)
    with opened as temporary:
        pq.write_table(table, temporary, row_group_size=ROW_GROUP, **WRITTEN)


@contextmanager
def parquet_in_parts(
    path: Path, schema: pa.Schema, part_of: Path | None = None
) -> Iterator[Callable[[pa.Table], None]]:
    """A function that takes a table's next rows; on success `path` has the bytes that `write_parquet` gives them all.

    Memory holds a row group. `part_of` is that of `write_parquet`.
    """
    opened = files.atomic_path(path) if part_of is None else integrity.replacing(path, part_of)
    with opened as temporary, pq.ParquetWriter(temporary, schema, **WRITTEN) as writer:
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


def write_parquet_parts(path: Path, schema: pa.Schema, parts: Iterable[pa.Table], part_of: Path | None = None) -> None:
    """Write the rows of `parts`; see `parquet_in_parts`."""
    with parquet_in_parts(path, schema, part_of) as take:
        for part in parts:
            take(part)


def read_parquet(path: Path, **chosen: Any) -> pa.Table:
    """The rows of a local Parquet file; arguments besides are those of `pyarrow.parquet.read_table`.

    Raises:
        DamagedError: the file is not what its artefact's manifest has.
        OSError, ValueError: it is absent, cut off or no Parquet file, or a page is damaged.
    """
    integrity.require(path)
    return pq.read_table(path.absolute(), page_checksum_verification=True, **chosen)


def require_pages(path: Path) -> None:
    """Read a Parquet file of no artefact's manifest, so that a page which does not have its checksum shows.

    Raises:
        DataError: one does not, or the file is cut off.
    """
    with open_parquet(path, checked=False) as file:
        for _ in file.iter_batches():
            pass


_ABSENT = (FileNotFoundError, IsADirectoryError)


@contextmanager
def open_parquet(path: Path, checked: bool = True) -> Iterator[pq.ParquetFile]:
    """Open the Parquet file `path`, here or in an object store; its parts are read as they are asked for.

    Args:
        path: the file.
        checked: compare it with its artefact's manifest first; what is only counted need not be.

    Raises:
        DataError: it is absent, cut off, or no Parquet file; or it is damaged.
        RemoteError: the object store does not answer, or refuses.
    """
    if checked:
        integrity.require(path)
    with ExitStack() as stack:
        with locations.remote_errors(path):
            try:
                remote = not locations.is_local(path)
                source = stack.enter_context(path.open("rb", READ_BYTES)) if remote else path.absolute()
                file = stack.enter_context(pq.ParquetFile(source, page_checksum_verification=True))
            except (pa.ArrowInvalid, OSError) as error:
                if isinstance(error, OSError) and not (locations.is_local(path) or isinstance(error, _ABSENT)):
                    raise  # an object store that does not answer
                raise _not_whole(path, error) from error
        try:
            yield file
        except OSError as error:
            if not any(words in str(error) for words in _BAD_PAGE):
                raise
            raise _not_whole(path, error) from error


_BAD_PAGE = ("page integrity", "page header", "deserialize thrift", "nexpected end of stream")
"""What pyarrow says of a page that does not have its checksum, or whose header cannot be read."""


def _not_whole(path: Path, error: Exception) -> DataError:
    return DataError(
        expected=f"a whole Parquet file at {path}",
        got=str(error),
        consequence="nothing was read",
        remedy="give the right path, or make the file again",
    )


def footers(paths: Sequence[Path], checked: bool = True) -> Iterator[pq.FileMetaData]:
    """The footer of each of the Parquet files: row counts and schema; those of an object store several at a time.

    They are read as they are taken: a store may have thousands, of 13 KiB each.

    Args:
        paths: the files.
        checked: compare them with their artefact's manifest first; what is only counted need not be.

    Raises:
        DataError: one is absent, cut off, or no Parquet file; or it is damaged.
    """
    if not paths or locations.is_local(paths[0]):
        yield from (_footer(path, checked) for path in paths)
        return
    with ThreadPoolExecutor(REQUESTS) as pool:
        yield from pool.map(_footer, paths)


def count_rows(paths: Sequence[Path]) -> int:
    """How many rows the Parquet files have together, by their footers alone; raises as `footers` does."""
    return sum(footer.num_rows for footer in footers(paths, checked=False))


def _footer(path: Path, checked: bool = True) -> pq.FileMetaData:
    with open_parquet(path, checked) as file:
        return file.metadata


def scan_parquet(paths: Sequence[Path]) -> pl.LazyFrame:
    """The rows of Parquet files of one schema as a lazy frame; raises DamagedError where one is not what it was.

    Files of an object store are copied to this machine first, once a process and version, by the client that everything
    else is read with, and their pages are compared with their checksums. The client of polars asks for an environment
    variable ten times a second for as long as the process lives, and a training that sets one meanwhile, as those of
    transformers do, can die of it with a segmentation fault.
    """
    import polars as pl

    if all(locations.is_local(path) for path in paths):
        return pl.scan_parquet([integrity.require(path, whole=True) for path in paths], glob=False)
    folder = _copies(os.getpid())
    with ThreadPoolExecutor(REQUESTS) as pool:
        return pl.scan_parquet(list(pool.map(lambda path: _copied(path, folder), paths)), glob=False)


@cache
def _copies(process: int) -> Path:
    """The folder of this process for copies of remote files; it goes when the process ends."""
    folder = files.make_temporary_folder()

    def remove() -> None:
        if os.getpid() == process and folder.is_dir():
            files.remove_folder(folder)

    atexit.register(remove)
    return folder


def _copied(path: Path, folder: Path) -> Path:
    """The copy of a remote Parquet file as it is now."""
    with locations.remote_errors(path):
        system, name = locations.file_system(path), locations.key(path)
        copy = folder / f"{hashlib.sha256(f'{name} {system.ukey(name)}'.encode()).hexdigest()}.parquet"
        if not copy.is_file():
            with files.atomic_path(copy) as temporary:
                system.get_file(name, str(temporary))
                try:
                    require_pages(temporary)
                except DataError as error:
                    raise _not_whole(path, error) from error
    return copy


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
