"""Rows of published data sets (the hub, MTEB, ir_datasets) as this package's records, by the rules of all readers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rankdistill.data.beir_rows import as_document, as_query
from rankdistill.data.values import RowError, identifier, label
from rankdistill.errors import DataError
from rankdistill.records import Document, Query


def documents(rows: Iterable[Mapping[str, Any]], where: str, id_field: str = "id") -> Iterator[Document]:
    """The documents in `rows`, which `where` names in messages.

    Raises:
        DataError: a row without a fit id or a text; empty texts are left to `rankdistill.data.load`.
    """
    for number, row in enumerate(rows, start=1):
        try:
            yield as_document(row, id_field)
        except RowError as error:
            raise _unfit(f"{where}, row {number}: {error}", row) from error


def queries(rows: Iterable[Mapping[str, Any]], where: str, id_field: str = "id") -> Iterator[Query]:
    """The queries in `rows`; errors as `documents`."""
    for number, row in enumerate(rows, start=1):
        try:
            yield as_query(row, id_field)
        except RowError as error:
            raise _unfit(f"{where}, row {number}: {error}", row) from error


def judgements(rows: Iterable[tuple[Any, Any, Any]], where: str) -> dict[str, dict[str, int]]:
    """query_id -> doc_id -> label from rows of (query id, document id, label); a row that comes again counts once.

    Raises:
        DataError: an id or a label is unfit (a fraction, say), or a pair has two labels.
    """
    judged: dict[str, dict[str, int]] = {}
    for number, (query, doc, value) in enumerate(rows, start=1):
        try:
            query_id, doc_id = identifier(query, "query id"), identifier(doc, "document id")
            found = label(value, "score")
            if judged.setdefault(query_id, {}).setdefault(doc_id, found) != found:
                raise RowError(f"query {query_id!r} and document {doc_id!r} have two labels")
        except RowError as error:
            raise _unfit(f"{where}, row {number}: {error}", (query, doc, value)) from error
    return judged


def _unfit(got: str, row: object) -> DataError:
    return DataError(
        expected="ids that are texts or whole numbers, texts, and labels that are whole numbers",
        got=f"{got}, in {row!r:.200}",
        consequence="nothing was written",
        remedy="repair the data set; or export it as a BEIR folder yourself, and decide what such a row means",
    )
