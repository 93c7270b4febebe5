"""The texts that an export writes, from the collection or from the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rankdistill.data import Dataset
from rankdistill.errors import DataError, StaleOutputError, StoreError
from rankdistill.records import Document
from rankdistill.stores.reader import ScoreStore


@dataclass(frozen=True)
class Texts:
    """Queries and documents by id.

    Args:
        queries: query id -> text.
        documents: document id -> document.
    """

    queries: Mapping[str, str] = field(default_factory=dict)
    documents: Mapping[str, Document] = field(default_factory=dict)

    def query(self, query_id: str) -> str:
        """The text of a query; DataError if there is none."""
        if query_id not in self.queries:
            raise _unknown("query", query_id)
        return self.queries[query_id]

    def document(self, doc_id: str) -> Document:
        """A document; DataError if there is none."""
        if doc_id not in self.documents:
            raise _unknown("document", doc_id)
        return self.documents[doc_id]


def load(store: ScoreStore, dataset: Dataset | None, doc_ids: set[str]) -> Texts:
    """The texts of the store's queries and of `doc_ids`.

    Args:
        store: its own texts are used where there is no collection; a document then has no title.
        dataset: the collection, or None.
        doc_ids: the documents that will be asked for.

    Raises:
        StoreError: neither the store nor a collection has texts.
        StaleOutputError: the collection says something else than the texts that were scored.
    """
    if dataset is None:
        if not store.has_texts:
            raise StoreError(
                expected="texts to write",
                got=f"{store.path} holds ids only",
                consequence="nothing was written",
                remedy="give the collection with --data",
            )
        return Texts(
            store.query_texts(), {key: Document(key, "", text) for key, text in store.document_texts().items()}
        )
    found = Texts(dataset.queries(None), {row.doc_id: row for row in dataset.documents() if row.doc_id in doc_ids})
    if store.has_texts:
        _require_same("query", store.query_texts(), found.queries)
        _require_same("document", store.document_texts(), {key: row.contents for key, row in found.documents.items()})
    return found


def _require_same(kind: str, scored: Mapping[str, str], given: Mapping[str, str]) -> None:
    changed = sorted(key for key in scored.keys() & given.keys() if scored[key].strip() != given[key].strip())
    if changed:
        raise StaleOutputError(
            expected=f"each {kind} to have the text that was scored",
            got=f"{len(changed)} with another text in the collection, as {', '.join(changed[:5])}",
            consequence="nothing was written: scores and texts would not belong together",
            remedy="give the collection that was scored",
        )


def _unknown(kind: str, identifier: str) -> DataError:
    return DataError(
        expected=f"the text of every {kind} of the store",
        got=f"none for {identifier!r}",
        consequence="nothing was written",
        remedy="give the collection that was scored with --data",
    )
