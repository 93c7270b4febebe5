"""The rows of a BEIR folder's files: JSON lines of documents and queries, tab-separated qrels."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Set
from pathlib import Path
from typing import Any, TypeVar

from rankdistill.data import lines, values
from rankdistill.data.bad_rows import BadRows
from rankdistill.data.columns import refuse_quotes, split
from rankdistill.data.json_lines import parse_object
from rankdistill.data.packed import Numbers
from rankdistill.data.values import RowError, identifier
from rankdistill.records import Document, Qrel, Query

QRELS_HEADER = ("query-id", "corpus-id", "score")

_TREC_HINT = "`rankdistill data trec-qrels` converts a headerless TREC file"

Row = TypeVar("Row", Document, Query)


def parse_document(line: bytes) -> Document:
    """A document from its JSON line; RowError if it is broken, lacks an id, or has neither title nor text."""
    document = as_document(parse_object(line))
    if not document.contents:
        raise RowError(f"empty text (and no title) in document {document.doc_id!r}")
    return document


def parse_query(line: bytes) -> Query:
    """A query from its JSON line; RowError if it is broken, lacks an id, or has no text."""
    query_id, text = as_query(parse_object(line))
    if not text.strip():
        raise RowError(f"empty text in query {query_id!r}")
    return Query(query_id, text.strip())


def as_document(fields: Mapping[str, Any], id_field: str = "_id") -> Document:
    """A document from its fields, its texts as they are; a title or a text of null, and no title, are empty.

    RowError if the id is unfit, a field is missing or no text.
    """
    doc_id, title = identifier(fields.get(id_field), repr(id_field)), fields.get("title")
    return Document(doc_id, "" if title is None else values.string(title, "'title'"), _text(fields))


def as_query(fields: Mapping[str, Any], id_field: str = "_id") -> Query:
    """A query from its fields; as `as_document`."""
    return Query(identifier(fields.get(id_field), repr(id_field)), _text(fields))


def _text(fields: Mapping[str, Any]) -> str:
    if "text" not in fields:
        raise RowError("missing 'text'")
    return "" if fields["text"] is None else values.string(fields["text"], "'text'")


def parse_rows(
    path: Path, parse: Callable[[bytes], Row], bad: BadRows, digest: "hashlib._Hash", known: Numbers | None = None
) -> Iterator[tuple[int, Row]]:
    """The usable rows of a JSON-lines file as (line, row): the first of each id. Updates `digest` with all bytes.

    `known`, empty, gets the line of each id.
    """
    first_line = Numbers() if known is None else known
    for number, line in lines.numbered(path, digest):
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


def parse_qrels(
    path: Path, query_ids: Set[str], doc_ids: Set[str], bad: BadRows, digest: "hashlib._Hash"
) -> dict[str, dict[str, int]]:
    """The judgements of one split whose query exists; its documents may not. Updates `digest` with all bytes.

    Args:
        path: a tab-separated file with the header `query-id corpus-id score`.
        query_ids: the queries there are.
        doc_ids: the documents there are, of which some have ids in quotes.
        bad: takes the rows that cannot be used; a wrong header makes the whole file one bad row.
        digest: hash of the file's content.
    """
    judged: dict[str, dict[str, int]] = {}
    rows = 0
    for number, line in lines.numbered(path, digest):
        if number == 1:
            header = tuple(line.decode("utf-8", "replace").rstrip("\r\n").split("\t"))
            if header != QRELS_HEADER:
                bad.add(path, 1, f"the header is {header}, not {QRELS_HEADER} with tabs; {_TREC_HINT}")
                return {}
            continue
        if not line.strip():
            continue
        rows += 1
        try:
            row = _parse_qrel(line, query_ids, doc_ids)
            if row.doc_id in judged.get(row.query_id, {}):
                raise RowError(f"query {row.query_id!r} and document {row.doc_id!r} were judged above already")
        except RowError as error:
            bad.add(path, number, str(error))
            continue
        judged.setdefault(row.query_id, {})[row.doc_id] = row.label
    if not rows:
        bad.add(path, 1, "empty qrels: no judgement in the file")
    return judged


def _parse_qrel(line: bytes, query_ids: Set[str], doc_ids: Set[str]) -> Qrel:
    columns = split(line, "\t", quotes=True)
    if len(columns) != len(QRELS_HEADER):
        raise RowError(f"{len(columns)} columns, not {len(QRELS_HEADER)} separated by tabs")
    # tools take -1 and -2 for marks of their own and write beside their tables
    label = max(0, values.label(columns[2], "score"))
    qrel = Qrel(identifier(columns[0], "query id"), identifier(columns[1], "document id"), label)
    for identifier_, known in ((qrel.query_id, query_ids), (qrel.doc_id, doc_ids)):
        if identifier_ not in known:
            refuse_quotes(identifier_)
    if qrel.query_id not in query_ids:
        raise RowError(f"unknown query {qrel.query_id!r}")
    return qrel
