"""Filters: what a document's fields must be. docs/indexes.md has the language.

A filter is `{"must": [...], "should": [...], "must_not": [...]}`: all of the first hold, at least one of the second,
none of the third. What stands in the lists is a condition, `{"field": "year", "gte": 2000, "lt": 2010}`, or a filter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from rankdistill.data.values import RowError
from rankdistill.errors import ConfigError
from rankdistill.indexing.filters.types import TYPES

if TYPE_CHECKING:
    from rankdistill.indexing.filters.columns import Held
    from rankdistill.indexing.filters.fields import Fields

GROUPS = ("must", "should", "must_not")
DEEPEST = 16
"""Filters within filters."""

EXISTS = "exists"
MANY = ("in", "all")
"""Operators whose value is a list."""


@dataclass(frozen=True)
class Condition:
    """What one field must be: each of `tests`, operator and value, holds. One without a value holds none."""

    field: str
    tests: tuple[tuple[str, Any], ...]

    def allowed(self, fields: Fields) -> Held:
        """Bool `[documents]`."""
        column = fields.column(self.field)
        found: Held = np.ones(len(fields), np.bool_)
        for operator, value in self.tests:
            if operator == EXISTS:
                found &= column.present if value else ~column.present
            else:
                found &= column.holds(operator, value)
        return found


@dataclass(frozen=True)
class Filter:
    """All of `must` hold, at least one of `should` where there are any, and none of `must_not`.

    Equal filters are equal and have one hash, in whatever order JSON had their keys.
    """

    must: tuple[Condition | Filter, ...] = ()
    should: tuple[Condition | Filter, ...] = ()
    must_not: tuple[Condition | Filter, ...] = ()

    def allowed(self, fields: Fields) -> Held:
        """Which documents a search may find, bool `[documents]`."""
        found: Held = np.ones(len(fields), np.bool_)
        for one in self.must:
            found &= one.allowed(fields)
        if self.should:
            found &= np.logical_or.reduce([one.allowed(fields) for one in self.should])
        for one in self.must_not:
            found &= ~one.allowed(fields)
        return found

    def __and__(self, other: Filter) -> Filter:
        return Filter(must=(self, other))


@dataclass(frozen=True)
class _Reader:
    schema: Mapping[str, str]
    depth: int = 0
    place: str = "the filter"
    read: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)

    def group(self, given: Mapping[str, Any]) -> Filter:
        """A filter, or a condition as one."""
        if "field" in given:
            return Filter(must=(self.condition(given),))
        if unknown := sorted(map(str, given.keys() - set(GROUPS))):
            raise _refused(
                f"a filter with {', '.join(GROUPS)}, or a condition with `field`",
                f"{unknown[0]!r} in {self.place}",
                'write {"must": [{"field": NAME, "equals": VALUE}]}',
            )
        return Filter(**{name: self.parts(name, given[name]) for name in GROUPS if given.get(name) is not None})

    def parts(self, name: str, given: Any) -> tuple[Condition | Filter, ...]:
        """The conditions and filters of one list; one alone may stand without it."""
        if self.depth >= DEEPEST:
            raise _refused(f"at most {DEEPEST} filters within each other", "more", "write it with fewer")
        listed = [given] if isinstance(given, Mapping) else given
        if not isinstance(listed, Sequence) or isinstance(listed, str | bytes):
            raise _refused(f"a list of conditions in {name!r}", f"{given!r:.80}", "write [...]")
        found: list[Condition | Filter] = []
        for number, one in enumerate(listed):
            inner = _Reader(self.schema, self.depth + 1, f"{name}[{number}]")
            if not isinstance(one, Mapping):
                raise _refused(
                    f"a condition in {inner.place}", f"{one!r:.80}", 'write {"field": NAME, "equals": VALUE}'
                )
            found.append(inner.condition(one) if "field" in one else inner.group(one))
        return tuple(found)

    def condition(self, given: Mapping[str, Any]) -> Condition:
        """A condition on a field that there is, with operators and values of its type."""
        name = given["field"]
        if not isinstance(name, str) or name not in self.schema:
            raise _unknown(name, self.schema)
        kind = TYPES[self.schema[name]]
        operators = {one: value for one, value in given.items() if one != "field"}
        known = (*kind.operators, EXISTS)
        if not operators or not operators.keys() <= set(known):
            wrong = next((repr(one) for one in operators if one not in known), "none")
            raise _refused(
                f"a condition on {name!r}, which is {kind.article}: {', '.join(known)}",
                f"{wrong} in {self.place}",
                f'write {{"field": "{name}", "{known[0]}": VALUE}}',
            )
        tests = tuple((one, self.value(name, one, operators[one])) for one in sorted(operators))
        return Condition(name, tests)

    def value(self, name: str, operator: str, given: Any) -> Any:
        """What the field is compared with."""
        kind = TYPES[self.schema[name]]
        try:
            if operator == EXISTS:
                return TYPES["boolean"].read(given)
            if operator not in MANY:
                return kind.asked(operator, given)
            if not isinstance(given, Sequence) or isinstance(given, str | bytes):
                raise RowError("a list is wanted")
            return tuple(sorted({kind.asked(operator, one) for one in given}))
        except RowError as error:
            raise _refused(
                f"{operator!r} of the field {name!r}, which is {kind.article}: {error}",
                f"{given!r:.80}",
                "give a value of that type, or build the index with another type for the field",
            ) from error


def parse(filter: Mapping[str, Any], schema: Mapping[str, str]) -> Filter:
    """The filter that JSON says.

    Args:
        filter: `{must, should, must_not}`, each a list of conditions and filters, or one of them; all may be absent.
            A condition alone is a filter too.
        schema: field -> type, as the index keeps them.

    Raises:
        ConfigError: an unknown field (the known ones are named), an operator that its type lacks, a value of another
            type (true is not 1, and 1 no text), or another form.
    """
    if not isinstance(filter, Mapping):
        raise _refused("a filter as an object", f"{filter!r:.80}", 'write {"must": [...]}')
    return _Reader(schema).group(filter)


def _unknown(name: Any, schema: Mapping[str, str]) -> ConfigError:
    known = ", ".join(f"{one} ({kind})" for one, kind in schema.items())
    if known:
        return _refused(f"a field of the index: {known}", f"{name!r:.80}", "name one of those, or index it (--field)")
    return _refused(
        "an index that keeps fields",
        f"a filter on {name!r:.80}, and the index keeps none",
        "build the index with --field NAME, or leave the filter out",
    )


def _refused(expected: str, got: str, remedy: str) -> ConfigError:
    return ConfigError(expected=expected, got=got, consequence="nothing was searched", remedy=remedy)
