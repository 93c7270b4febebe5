"""JSON lines, plain or `.gz`: an object a line, its keys the columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path

from rankdistill.data import lines
from rankdistill.data.bad_rows import BadRows
from rankdistill.data.converting.table import Column, Row, hash_of
from rankdistill.data.json_lines import parse_object
from rankdistill.data.values import RowError
from rankdistill.errors import DataError

LOOKED_AT = 200
"""Lines from which the columns are known."""


@dataclass(frozen=True)
class JsonTable:
    """Files of JSON lines; in UTF-8, as JSON is.

    Args:
        paths: the files.
    """

    paths: Sequence[Path]

    @property
    def encodings(self) -> list[str]:
        """See `Table`."""
        return []

    @cached_property
    def digest(self) -> str:
        """See `Table`."""
        return hash_of(self.paths)

    @cached_property
    def columns(self) -> list[Column]:
        """The keys of the first lines, in the order in which they come.

        Raises:
            DataError: none of them is an object.
        """
        for path in self.paths:
            _require_no_list(path)
        found: dict[str, bool] = {}
        bad = BadRows("lenient")
        for row in islice(self.rows((), bad), LOOKED_AT):
            for name, value in row.values.items():
                found[name] = found.get(name, False) or value is None or isinstance(value, str)
        if not found:
            first = bad.reports[0] if bad.reports else f"{self.paths[0]}: no line"
            raise _no_lines(self.paths[0], first, "give the right file")
        return [Column(name, "" if texts else "no texts", texts) for name, texts in found.items()]

    def rows(self, wanted: Sequence[str], bad: BadRows) -> Iterator[Row]:
        """See `Table`; a line that is no object is none."""
        for path in self.paths:
            for number, line in lines.numbered(path):
                if not line.strip():
                    continue
                try:
                    yield Row(path, number, parse_object(line))
                except RowError as error:
                    bad.add(path, number, str(error))


def _require_no_list(path: Path) -> None:
    """Raise DataError where a file is one list, on one line or on many: most of its lines would be no objects."""
    first = next(((number, line) for number, line in lines.numbered(path) if line.strip()), None)
    if first is not None and first[1].lstrip().startswith(b"["):
        got = f"{path}:{first[0]}: the beginning of a JSON list"
        raise _no_lines(path, got, "`jq -c '.[]' FILE > FILE.jsonl` writes one object a line")


def _no_lines(path: Path, got: str, remedy: str) -> DataError:
    return DataError(
        expected=f"JSON lines, an object a line, in {path}",
        got=got,
        consequence="nothing was written",
        remedy=remedy,
    )
