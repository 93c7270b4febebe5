"""The fields of a JSON object, as readers of objects take them."""

from __future__ import annotations

from typing import Any

from rankdistill.data.values import RowError, require_unicode


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


def get(record: Any, name: str) -> Any:
    """The field `name` of a JSON object; RowError where it is missing or the record is no object."""
    if not isinstance(record, dict):
        raise RowError(f"a JSON {type(record).__name__}, not an object")
    if record.get(name) is None:
        raise RowError(f"missing {name!r}")
    return record[name]
