"""Files of records: JSON lines (plain or gzip), Parquet, and text columns; read with their line, written atomically."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankdistill import files, integrity, locations
from rankdistill.data import json_lines, lines
from rankdistill.data.columns import split
from rankdistill.data.values import RowError
from rankdistill.data.writer import write_lines
from rankdistill.errors import ConfigError, DataError
from rankdistill.formats.source import Source

if TYPE_CHECKING:
    import pyarrow as pa

JSON_SUFFIXES = (".jsonl", ".jsonl.gz", ".json", ".json.gz")
PARQUET_SUFFIXES = (".parquet",)
TEXT_SUFFIXES = (".tsv", ".tsv.gz", ".txt", ".txt.gz", ".run", ".run.gz", ".trec", ".trec.gz")

BATCH_ROWS = 4096


def read_records(path: Path, source: Source) -> Iterator[tuple[int, Any]]:
    """(line, value) of each JSON line or (row, dict) of each Parquet row; broken JSON is rejected.

    Raises:
        DataError: the file is absent, cut short or no Parquet.
    """
    if path.suffix == ".parquet":
        yield from _read_parquet(path)
        return
    for line_number, line in lines.numbered(path):
        if not line.strip():
            continue
        try:
            value = json_lines.parse(line)
        except RowError as error:
            source.rejects.add(path, line_number, str(error))
            continue
        yield line_number, value


def read_columns(
    source: Source, count: int, layout: str, separator: str | None = "\t", quotes: bool = False
) -> Iterator[tuple[int, Any]]:
    """(line, columns) of each text line with `count` columns; others are rejected.

    Args:
        source: the file.
        count: how many columns a line must have.
        layout: their names, for the message.
        separator: between columns; None: any white space.
        quotes: a column may stand in quotes, which are part of it.
    """
    for line_number, line in lines.numbered(source.path):
        try:
            columns = split(line, separator, quotes)
        except RowError as error:
            source.reject(line_number, str(error))
            continue
        if not columns:
            continue
        if len(columns) != count:
            source.reject(line_number, f"{len(columns)} columns, not {count} ({layout})")
            continue
        yield line_number, columns


def write_records(path: Path, records: Iterable[Any], schema: pa.Schema | None = None) -> None:
    """Write records as JSON lines or, by the suffix `.parquet`, as Parquet; atomically.

    Args:
        path: the file; its suffix chooses.
        records: the rows, JSON values; for Parquet, objects that all have the same fields.
        schema: of the Parquet file; None: as the first rows suggest.
    """
    if path.suffix == ".parquet":
        _write_parquet(path, records, schema)
    else:
        write_lines(path, (json.dumps(record, ensure_ascii=False) for record in records))


def tables_in(folder: Path) -> dict[str, list[Path]]:
    """The tables of a folder by what their paths say they are: `queries`, `documents`, and `train` for all others."""
    found: dict[str, list[Path]] = {"train": [], "queries": [], "documents": []}
    for path in locations.listing(folder, "**/*"):
        name = path.relative_to(folder).as_posix().lower()
        if not path.is_file() or path.name == "manifest.json" or not name.endswith(JSON_SUFFIXES + PARQUET_SUFFIXES):
            continue
        is_text = any(word in name for word in ("corpus", "collection", "documents", "passages"))
        found["queries" if "queries" in name else "documents" if is_text else "train"].append(path)
    return found


def check_suffix(path: Path, allowed: tuple[str, ...]) -> None:
    """Raise ConfigError unless the name of `path` ends in one of `allowed`."""
    if not path.name.lower().endswith(allowed):
        raise ConfigError(
            expected=f"an output that ends in {', '.join(allowed)}",
            got=str(path),
            consequence="nothing was written",
            remedy="rename the output; the suffix chooses how it is written",
        )


def _read_parquet(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    row = 0
    try:
        with pq.ParquetFile(integrity.require(path).absolute(), page_checksum_verification=True) as table:
            for batch in table.iter_batches(BATCH_ROWS):
                for record in batch.to_pylist():
                    row += 1
                    yield row, record
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            expected=f"a readable Parquet file {path}",
            got=f"{path}:{row + 1}: {error}",
            consequence="nothing was used: the rest of the file is unknown",
            remedy="give the right path, or fetch the file again",
        ) from error


def _write_parquet(path: Path, records: Iterable[Mapping[str, Any]], schema: pa.Schema | None) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = iter(records)
    with files.atomic_path(path) as temporary:
        first = list(islice(rows, BATCH_ROWS))
        kept = schema or pa.Table.from_pylist(first).schema
        with pq.ParquetWriter(temporary, kept, compression="zstd", write_page_checksum=True) as writer:
            while first:
                writer.write_table(pa.Table.from_pylist(first, schema=kept))
                first = list(islice(rows, BATCH_ROWS))
