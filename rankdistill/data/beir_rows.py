"""The rows of a BEIR folder's files: JSON lines of documents and queries, tab-separated qrels."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Set
from pathlib import Path
from typing import TypeVar

from rankdistill.data import lines
from rankdistill.data.bad_rows import BadRows
from rankdistill.records import Document, Qrel, Query

QRELS_HEADER = ("query-id", "corpus-id", "score")

_TREC_HINT = "`rankdistill data trec-qrels` converts a headerless TREC file"

_INTEGER = re.compile(rb"-?[0-9]+")

Row = TypeVar("Row", Document, Query)


class RowError(ValueError):
    """Why one row cannot be used."""


def parse_document(line: bytes) -> Document:
    """A document from its JSON line; RowError if it is broken, lacks an id, or has neither title nor text."""
    fields = _json_object(line)
    document = Document(_string(fields, "_id"), _string(fields, "title", default=""), _string(fields, "text"))
    if not document.contents:
        raise RowError(f"empty text (and no title) in document {document.doc_id!r}")
    _require_unicode(document.contents)
    return document


def parse_query(line: bytes) -> Query:
    """A query from its JSON line; RowError if it is broken, lacks an id, or has no text."""
    fields = _json_object(line)
    query = Query(_string(fields, "_id"), _string(fields, "text").strip())
    if not query.text:
        raise RowError(f"empty text in query {query.query_id!r}")
    _require_unicode(query.text)
    return query


def parse_rows(
    path: Path, parse: Callable[[bytes], Row], bad: BadRows, digest: "hashlib._Hash"
) -> Iterator[tuple[int, Row]]:
    """The usable rows of a JSON-lines file as (line, row): the first of each id. Updates `digest` with all bytes."""
    first_line: dict[str, int] = {}
    for number, line in lines.numbered(path):
        digest.update(line)
        if not line.strip():
            continue
        try:
            row = parse(line)
        except RowError as error:
            bad.add(path, number, str(error))
            continue
        first = first_line.setdefault(row[0], number)
        if first != number:
            bad.add(path, number, f"duplicate id {row[0]!r}, first in line {first}")
            continue
        yield number, row


def parse_qrels(path: Path, query_ids: Set[str], bad: BadRows, digest: "hashlib._Hash") -> dict[str, dict[str, int]]:
    """The judgements of one split whose query exists; its documents may not. Updates `digest` with all bytes.

    Args:
        path: a tab-separated file with the header `query-id corpus-id score`.
        query_ids: the queries there are.
        bad: takes the rows that cannot be used; a wrong header makes the whole file one bad row.
        digest: hash of the file's content.
    """
    judged: dict[str, dict[str, int]] = {}
    rows = 0
    for number, line in lines.numbered(path):
        digest.update(line)
        if number == 1:
            header = tuple(line.decode("utf-8-sig", "replace").rstrip("\r\n").split("\t"))
            if header != QRELS_HEADER:
                bad.add(path, 1, f"the header is {header}, not {QRELS_HEADER} with tabs; {_TREC_HINT}")
                return {}
            continue
        if not line.strip():
            continue
        rows += 1
        try:
            row = _parse_qrel(line, query_ids)
            if row.doc_id in judged.get(row.query_id, {}):
                raise RowError(f"query {row.query_id!r} and document {row.doc_id!r} were judged above already")
        except RowError as error:
            bad.add(path, number, str(error))
            continue
        judged.setdefault(row.query_id, {})[row.doc_id] = row.label
    if not rows:
        bad.add(path, 1, "empty qrels: no judgement in the file")
    return judged


def _parse_qrel(line: bytes, query_ids: Set[str]) -> Qrel:
    columns = line.rstrip(b"\r\n").split(b"\t")
    if len(columns) != len(QRELS_HEADER):
        raise RowError(f"{len(columns)} columns, not {len(QRELS_HEADER)} separated by tabs")
    if not _INTEGER.fullmatch(columns[2].strip()):
        raise RowError(f"the score {columns[2].decode(errors='replace')!r} is no integer")
    qrel = Qrel(columns[0].decode(errors="replace"), columns[1].decode(errors="replace"), int(columns[2]))
    if qrel.query_id not in query_ids:
        raise RowError(f"unknown query {qrel.query_id!r}")
    return qrel


def _json_object(line: bytes) -> dict[str, object]:
    try:
        value = json.loads(line.decode("utf-8-sig"))
    except ValueError as error:  # broken JSON and broken UTF-8 alike
        raise RowError(f"broken JSON: {error}") from error
    if not isinstance(value, dict):
        raise RowError(f"a JSON {type(value).__name__}, not an object")
    return value


def _string(fields: dict[str, object], name: str, default: str | None = None) -> str:
    value = fields.get(name, default)
    if value is None:
        raise RowError(f"missing {name!r}")
    if not isinstance(value, str):
        raise RowError(f"{name!r} is {value!r}, not a string")
    if name == "_id" and not value.strip():
        raise RowError("empty '_id'")
    return value


def _require_unicode(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise RowError(f"broken Unicode: {error.reason}") from error
