"""JSON as every reader takes it: UTF-8 with or without a byte order mark, each key of an object once."""

from __future__ import annotations

import json
from typing import Any

from rankdistill.data.values import RowError


def parse(data: bytes) -> Any:
    """The JSON value in `data`; NaN and Infinity are numbers, which `values.number` refuses where one counts.

    Raises:
        RowError: broken JSON or UTF-8, a key that an object has twice, too deep a nesting, or too long a number.
    """
    try:
        return json.loads(data.decode("utf-8-sig"), object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:  # broken JSON, broken UTF-8 and doubled keys alike
        raise RowError(f"broken JSON: {error}") from error


def parse_object(data: bytes) -> dict[str, Any]:
    """The JSON object in `data`; RowError as `parse`, and where it is something else."""
    value = parse(data)
    if not isinstance(value, dict):
        raise RowError(f"a JSON {type(value).__name__}, not an object")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(name for name in names if names.count(name) > 1)!r} stands there twice")
    return found
