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
        found: dict[str, bool] = {}
        bad = BadRows("lenient")
        for row in islice(self.rows((), bad), LOOKED_AT):
            for name, value in row.values.items():
                found[name] = found.get(name, False) or value is None or isinstance(value, str)
        if not found:
            first = bad.reports[0] if bad.reports else f"{self.paths[0]}: no line"
            as_list = " (a list: `jq -c '.[]' FILE` writes one object a line)" if "JSON list" in first else ""
            raise DataError(
                expected=f"JSON lines, an object a line, in {self.paths[0]}",
                got=f"{first}{as_list}",
                consequence="nothing was written",
                remedy="give the right file",
            )
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
