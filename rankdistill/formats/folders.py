"""Folders that keep ids apart from texts: a table of training rows beside one of queries and one of documents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from rankdistill.errors import DataError
from rankdistill.formats.content import Export
from rankdistill.formats.record_files import read_records, tables_in, write_records
from rankdistill.formats.rows import RowError, get, identifier, text
from rankdistill.formats.source import Source

Columns = tuple[str, str]
"""The names of the id and of the text."""


def register_texts(source: Source, queries: Columns, documents: Columns) -> list[Path]:
    """Remember the texts of a folder, where it has both kinds; returns its other tables. A file stands for itself.

    Raises:
        DataError: the folder holds no other table.
    """
    if not source.path.is_dir():
        return [source.path]
    found = tables_in(source.path)
    if found["queries"] and found["documents"]:
        for kind, columns in (("queries", queries), ("documents", documents)):
            for path in found[kind]:
                _register(source, path, kind, columns)
    if not found["train"]:
        raise DataError(
            expected=f"a table of training rows (Parquet or JSON lines) in {source.path}",
            got=f"{len(found['queries'])} tables of queries, {len(found['documents'])} of documents, no other",
            consequence="nothing was read",
            remedy="give the folder that holds the training rows, or the file itself",
        )
    return found["train"]


def write_texts(out: Path, export: Export, queries: Columns, documents: Columns, documents_name: str) -> None:
    """Write `queries.parquet` and `<documents_name>.parquet` with the texts of the exported ids, sorted by id."""
    query_ids: set[str] = set()
    doc_ids: set[str] = set()
    for group in export.reader:
        query_ids.add(group.query_id)
        doc_ids.update(document.doc_id for document in group.ranked)
    query_texts = ((query_id, export.texts.query(query_id)) for query_id in sorted(query_ids))
    document_texts = ((doc_id, export.texts.document(doc_id).contents) for doc_id in sorted(doc_ids))
    write_records(out / "queries.parquet", _records(query_texts, queries))
    write_records(out / f"{documents_name}.parquet", _records(document_texts, documents))


def _records(rows: Iterable[tuple[str, str]], columns: Columns) -> Iterator[dict[str, Any]]:
    return (dict(zip(columns, row, strict=True)) for row in rows)


def _register(source: Source, path: Path, kind: str, columns: Columns) -> None:
    remember = source.ids.query if kind == "queries" else source.ids.document
    for line, record in read_records(path, source):
        try:
            found = text(get(record, columns[1]), f"the text of {kind}")
            if not source.ids.from_collection:
                remember(found, identifier(get(record, columns[0])))
        except RowError as error:
            source.rejects.add(path, line, str(error))
