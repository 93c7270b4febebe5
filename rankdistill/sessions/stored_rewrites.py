"""Rewrites that somebody else made, in a file of questions' ids and texts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rankdistill import tables
from rankdistill.data import columns, json_lines, lines
from rankdistill.data.bad_rows import BadRows, Mode
from rankdistill.data.fields import text
from rankdistill.data.values import RowError, identifier
from rankdistill.errors import DataError

ENDINGS = (".jsonl", ".jsonl.gz", ".tsv", ".tsv.gz", ".parquet")

IDS, TEXTS = ("turn_id", "_id", "id"), ("rewrite", "text")
"""Names of the two columns; the first that is there is taken."""

SPEAKER = "|user|:"
"""Before each question in MTRAG's retrieval tasks; no part of a rewrite."""


def is_stored(place: Path) -> bool:
    """Whether a path is a file of rewrites, by its name."""
    return place.name.lower().endswith(ENDINGS) and place.is_file()


def read(path: Path, mode: Mode = "strict") -> tuple[dict[str, str], list[str]]:
    """turn_id -> rewrite in the order of the file, and the reports of the rows left out (none if strict).

    Args:
        path: JSON lines or Parquet with a column of ids and one of texts, or a table of both with a tab between and no
            header, as of CAsT 2019.
        mode: `strict` raises if any row is bad; `lenient` leaves it out.

    Raises:
        DataError: the file cannot be read, or (strict) has bad rows: an id twice, no words, no such columns.
    """
    bad, found = BadRows(mode), dict[str, str]()
    for number, row in _rows(path, bad):
        try:
            turn_id, rewrite = identifier(row[0]), text(row[1], "the rewrite")
            rewrite = text(rewrite.removeprefix(SPEAKER), "the rewrite")
            if found.setdefault(turn_id, rewrite) != rewrite:
                raise RowError(f"two rewrites of {turn_id!r}")
        except RowError as error:
            bad.add(path, number, str(error))
    bad.finish(f"rewrites in {path}")
    if not found and not bad.reports:
        raise DataError(
            expected=f"rewrites in {path}",
            got="an empty file",
            consequence="nothing was used",
            remedy="give the right file",
        )
    return found, bad.reports


def _rows(path: Path, bad: BadRows) -> Iterator[tuple[int, tuple[Any, Any]]]:
    name = path.name.lower()
    if name.endswith(".parquet"):
        yield from _parquet(path)
        return
    tabs = name.endswith((".tsv", ".tsv.gz"))
    for number, line in lines.numbered(path):
        if not line.strip():
            continue
        try:
            if tabs:
                row = columns.split(line, "\t")
                if len(row) != 2:
                    raise RowError(f"{len(row)} columns, not 2 separated by tabs")
                yield number, (row[0], row[1])
            else:
                record = json_lines.parse_object(line)
                yield number, (_taken(record, IDS), _taken(record, TEXTS))
        except RowError as error:
            bad.add(path, number, str(error))


def _taken(record: dict[str, Any], names: tuple[str, ...]) -> Any:
    for name in names:
        if name in record:
            return record[name]
    raise RowError(f"none of the fields {', '.join(names)}")


def _parquet(path: Path) -> Iterator[tuple[int, tuple[Any, Any]]]:
    import pyarrow as pa

    try:
        table = tables.read_parquet(path)
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, str(error)) from error
    chosen = [next((name for name in names if name in table.column_names), None) for names in (IDS, TEXTS)]
    if None in chosen:
        raise _unreadable(path, f"the columns {', '.join(table.column_names)}")
    yield from enumerate(zip(*(table[name].to_pylist() for name in chosen), strict=True), start=1)


def _unreadable(path: Path, got: str) -> DataError:
    return DataError(
        expected=f"a table of rewrites with a column of ids ({', '.join(IDS)}) and one of texts ({', '.join(TEXTS)})",
        got=f"{path}: {got}",
        consequence="nothing was used",
        remedy="name the columns so",
    )
