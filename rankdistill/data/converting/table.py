"""Rows with named columns, whatever file they are in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from rankdistill import files
from rankdistill.data.bad_rows import BadRows
from rankdistill.errors import DataError
from rankdistill.manifest import digest


class Column(NamedTuple):
    """A column of a table.

    Args:
        name: of it.
        kind: what it holds, in the table's own words; empty where that is not said.
        texts: whether it may hold texts.
    """

    name: str
    kind: str = ""
    texts: bool = True


class Row(NamedTuple):
    """One row.

    Args:
        path: its file.
        line: where it begins there, from 1.
        values: column -> value; a column may be missing.
    """

    path: Path
    line: int
    values: Mapping[str, Any]


class Table(Protocol):
    """One or more files of the same columns, read row by row."""

    @property
    def columns(self) -> Sequence[Column]:
        """The columns in their order."""
        ...

    @property
    def encodings(self) -> Sequence[str]:
        """The encoding of each file; none where the form has but one."""
        ...

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of what the files hold."""
        ...

    def rows(self, wanted: Sequence[str], bad: BadRows) -> Iterator[Row]:
        """The rows, streamed, with the `wanted` columns at least; what is no row of the table goes into `bad`."""
        ...


def listed(columns: Sequence[Column]) -> str:
    """The columns for a message."""
    most = 30
    shown = [f"{one.name!r} ({one.kind})" if one.kind else repr(one.name) for one in columns[:most]]
    more = [f"and {len(columns) - most} more"] if len(columns) > most else []
    return ", ".join([*shown, *more]) or "none"


def require_columns(path: Path, columns: Sequence[Column], wanted: Sequence[str]) -> None:
    """Raise DataError where a file lacks a column that is wanted."""
    if missing := [name for name in wanted if name not in {one.name for one in columns}]:
        raise DataError(
            expected=f"the column {', '.join(map(repr, missing))} in {path}",
            got=f"the columns {listed(columns)}",
            consequence="nothing was written",
            remedy="name columns that are there, or give files with the same columns",
        )


def hashes_of(given: Iterable[tuple[str, Path]]) -> dict[str, str]:
    """Name -> SHA-256 (hex) of the file of that name; of several files of one name, of all their hashes in this order.

    Raises:
        DataError: one cannot be read.
    """
    found: dict[str, list[str]] = {}
    for name, path in given:
        found.setdefault(name, []).append(hash_of([path]))
    return {name: one[0] if len(one) == 1 else digest(one) for name, one in found.items()}


def hash_of(paths: Sequence[Path], folder: Path | None = None) -> str:
    """SHA-256 (hex) of what files hold; of several, or of those in and below a `folder`, with their names.

    Raises:
        DataError: one cannot be read.
    """
    try:
        if folder is None and len(paths) == 1:
            return files.hash_file(paths[0])
        return files.hash_files(folder or paths[0].parent, paths)
    except OSError as error:
        raise DataError(
            expected="files that can be read",
            got=f"{error.filename}: {error.strerror or error}",
            consequence="nothing was written",
            remedy="give the right files, or change their permissions",
        ) from error
