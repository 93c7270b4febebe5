"""A file or folder that is being read, and the rows of it that cannot be used."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rankdistill.data.bad_rows import BadRows, Mode
from rankdistill.formats.identity import TextIds
from rankdistill.formats.rows import Row, RowError

MOST_KEPT = 1000
"""Bad rows that are remembered one by one; more are counted, and end a strict reading at once."""


class Rejects:
    """Counts the bad rows of an import and keeps the first of them.

    Args:
        mode: `strict` raises DataError about them in `finish`; `lenient` leaves the rows out.
        expected: what should have come, for the message.
    """

    def __init__(self, mode: Mode, expected: str) -> None:
        self.bad, self.expected, self.count = BadRows(mode), expected, 0

    @property
    def reports(self) -> list[str]:
        """`file:line: problem` of the first bad rows."""
        return self.bad.reports

    def add(self, path: Path, line: int, problem: str) -> None:
        """Record a bad row; raises DataError if strict and there are too many to be worth reading on."""
        self.count += 1
        if self.count <= MOST_KEPT:
            self.bad.add(path, line, problem)
        elif self.bad.mode == "strict":
            self.finish()

    def finish(self) -> None:
        """Raise DataError about the bad rows, if strict and there is any."""
        self.bad.finish(self.expected)


@dataclass(frozen=True)
class Source:
    """What a format reads from.

    Args:
        path: what the user gave; a format's `read` gets one file of it.
        ids: gives ids to texts.
        rejects: takes the rows that cannot be used.
        allow_pickle: pickles may be read.
    """

    path: Path
    ids: TextIds
    rejects: Rejects
    allow_pickle: bool = False

    def reject(self, line: int, problem: str) -> None:
        """Leave a row of this source out."""
        self.rejects.add(self.path, line, problem)

    def parse(self, records: Iterable[tuple[int, Any]], parse: Callable[[int, Any], Iterable[Row]]) -> Iterator[Row]:
        """The rows that `parse` (line, record) gives for each record; a record that raises RowError gives none."""
        for line, record in records:
            try:
                rows = list(parse(line, record))
            except RowError as error:
                self.reject(line, str(error))
                continue
            yield from rows
