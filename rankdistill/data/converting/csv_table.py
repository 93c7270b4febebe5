"""CSV and TSV files, plain or `.gz`: the first line names the columns; encoding, separator and quotes are found."""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from rankdistill.data.bad_rows import BadRows
from rankdistill.data.converting import decoding, dialect
from rankdistill.data.converting.dialect import Dialect
from rankdistill.data.converting.table import Column, Row, require_columns
from rankdistill.errors import DataError

LARGEST_FIELD = 1 << 26
"""Letters of a field: beyond it, a quote was not closed."""

_SAMPLE = 1 << 18

_SHAPES = 256
"""Of first cells that are kept: ids have a few, and where each row has its own, none tells that a line is a row."""


@dataclass(frozen=True)
class CsvTable:
    """Files with the same columns, each in its own encoding and dialect.

    Args:
        paths: the files.
        encoding: of all; None: found.
        separator: of all; None: found.
    """

    paths: Sequence[Path]
    encoding: str | None = None
    separator: str | None = None

    @cached_property
    def _inspected(self) -> list[decoding.Inspected]:
        return [decoding.inspect(path, self.encoding) for path in self.paths]

    @property
    def encodings(self) -> list[str]:
        """See `Table`."""
        return [one.encoding for one in self._inspected]

    @property
    def digest(self) -> str:
        """See `Table`."""
        return hashlib.sha256("\n".join(one.digest for one in self._inspected).encode()).hexdigest()

    @cached_property
    def _dialects(self) -> list[tuple[Dialect, list[str]]]:
        """The dialect and the header of each file."""
        return [self._opening(path, encoding) for path, encoding in zip(self.paths, self.encodings, strict=True)]

    @property
    def dialects(self) -> list[Dialect]:
        """The dialect of each file."""
        return [found for found, _ in self._dialects]

    @property
    def columns(self) -> list[Column]:
        """See `Table`."""
        return [Column(name) for name in self._dialects[0][1]]

    def _opening(self, path: Path, encoding: str) -> tuple[Dialect, list[str]]:
        with decoding.text_lines(path, encoding) as stream:
            lines = stream.readlines(_SAMPLE)
            whole = not stream.readline()
        found = dialect.find(lines, whole, self.separator)
        with _large_fields():
            try:
                rows = csv.reader(lines[found.skip :], **found.settings)
                header = next((row for row in rows if any(cell.strip() for cell in row)), None)
            except csv.Error as error:
                raise DataError(
                    expected=f"a line of column names at the beginning of {path}",
                    got=str(error),
                    consequence="nothing was written",
                    remedy="repair it; --delimiter names the separator where it is not found",
                ) from error
        if header is None:
            raise DataError(
                expected=f"a CSV file with a line of column names: {path}",
                got="an empty file",
                consequence="nothing was written",
                remedy="give the right file",
            )
        return found, [cell.strip() for cell in header]

    def rows(self, wanted: Sequence[str], bad: BadRows) -> Iterator[Row]:
        """See `Table`; a row with more or fewer columns than the header is none.

        Raises:
            DataError: a file lacks a column that the first has.
        """
        for path, encoding, (found, header) in zip(self.paths, self.encodings, self._dialects, strict=True):
            require_columns(path, [Column(name) for name in header], wanted)
            yield from _rows(path, encoding, found, header, bad)


def _rows(path: Path, encoding: str, found: Dialect, header: list[str], bad: BadRows) -> Iterator[Row]:
    with decoding.text_lines(path, encoding) as stream, _large_fields():
        for _ in range(found.skip):
            next(stream)
        consumed = _Consumed(stream)
        reader, seen_header = csv.reader(consumed, **found.settings), False
        starts: set[str] = set()
        while True:
            line = reader.line_num + found.skip + 1
            consumed.lines.clear()
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                last = reader.line_num + found.skip
                to = f" (read up to line {last}; is a quote never closed?)" if last > line else ""
                bad.add(path, line, f"{error}{to}")
                continue
            if not any(cell.strip() for cell in cells):
                continue
            if not seen_header:
                seen_header = True
            elif len(cells) != len(header):
                bad.add(path, line, f"{_counted(cells)}, not the {len(header)} that the first line names")
            elif len(consumed.lines) > 1 and _are_rows(consumed.lines, found, len(header), starts):
                last = reader.line_num + found.skip
                bad.add(path, line, f"{last - line + 1} rows in one, up to line {last}: is a quote never closed?")
            else:
                if len(starts) < _SHAPES and " " not in cells[0]:
                    starts.add(_shape(cells[0]))
                yield Row(path, line, dict(zip(header, cells, strict=True)))


class _Consumed:
    """The lines of a stream, of which those that were read last are kept.

    Args:
        stream: of lines.
    """

    def __init__(self, stream: Iterator[str]) -> None:
        self.lines: list[str] = []
        self._stream = stream

    def __iter__(self) -> _Consumed:
        return self

    def __next__(self) -> str:
        line = next(self._stream)
        self.lines.append(line)
        return line


def _are_rows(lines: Sequence[str], found: Dialect, columns: int, starts: set[str]) -> bool:
    """Whether the lines of one row are rows themselves, that a quote has swallowed.

    Each has as many columns then, and begins as rows above do. A text of several lines has not: what it begins its
    lines with are words.
    """
    for number, line in enumerate(lines):
        cells = line.rstrip("\r\n").split(found.separator)
        if len(cells) != columns or (number and (" " in cells[0].strip() or _shape(cells[0]) not in starts)):
            return False
    return True


def _shape(cell: str) -> str:
    """What a cell has in common with its like: a number 9, letters a, other signs as they are."""
    return re.sub(r"[^\W\d_]+", "a", re.sub(r"\d+", "9", cell.strip().strip('"')[:64]))


def _counted(cells: list[str]) -> str:
    return "1 column" if len(cells) == 1 else f"{len(cells)} columns"


@contextmanager
def _large_fields() -> Iterator[None]:
    """Lets fields be as long as documents are."""
    before = csv.field_size_limit(LARGEST_FIELD)
    try:
        yield
    finally:
        csv.field_size_limit(before)
