"""What a field may hold: how a value is read, kept, asked for and shown. One entry of `TYPES` a type."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from math import ceil, floor, isfinite
from numbers import Integral, Real
from typing import Any, NamedTuple

import pyarrow as pa

from rankdistill.data.values import RowError, require_unicode

LARGEST = 2**63
"""Whole numbers lie between minus this and this, as Arrow keeps them."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_DAY = timedelta(days=1)
_DATE = re.compile(r"\d{4}-\d\d-\d\d([Tt ]\d\d:\d\d(:\d\d([.]\d{1,6})?)?([Zz]|[+-]\d\d:?\d\d)?)?")

RANGE = ("gt", "gte", "lt", "lte")


class Span(NamedTuple):
    """What a date stands for, in microseconds since 1970: from `start` until before `end`."""

    start: int
    end: int


@dataclass(frozen=True)
class FieldType:
    """A type of fields.

    Args:
        name: as users write it.
        article: the same in a sentence: "a whole number".
        arrow: how a column of it is kept.
        read: JSON value -> what is kept; RowError for a value of another type.
        asked: `(operator, JSON value)` -> what a column is compared with, hashable; RowError likewise.
        operators: the conditions that it knows, beside `exists`.
        show: what is kept -> JSON value.
    """

    name: str
    article: str
    arrow: pa.DataType
    read: Callable[[Any], Any]
    asked: Callable[[str, Any], Any]
    operators: tuple[str, ...]
    show: Callable[[Any], Any] = lambda value: value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise RowError("a text is wanted")
    require_unicode(value, "it")
    return value


def _texts(value: Any) -> list[str] | None:
    """Each once, in order; a text alone is a list of one, and an empty list is no value."""
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, list):
        raise RowError("a list of texts is wanted")
    return list(dict.fromkeys(map(_text, given))) or None


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise RowError("true or false is wanted")
    return value


def _whole(value: Any) -> int:
    """2000.0 is one too, as JSON knows no other number; true is none."""
    if (isinstance(value, Integral) and not isinstance(value, bool)) or (
        isinstance(value, float) and value.is_integer()
    ):
        found = int(value)
    else:
        raise RowError("a whole number is wanted")
    if not -LARGEST <= found < LARGEST:
        raise RowError("a whole number of 64 bits is wanted")
    return found


def _number(value: Any) -> float:
    if not isinstance(value, Real) or isinstance(value, bool):
        raise RowError("a number is wanted")
    try:
        found = float(value)
    except OverflowError as error:
        raise RowError("a number of 64 bits is wanted") from error
    if not isfinite(found):
        raise RowError("a finite number is wanted")
    return found


def _asked_whole(operator: str, value: Any) -> int:
    """A bound between two whole numbers is moved to the one that divides them alike."""
    if operator not in RANGE:
        return _whole(value)
    if isinstance(value, Integral) and not isinstance(value, bool):
        return int(value)
    bound = _number(value)
    return floor(bound) if operator in ("gt", "lte") else ceil(bound)


def span(value: Any) -> Span:
    """The whole day of `2024-05-01`, or the microsecond of `2024-05-01T12:30:00Z`; without a zone it is UTC."""
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        raise RowError("a date as 2024-05-01, or 2024-05-01T12:30:00Z, is wanted")
    try:
        found = datetime.fromisoformat(value.upper())
        found = found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise RowError(f"a date is wanted: {error}") from error
    start = (found - _EPOCH) // _MICROSECOND
    return Span(start, start + (_DAY // _MICROSECOND if len(value) == 10 else 1))


def shown_date(microseconds: int) -> str:
    """`2024-05-01` for the beginning of a day (UTC), else `2024-05-01T12:30:00Z`."""
    days, rest = divmod(microseconds, _DAY // _MICROSECOND)
    moment = _EPOCH + days * _DAY + rest * _MICROSECOND
    return moment.date().isoformat() if rest == 0 else moment.isoformat().replace("+00:00", "Z")


def _same(read: Callable[[Any], Any], operator: str, value: Any) -> Any:
    return read(value)


_ONES = ("equals", "in")

TYPES: Mapping[str, FieldType] = {
    one.name: one
    for one in (
        FieldType("string", "a text", pa.string(), _text, partial(_same, _text), _ONES),
        FieldType("strings", "a set of texts", pa.list_(pa.string()), _texts, partial(_same, _text), (*_ONES, "all")),
        FieldType("integer", "a whole number", pa.int64(), _whole, _asked_whole, (*_ONES, *RANGE)),
        FieldType("number", "a number", pa.float64(), _number, partial(_same, _number), (*_ONES, *RANGE)),
        FieldType("boolean", "true or false", pa.bool_(), _truth, partial(_same, _truth), _ONES),
        FieldType(
            "date",
            "a date",
            pa.int64(),
            lambda value: span(value).start,
            lambda operator, value: span(value),
            (*_ONES, *RANGE),
            shown_date,
        ),
    )
}
"""Name -> type. Add one here; how a column of it is compared is in `columns`."""


def kind_of(value: Any) -> str:
    """The narrowest type of a JSON value; RowError for one that no type holds."""
    if isinstance(value, bool):
        return "boolean"
    for name in ("integer", "number", "date", "string", "strings"):
        if name == "integer" and isinstance(value, float):
            continue
        try:
            TYPES[name].read(value)
        except RowError:
            continue
        return name
    raise RowError("a text, a number, true or false, a date or a list of texts is wanted")


WIDER: Mapping[frozenset[str], str] = {
    frozenset(("integer", "number")): "number",
    frozenset(("date", "string")): "string",
    frozenset(("string", "strings")): "strings",
    frozenset(("date", "strings")): "strings",
}
"""The type that holds values of two types; there is none for others."""
