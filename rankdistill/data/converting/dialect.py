"""Which dialect a CSV file is in: the separator and the quotes with which its first rows are as long as its header."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

SEPARATORS = (",", "\t", ";", "|")

STYLES: dict[str, dict[str, Any]] = {
    "doubled": {"strict": True},
    "escaped": {"strict": True, "doublequote": False, "escapechar": "\\"},
    "none": {"quoting": csv.QUOTE_NONE},
}
"""How quotes are meant: a quote inside is doubled, or has a backslash before it; or quotes are nothing special."""

USUAL = "doubled"

ALONE = "\x1f"
"""The separator of a table of one column: what no text holds."""

_ROWS = 200


@dataclass(frozen=True)
class Dialect:
    """How rows are written.

    Args:
        separator: between columns.
        style: of quotes, one of `STYLES`.
        spaced: whether a space stands after each separator.
        skip: lines before the header.
    """

    separator: str
    style: str = USUAL
    spaced: bool = False
    skip: int = 0

    @property
    def settings(self) -> dict[str, Any]:
        """What `csv.reader` takes."""
        return {"delimiter": self.separator, "skipinitialspace": self.spaced, **STYLES[self.style]}


def find(lines: Sequence[str], whole: bool, separator: str | None = None) -> Dialect:
    """The dialect of a file that begins with `lines`.

    Args:
        lines: with their ends.
        whole: whether these are all; else the last row may be cut.
        separator: the only one to consider.
    """
    skip = 0
    if lines and lines[0].strip().lower().startswith("sep=") and len(lines[0].strip()) == 5:
        separator, skip = separator or lines[0].strip()[4], 1  # how a spreadsheet names it
    best, best_fit = Dialect(ALONE if separator is None else separator, skip=skip), (0.0, 0)
    escaped = any('\\"' in line for line in lines)
    for style in (one for one in STYLES if one != "escaped" or escaped):
        for one in SEPARATORS if separator is None else (separator,):
            tried = Dialect(one, style, skip=skip)
            rows, broken = _parsed(lines[skip:], tried, whole)
            if not rows or len(rows[0]) < 2:
                continue
            same = sum(len(row) == len(rows[0]) for row in rows) / (len(rows) + broken)
            if style != USUAL and (same < 1 or (style == "none" and _has_quoted(rows))):
                continue  # rows that are broken are no reason to read the others in another way
            fit = (round(same, 2), len(rows[0]))
            if fit > best_fit:
                spaced = all(cell.startswith(" ") for cell in rows[0][1:])
                best, best_fit = Dialect(one, style, spaced, skip), fit
    return best


def _parsed(lines: Sequence[str], dialect: Dialect, whole: bool) -> tuple[list[list[str]], int]:
    """The first rows, and how many are broken."""
    reader, broken = csv.reader(lines, **dialect.settings), 0
    rows: list[list[str]] = []
    for _ in range(_ROWS):
        try:
            row = next(reader)
        except StopIteration:
            return rows if whole else rows[:-1] or rows, broken
        except csv.Error:
            broken += whole or reader.line_num < len(lines)  # at the end the row may just be cut
            continue
        if row:
            rows.append(row)
    return rows, broken


def _has_quoted(rows: Sequence[Sequence[str]]) -> bool:
    """Whether a column stands in quotes, so that they are something special."""
    return any(len(cell) > 1 and cell[0] == cell[-1] == '"' for row in rows for cell in row)
