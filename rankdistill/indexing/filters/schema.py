"""Which fields an index keeps, of which types, and their values in a corpus."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rankdistill.data.beir import Dataset
from rankdistill.data.metadata import Metadata, read
from rankdistill.data.values import RowError
from rankdistill.errors import ConfigError, DataError
from rankdistill.indexing.filters.types import TYPES, WIDER, kind_of

RESERVED = ("_id", "text", "metadata")
"""No names of fields: `text` is what a hit shows of its document."""

Wanted = Mapping[str, str | None]
"""Field -> type; None: found from the values."""


def parse_wanted(given: Mapping[str, str | None] | Sequence[str] | None) -> dict[str, str | None]:
    """Fields as users write them: `NAME` or `NAME:TYPE`, or name -> type.

    Raises:
        ConfigError: an unknown type, a name that stands twice, is empty or reserved.
    """
    if given is None:
        return {}
    pairs = list(given.items()) if isinstance(given, Mapping) else [_typed(one) for one in given]
    found: dict[str, str | None] = {}
    for name, kind in pairs:
        if kind is not None and kind not in TYPES:
            raise _refused(f"a type of fields: {', '.join(TYPES)}", f"{kind!r} for {name!r}")
        if not name or name in RESERVED or name in found:
            why = "twice" if name in found else "which is no name of a field"
            raise _refused("each field once, by its name in corpus.jsonl", f"{name!r}, {why}")
        found[name] = kind
    return found


def _typed(given: str) -> tuple[str, str | None]:
    """`NAME` or `NAME:TYPE`; a name with a colon needs its type behind another."""
    name, colon, kind = given.rpartition(":")
    return (name, kind) if colon else (given, None)


def resolve(wanted: Wanted, dataset: Dataset) -> dict[str, str]:
    """Field -> type, each found from the corpus where it is not given; every value is checked.

    Raises:
        DataError: a value of another type, or two that no type holds together, with its line; a field that no document
            has, or whose type no value tells.
    """
    if not wanted:
        return {}
    found: dict[str, tuple[str, str]] = {}  # field -> type so far, and the first place of it
    seen: dict[str, None] = {}
    for row in _rows(dataset):
        seen.update(dict.fromkeys(row.values))
        for name, kind in wanted.items():
            value = row.values.get(name)
            if value is None:
                continue
            if kind is not None:
                _value(kind, name, value, row)
                continue
            found[name] = _wider(found.get(name), name, value, row)
    for name, kind in wanted.items():
        if name not in seen:
            known = ", ".join(seen) or "none"
            raise _bad(f"documents with the field {name!r}", f"none has it; there are: {known}", "name one of those")
        if kind is None and name not in found:
            raise _bad(f"a value of {name!r} that tells its type", "null alone", f"give it: {name}:TYPE")
    return {name: kind or found[name][0] for name, kind in wanted.items()}


def values(schema: Mapping[str, str], dataset: Dataset) -> Iterator[dict[str, Any]]:
    """Field -> what its type keeps, of each document in the corpus's order; without those that it lacks.

    Raises:
        DataError: a value of another type, with its line.
    """
    for row in _rows(dataset):
        given = {name: row.values[name] for name in schema if row.values.get(name) is not None}
        yield {name: _value(schema[name], name, value, row) for name, value in given.items()}


def _rows(dataset: Dataset) -> Iterable[Metadata]:
    try:
        yield from read(dataset)
    except RowError as error:
        raise _bad("metadata of documents that can be read", str(error), "correct the line") from error


def _value(kind: str, name: str, value: Any, row: Metadata) -> Any:
    try:
        return TYPES[kind].read(value)
    except RowError as error:
        raise _bad(
            f"{TYPES[kind].article} in the field {name!r}",
            f"{row.place}: document {row.doc_id!r}: {value!r:.80}: {error}",
            f"correct the value, or name another type: {', '.join(TYPES)}",
        ) from error


def _wider(before: tuple[str, str] | None, name: str, value: Any, row: Metadata) -> tuple[str, str]:
    """The type that holds what came before and `value`."""
    if before is not None and before[0] in ("strings", "string", "number") and _holds(before[0], value):
        return before
    try:
        kind = kind_of(value)
    except RowError as error:
        raise _bad(
            f"values of one type in the field {name!r}",
            f"{row.place}: document {row.doc_id!r}: {value!r:.80}: {error}",
            "correct the value, or leave the field out",
        ) from error
    if before is None or kind == before[0]:
        return before or (kind, row.place)
    both = WIDER.get(frozenset((before[0], kind)))
    if both is None:
        raise _bad(
            f"values of one type in the field {name!r}",
            f"{row.place}: document {row.doc_id!r}: {value!r:.80}, {TYPES[kind].article}, where {before[1]} has "
            f"{TYPES[before[0]].article}",
            "write all of them as one type",
        )
    return both, before[1]


def _holds(kind: str, value: Any) -> bool:
    try:
        TYPES[kind].read(value)
    except RowError:
        return False
    return True


def _refused(expected: str, got: str) -> ConfigError:
    return ConfigError(
        expected=expected,
        got=got,
        consequence="nothing was built",
        remedy="write --field NAME, or --field NAME:TYPE",
    )


def _bad(expected: str, got: str, remedy: str) -> DataError:
    return DataError(expected=expected, got=got, consequence="nothing was built", remedy=remedy)
