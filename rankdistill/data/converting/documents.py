"""The documents of a table: a row each, of the columns that were named or guessed."""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from rankdistill.data import values
from rankdistill.data.bad_rows import BadRows
from rankdistill.data.converting import guessing
from rankdistill.data.converting.guessing import Chosen, Part
from rankdistill.data.converting.table import Row, Table, listed
from rankdistill.data.values import RowError
from rankdistill.errors import ConfigError
from rankdistill.records import Document

PARTS = {
    "id": Part(
        "--id",
        "the documents' id",
        (
            frozenset({"_id", "id", "doc_id", "docid", "document_id", "corpus_id", "passage_id", "pid", "did"}),
            frozenset({"sku", "uuid", "guid", "key", "url", "uri", "asin", "isbn", "doi", "ean", "gtin", "docno"}),
        ),
        ending="_id",
        instead="; --number-rows takes the rows' numbers",
    ),
    "title": Part(
        "--title",
        "the documents' title",
        (frozenset({"title"}), frozenset({"name", "headline", "heading", "subject"})),
        ending="_title",
        texts=True,
        needed=False,
    ),
    "text": Part(
        "--text",
        "the documents' text",
        (
            frozenset({"text", "contents", "content", "body", "document", "passage"}),
            frozenset({"description", "abstract", "article", "review", "answer"}),
        ),
        ending="_text",
        texts=True,
        alone=True,
    ),
}
"""What a row of documents has. The id is looked for first, and a column left alone is the text."""


TYPES: dict[str, Callable[[Any, str], Any]] = {"integer": values.whole, "number": values.number}
"""What a kept column may be read as, where a file holds nothing but texts: `--keep price:number`."""


class Found(NamedTuple):
    """A document, and where it was found."""

    path: Path
    line: int
    document: Document
    metadata: Mapping[str, Any]


@dataclass(frozen=True)
class Rows:
    """A table read as documents.

    Args:
        table: the rows.
        chosen: the columns of `PARTS`; the id is None where rows are numbered.
        keep: further columns, which become metadata -> what they are read as, of `TYPES`; None: what they are.
    """

    table: Table
    chosen: Chosen
    keep: Mapping[str, str | None]

    def documents(self, bad: BadRows) -> Iterator[Found]:
        """The documents in the order of the rows; what is none goes into `bad`."""
        wanted = [name for name in self.chosen.columns.values() if name is not None]
        for number, row in enumerate(self.table.rows([*wanted, *self.keep], bad), start=1):
            try:
                kept = {name: _kept(row.values.get(name), name, kind) for name, kind in self.keep.items()}
                kept = {name: value for name, value in kept.items() if value is not None}
                yield Found(row.path, row.line, self._document(row, number), kept)
            except RowError as error:
                bad.add(row.path, row.line, str(error))

    def _document(self, row: Row, number: int) -> Document:
        column = self.chosen["id"]
        doc_id = str(number) if column is None else values.identifier(row.values.get(column), f"id {column!r}")
        text = self.chosen.needed("text")
        if text not in row.values:
            raise RowError(f"missing {text!r}")
        document = Document(doc_id, _text(row, self.chosen["title"]), _text(row, text))
        if not document.contents:
            raise RowError(f"empty {text!r} (and no title) in document {doc_id!r}")
        return document


def _text(row: Row, column: str | None) -> str:
    """A text, which no column, no value and null leave empty."""
    value = None if column is None else row.values.get(column)
    return "" if value is None else values.string(value, repr(column))


def _kept(value: Any, name: str, kind: str | None = None) -> Any:
    """A value as metadata: as JSON has it, a date in ISO's form; NaN is none, and a blank of another type than text."""
    if kind is not None:
        return None if value is None or value == "" else TYPES[kind](value, repr(name))
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): _kept(one, name) for key, one in value.items()}
    if isinstance(value, list):
        return [_kept(one, name) for one in value]
    if isinstance(value, str):
        values.require_unicode(value, repr(name))
    elif value is not None and not isinstance(value, int | float):
        raise RowError(f"{name!r} is a {type(value).__name__}, which JSON cannot hold")
    return value


def open_rows(
    place: str, table: Table, given: Mapping[str, str | None], keep: Sequence[str], number_rows: bool
) -> Rows:
    """The documents of a table, `place` in messages.

    Raises:
        ConfigError: a column that was named is not there, or cannot be guessed; or an id besides numbered rows.
    """
    if number_rows and given.get("id") is not None:
        raise ConfigError(
            expected="a column of ids, or rows that are numbered",
            got=f"--id {given['id']} and --number-rows",
            consequence="nothing was written",
            remedy="leave one of them out",
        )
    parts = {name: part for name, part in PARTS.items() if not (number_rows and name == "id")}
    chosen = guessing.choose(place, table.columns, parts, given)
    names = [one.name for one in table.columns]
    if list(keep) == ["*"]:
        keep = [name for name in names if name not in chosen.columns.values()]
    kept = dict(_named(one, names) for one in keep)
    for name in kept:
        if name not in names or name in ("_id", "title", "text", "metadata"):
            raise ConfigError(
                expected=f"columns of {place} to keep as metadata, not called _id, title, text or metadata",
                got=f"{name!r}; the columns are {listed(table.columns)}",
                consequence="nothing was written",
                remedy="name other columns, or '*' for all that are left",
            )
    if number_rows:
        chosen = guessing.Chosen({"id": None, **chosen.columns}, chosen.guessed)
    return Rows(table, chosen, kept)


def _named(words: str, names: Sequence[str]) -> tuple[str, str | None]:
    """Column and type of `COLUMN` or `COLUMN:TYPE`."""
    name, _, kind = words.rpartition(":")
    return (name, kind) if words not in names and name and kind in TYPES else (words, None)
