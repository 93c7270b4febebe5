"""What every format is read into: one row a (query, document), with the place it came from."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from rankdistill.data.fields import get, sequence, text
from rankdistill.data.values import RowError, identifier, number

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


def same_length(one: list[Any], other: list[Any], what: str) -> None:
    """RowError unless both lists have the same length."""
    if len(one) != len(other):
        raise RowError(f"{what}: {len(one)} and {len(other)} entries")


def id_value(identifier_: str) -> int | str:
    """The id as JSON and pickles of these formats hold it: a number where it reads as one and nothing is lost."""
    return int(identifier_) if _PLAIN.fullmatch(identifier_) else identifier_
