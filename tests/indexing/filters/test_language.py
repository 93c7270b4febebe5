"""Filters say of every document what plain Python says, and refuse what would silently mean something else."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from rankdistill.errors import ConfigError
from rankdistill.indexing.filters import Fields, Filter, parse
from rankdistill.indexing.filters.fields import table_of
from rankdistill.indexing.filters.types import TYPES
from tests.indexing.filters import oracle


def fields_of(rows: list[dict[str, Any]], schema: dict[str, str]) -> Fields:
    """The fields of documents with this metadata."""
    read = [{name: TYPES[schema[name]].read(value) for name, value in row.items() if value is not None} for row in rows]
    return Fields(schema, table_of(schema, read))


def test_a_filter_lets_through_what_plain_python_does() -> None:
    rows, draw = oracle.documents(200, 0), random.Random(1)
    fields, let_through = fields_of(rows, oracle.SCHEMA), []
    for _ in range(500):
        given = oracle.random_filter(draw)
        found = parse(json.loads(json.dumps(given)), oracle.SCHEMA).allowed(fields).tolist()
        assert found == [oracle.allowed(given, row) for row in rows], given
        let_through.append(sum(found))
    assert len({0, 200} & set(let_through)) == 2
    assert len(set(let_through)) > 100, "filters that let one or all through alone prove nothing"


def test_values_come_back_as_they_were_and_missing_ones_do_not() -> None:
    rows: list[dict[str, Any]] = [
        {"year": 2001.0, "when": "2024-05-01", "tags": "a", "open": True, "price": 1},
        {"year": None, "when": "2024-05-01T14:00:00+02:00", "tags": []},
    ]
    assert fields_of(rows, oracle.SCHEMA).at([1, 0]) == [
        {"when": "2024-05-01T12:00:00Z"},
        {"year": 2001, "when": "2024-05-01", "tags": ["a"], "open": True, "price": 1.0},
    ]


def test_equal_filters_are_one_whatever_the_order_of_keys() -> None:
    one = parse({"must": [{"field": "year", "gte": 1, "lt": 5}, {"field": "source", "in": ["b", "a"]}]}, oracle.SCHEMA)
    other = parse(
        {"must": [{"lt": 5.0, "field": "year", "gte": 0.5}, {"in": ["a", "b"], "field": "source"}]}, oracle.SCHEMA
    )
    assert one == other
    assert hash(one) == hash(other)
    assert one != parse({"must": [{"field": "year", "gt": 1, "lt": 5}]}, oracle.SCHEMA)


def test_two_filters_hold_together() -> None:
    rows = oracle.documents(100, 3)
    fields = fields_of(rows, oracle.SCHEMA)
    one = parse({"field": "open", "equals": True}, oracle.SCHEMA)
    other = parse({"should": [{"field": "source", "equals": "wiki"}, {"field": "tags", "equals": "a"}]}, oracle.SCHEMA)
    assert ((one & other).allowed(fields) == (one.allowed(fields) & other.allowed(fields))).all()
    assert parse({}, oracle.SCHEMA) == Filter()
    assert Filter().allowed(fields).all()


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"must": [{"field": "yaer", "equals": 1}]}, r"year \(integer\).*'yaer'"),
        ({"field": ["year"], "equals": 1}, "year"),
        ({"field": "year", "equals": True}, "whole number"),
        ({"field": "year", "in": [1, False]}, "whole number"),
        ({"field": "year", "equals": "2001"}, "whole number"),
        ({"field": "year", "equals": 2001.5}, "whole number"),
        ({"field": "year", "equals": 2**63}, "64 bits"),
        ({"field": "price", "gt": float("nan")}, "finite"),
        ({"field": "price", "gt": float("inf")}, "finite"),
        ({"field": "price", "equals": True}, "number"),
        ({"field": "price", "equals": 10**400}, "number"),
        ({"field": "open", "equals": 1}, "true or false"),
        ({"field": "open", "gt": False}, "equals, in, exists"),
        ({"field": "source", "equals": 2001}, "text"),
        ({"field": "source", "equals": None}, "text"),
        ({"field": "source", "gte": "a"}, "'gte'"),
        ({"field": "source", "in": "wiki"}, "list"),
        ({"field": "source", "all": ["wiki"]}, "'all'"),
        ({"field": "tags", "equals": ["a"]}, "text"),
        ({"field": "when", "gte": "yesterday"}, "2024-05-01"),
        ({"field": "when", "gte": "2024-02-30"}, "date"),
        ({"field": "when", "gte": 2024}, "date"),
        ({"field": "when", "gte": "0001-01-01T00:00:00+23:00"}, "date"),
        ({"field": "year", "exists": 1}, "true or false"),
        ({"field": "year"}, "none"),
        ({"field": "year", "equal": 2001}, "'equal'"),
        ({"year": {"equals": 2001}}, "'year'"),
        ({"must": "year"}, "list"),
        ({"must": ["year"]}, r"must\[0\]"),
        ({"must": [{"must_no": []}]}, "'must_no'"),
        ([], "object"),
    ],
)
def test_what_would_mean_something_else_is_refused(given: Any, named: str) -> None:
    with pytest.raises(ConfigError, match=f"(?s){named}"):
        parse(given, oracle.SCHEMA)


def test_an_index_without_fields_says_how_to_get_them() -> None:
    with pytest.raises(ConfigError, match="--field"):
        parse({"field": "year", "equals": 1}, {})


def test_filters_within_filters_end_somewhere() -> None:
    given: dict[str, Any] = {}
    for _ in range(2000):
        given = {"must": [given]}
    with pytest.raises(ConfigError, match="16"):
        parse(given, oracle.SCHEMA)
