"""Filters in plain Python, a document at a time; and random documents and filters to compare with."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

SCHEMA = {
    "year": "integer",
    "price": "number",
    "source": "string",
    "tags": "strings",
    "open": "boolean",
    "when": "date",
}

SOURCES, TAGS = ["wiki", "news", "Ü b", "", "2001"], ["a", "b", "c", "d"]
DAYS = ["2024-01-01", "2024-01-02", "2023-12-31"]
MOMENTS = ["2024-01-01T12:00:00Z", "2024-01-01T23:30:00-01:00", "2024-01-02 00:00", "2023-12-31T23:59:59.999999Z"]


def documents(count: int, seed: int) -> list[dict[str, Any]]:
    """Metadata of documents; of each field some have none."""
    draw = random.Random(seed)
    makers: Mapping[str, Any] = {
        "year": lambda: draw.choice([1999, 2000, 2001, 2001.0, 2**60 + 1, -3]),
        "price": lambda: draw.choice([0, 0.5, 1, 2.25, -1.5]),
        "source": lambda: draw.choice(SOURCES),
        "tags": lambda: draw.choice([draw.choices(TAGS, k=draw.randint(0, 3)), draw.choice(TAGS)]),
        "open": lambda: draw.random() < 0.5,
        "when": lambda: draw.choice(DAYS + MOMENTS),
    }
    drawn = [{name: make() for name, make in makers.items() if draw.random() < 0.8} for _ in range(count)]
    for row in drawn[::7]:
        row.update(dict.fromkeys(draw.sample(list(makers), 2)))
    return drawn


def random_filter(draw: random.Random, depth: int = 2) -> dict[str, Any]:
    """A filter; some of its lists hold filters, some stand without brackets, some are empty."""
    found: dict[str, Any] = {}
    for name in ("must", "should", "must_not"):
        if draw.random() < 0.5:
            parts = [
                random_filter(draw, depth - 1) if depth and draw.random() < 0.25 else condition(draw)
                for _ in range(draw.choice([0, 1, 1, 2, 3]))
            ]
            found[name] = parts[0] if len(parts) == 1 and draw.random() < 0.3 else parts
    return found


def condition(draw: random.Random) -> dict[str, Any]:
    """A condition on a random field, with one or two operators."""
    name, kind = draw.choice(list(SCHEMA.items()))
    values: Mapping[str, Any] = {
        "integer": lambda: draw.choice([1999, 2000, 2001, 2001.0, 5, 2**60 + 1]),
        "number": lambda: draw.choice([0, 0.5, 1.0, 2.25, 7]),
        "string": lambda: draw.choice([*SOURCES, "other"]),
        "strings": lambda: draw.choice([*TAGS, "z"]),
        "boolean": lambda: draw.random() < 0.5,
        "date": lambda: draw.choice([*DAYS, *MOMENTS, "2020-02-29"]),
    }
    one = values[kind]
    simple: dict[str, Any] = {
        "equals": one(),
        "in": [one() for _ in range(draw.randint(0, 3))],
        "exists": draw.random() < 0.5,
    }
    if kind == "strings":
        simple["all"] = [one() for _ in range(draw.randint(0, 2))]
    if kind in ("integer", "number", "date"):
        bounds = [one, lambda: 10**30, lambda: 2000.5, lambda: -(10**30)] if kind == "integer" else [one]
        simple |= {name: draw.choice(bounds)() for name in ("gt", "gte", "lt", "lte")}
    chosen = draw.sample(list(simple), draw.choice([1, 1, 2]))
    return {"field": name} | {operator: simple[operator] for operator in chosen}


def allowed(filter: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    """Whether a document with this metadata may be found."""
    if "field" in filter:
        return _holds(filter, row)
    lists = {name: _listed(filter.get(name, [])) for name in ("must", "should", "must_not")}
    return (
        all(allowed(one, row) for one in lists["must"])
        and (not lists["should"] or any(allowed(one, row) for one in lists["should"]))
        and not any(allowed(one, row) for one in lists["must_not"])
    )


def _listed(given: Any) -> Sequence[Any]:
    return [given] if isinstance(given, dict) else given


def _holds(condition: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    kind, value = SCHEMA[condition["field"]], row.get(condition["field"])
    if kind == "strings" and isinstance(value, str):
        value = [value]
    missing = value is None or value == []
    return all(
        missing is not wanted if operator == "exists" else not missing and _test(kind, operator, value, wanted)
        for operator, wanted in condition.items()
        if operator != "field"
    )


def _test(kind: str, operator: str, value: Any, wanted: Any) -> bool:
    if kind == "strings":
        wanted_ones = {wanted} if operator == "equals" else set(wanted)
        return wanted_ones <= set(value) if operator in ("equals", "all") else bool(wanted_ones & set(value))
    if operator == "in":
        return any(_test(kind, "equals", value, one) for one in wanted)
    if kind == "date":
        moment, (first, last) = _moment(value), (_moment(wanted), _last(wanted))
        return {
            "equals": first <= moment <= last,
            "gt": moment > last,
            "gte": moment >= first,
            "lt": moment < first,
            "lte": moment <= last,
        }[operator]
    return bool(
        {
            "equals": lambda: value == wanted,
            "gt": lambda: value > wanted,
            "gte": lambda: value >= wanted,
            "lt": lambda: value < wanted,
            "lte": lambda: value <= wanted,
        }[operator]()
    )


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _last(text: str) -> datetime:
    return _moment(text) + (timedelta(days=1) - timedelta(microseconds=1) if len(text) == 10 else timedelta(0))
