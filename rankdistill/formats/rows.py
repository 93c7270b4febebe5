"""What every format is read into: one row a (query, document), with the place it came from."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from rankdistill.data.values import RowError, identifier, number, require_unicode

__all__ = [
    "Row",
    "RowError",
    "get",
    "id_value",
    "identifier",
    "number",
    "same_length",
    "sequence",
    "text",
]

_PLAIN = re.compile("0|[1-9][0-9]{0,17}")
"""Whole numbers that every reader of JSON and pickles holds exactly."""


class Row(NamedTuple):
    """A (query, document) that a file names, with a score, a margin or neither.

    `value` is the raw score; where `positive_id` is set it is the margin score(positive) - score(document) instead.
    `label` is 1 or more where the file says that the document is relevant, None where it says nothing. `source` is what
    proposed the document where the file names it. `line` counts lines (Parquet: rows) from 1.
    """

    line: int
    query_id: str
    doc_id: str
    value: float | None
    label: int | None = None
    positive_id: str | None = None
    source: str | None = None


def text(value: Any, what: str) -> str:
    """A text that is not empty, stripped; RowError for anything else."""
    if not isinstance(value, str):
        raise RowError(f"{what} is {value!r}, not a text")
    found = value.strip()
    if not found:
        raise RowError(f"{what} is empty")
    require_unicode(found, what)
    return found


def sequence(value: Any, what: str) -> list[Any]:
    """A list; RowError for anything else."""
    if not isinstance(value, list):
        raise RowError(f"{what} is {value!r:.80}, not a list")
    return value


def same_length(one: list[Any], other: list[Any], what: str) -> None:
    """RowError unless both lists have the same length."""
    if len(one) != len(other):
        raise RowError(f"{what}: {len(one)} and {len(other)} entries")


def get(record: Any, name: str) -> Any:
    """The field `name` of a JSON object; RowError where it is missing or the record is no object."""
    if not isinstance(record, dict):
        raise RowError(f"a JSON {type(record).__name__}, not an object")
    if record.get(name) is None:
        raise RowError(f"missing {name!r}")
    return record[name]


def id_value(identifier_: str) -> int | str:
    """The id as JSON and pickles of these formats hold it: a number where it reads as one and nothing is lost."""
    return int(identifier_) if _PLAIN.fullmatch(identifier_) else identifier_
