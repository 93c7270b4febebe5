"""Which id a text has: the file's own, the collection's, or a hash of the text."""

from __future__ import annotations

from collections.abc import Mapping

from rankdistill.data import Dataset
from rankdistill.formats.rows import RowError
from rankdistill.stores.keys import text_hash


class TextIds:
    """Gives ids to texts, and remembers the texts of ids.

    With a collection, ids are the collection's: a text without an id is looked up (title and text joined by a space, as
    in `Document.contents`), and a text that comes with an id must be the collection's text of that id. Without one, a
    text that comes with an id is remembered under it, and any other under the hash of its content. Without one, but
    with the texts of a store, ids alone are those of the store.

    Args:
        dataset: the collection, or None.
        stored: query id -> text and document id -> text of a store, instead of a collection's.
    """

    def __init__(
        self, dataset: Dataset | None = None, stored: tuple[Mapping[str, str], Mapping[str, str]] | None = None
    ) -> None:
        self.from_collection = dataset is not None
        known = (dataset.queries(None), dataset.contents) if dataset else stored or (None, None)
        self._queries, self._documents = _Texts("query", known[0]), _Texts("document", known[1])
        self._hint = " of the store's texts; --data gives a collection's" if stored else ""

    @property
    def queries(self) -> Mapping[str, str]:
        """Query id -> text."""
        return self._queries.texts

    @property
    def documents(self) -> Mapping[str, str]:
        """Document id -> text."""
        return self._documents.texts

    @property
    def known(self) -> bool:
        """True if texts are known, from the collection or the file; then every id must have one."""
        return bool(self.queries and self.documents)

    def query(self, text: str, query_id: str | None = None) -> str:
        """The id of a query text; RowError where the collection lacks it or says otherwise."""
        return self._queries.identify(text, query_id)

    def document(self, text: str, doc_id: str | None = None) -> str:
        """The id of a document text; RowError where the collection lacks it or says otherwise."""
        return self._documents.identify(text, doc_id)

    def require(self, query_id: str, doc_id: str) -> None:
        """RowError unless both ids have a text, where texts are known at all."""
        if query_id not in self.queries:
            raise RowError(f"unknown query {query_id!r}{self._hint}")
        if doc_id not in self.documents:
            raise RowError(f"unknown document {doc_id!r}{self._hint}")


class _Texts:
    """The texts of one kind; `fixed` are a collection's, which cannot be added to."""

    def __init__(self, kind: str, fixed: Mapping[str, str] | None) -> None:
        self.kind, self.fixed = kind, fixed is not None
        self.own: dict[str, str] = {}
        self.texts: Mapping[str, str] = self.own if fixed is None else fixed
        self.ids: dict[str, str] | None = None

    def identify(self, text: str, identifier: str | None) -> str:
        if identifier is None:
            return self._look_up(text) if self.fixed else self._remember(text, text_hash(text).hex())
        if not self.fixed:
            return self._remember(text, identifier)
        if identifier not in self.texts:
            raise RowError(f"unknown {self.kind} {identifier!r}")
        if self.texts[identifier].strip() != text:
            raise RowError(f"{self.kind} {identifier!r} has another text in the collection")
        return identifier

    def _look_up(self, text: str) -> str:
        if self.ids is None:
            self.ids = {}
            for identifier, known in self.texts.items():
                self.ids.setdefault(known.strip(), identifier)
        if text not in self.ids:
            raise RowError(f"unknown {self.kind}: no text of the collection is {text[:60]!r}")
        return self.ids[text]

    def _remember(self, text: str, identifier: str) -> str:
        if self.own.setdefault(identifier, text) != text:
            raise RowError(f"{self.kind} {identifier!r} has two texts")
        return identifier
