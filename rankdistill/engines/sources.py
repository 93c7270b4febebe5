"""What is pushed: the vectors of built indexes, or of an embedding store, streamed."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from hashlib import blake2b
from itertools import islice
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from rankdistill import locations, manifest, tables
from rankdistill.data import Dataset
from rankdistill.data.packed import Strings
from rankdistill.engines.base import RESERVED, Batch, Leg, LegName
from rankdistill.errors import ConfigError, DataError
from rankdistill.indexing import StoredIndex, contents
from rankdistill.indexing.documents import SNIPPETS_FILE
from rankdistill.indexing.kinds import DENSE, SPARSE
from rankdistill.indexing.reading import blocks
from rankdistill.indexing.vectors import normalised
from rankdistill.stores.embeddings.reader import EmbeddingStore

_FOUND_AT_ONCE = 8192
"""Texts of a collection that are looked up together."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")


class Source(Protocol):
    """Documents with their vectors, in an order that is always the same."""

    @property
    def legs(self) -> Mapping[LegName, Leg]:
        """Its kinds of vectors."""
        ...

    @property
    def identity(self) -> str:
        """Hash of what it holds."""
        ...

    @property
    def ids(self) -> Sequence[str]:
        """Its documents, in order."""
        ...

    @property
    def contents(self) -> str:
        """Hash of what these say, as `rankdistill.indexing.contents` makes it; "" where it is not known."""
        ...

    @property
    def fields(self) -> Mapping[str, str]:
        """Their fields: name -> type."""
        ...

    @property
    def texts(self) -> bool:
        """Whether batches bring texts."""
        ...

    def batches(self, start: int, size: int) -> Iterator[Batch]:
        """The documents from `start` on, `size` or fewer at a time."""
        ...


class IndexSource:
    """One or two indexes of the same documents: dense vectors, sparse ones, or both.

    Args:
        indexes: built from the same collection.
        dataset: that collection, for the whole texts; None: the beginnings that the first index keeps.

    Raises:
        ConfigError: an index of words or of token vectors, two of one kind, or none.
        DataError: the indexes, or the collection, hold other documents.
    """

    def __init__(self, indexes: Sequence[StoredIndex], dataset: Dataset | None = None) -> None:
        self._indexes: dict[LegName, StoredIndex] = {}
        for index in indexes:
            if index.kind not in (DENSE, SPARSE):
                raise _refused(
                    "indexes of dense or of sparse vectors",
                    f"{index.folder}, an index of {index.kind.name}",
                    "push an index of a dense or a sparse model; the engines' own full-text search takes the texts",
                )
            name: LegName = "dense" if index.kind is DENSE else "sparse"
            if name in self._indexes:
                raise _refused(
                    "one index of dense vectors, one of sparse ones, or one of each",
                    f"{self._indexes[name].folder} and {index.folder}, both {name}",
                    "push the second one into a collection of its own",
                )
            self._indexes[name] = index
        if not self._indexes:
            raise _refused("an index, or an embedding store", "none", "give --index INDEX or --embeddings STORE")
        self._first, *others = self._indexes.values()
        self.ids = self._first.ids
        for other in others:
            _require_same(self.ids, other.ids, f"{self._first.folder}", f"{other.folder}")
            _require_same_contents(self._first, other)
        if dataset is not None:
            _require_same(self.ids, dataset.doc_ids, f"{self._first.folder}", f"{dataset.path}")
            for index in self._indexes.values():
                contents.require_of(index, dataset, "nothing was pushed: vectors would stand beside other texts")
        self._dataset = dataset
        self.fields: Mapping[str, str] = _schema(self._first)

    @cached_property
    def legs(self) -> Mapping[LegName, Leg]:
        """See `Source.legs`."""
        return {name: Leg(name, one.space, one.model, one.max_length) for name, one in self._indexes.items()}

    @property
    def identity(self) -> str:
        """See `Source.identity`."""
        data = {} if self._dataset is None else {"data": self._dataset.fingerprint}
        return manifest.digest({name: one.made.identity for name, one in self._indexes.items()} | data)

    @property
    def contents(self) -> str:
        """See `Source.contents`."""
        return contents.read(self._first.folder) or ""

    @property
    def texts(self) -> bool:
        """See `Source.texts`."""
        return self._dataset is not None or bool(self._first.made.parameters.get("snippet_length"))

    def batches(self, start: int, size: int) -> Iterator[Batch]:
        """See `Source.batches`."""
        vectors = {name: _Recut(blocks(one.searcher, start, size)) for name, one in self._indexes.items()}
        texts = self._texts(start)
        for at in range(start, len(self.ids), size):
            ids = self.ids[at : at + size]
            found = {name: rows(len(ids)) for name, rows in vectors.items()}
            told = list(islice(texts, len(ids))) if self.texts else None
            yield Batch(at, ids, found.get("dense"), found.get("sparse"), told, _fields(self._first, at, len(ids)))

    def _texts(self, start: int) -> Iterator[str | None]:
        if self._dataset is not None:
            for document in islice(self._dataset.documents(), start, None):
                yield document.contents
            return
        for shard in locations.listing(self._first.folder, "shard-*"):
            if (shard / SNIPPETS_FILE).is_file():
                with tables.open_parquet(shard / SNIPPETS_FILE) as file:
                    if start >= file.metadata.num_rows:
                        start -= file.metadata.num_rows
                        continue
                    for batch in file.iter_batches(columns=["snippet"]):
                        kept = batch.column(0).to_pylist()[start:]
                        start = max(0, start - batch.num_rows)
                        yield from kept


class StoreSource:
    """The document texts of an embedding store.

    Args:
        store: a finished one.
        dataset: the collection whose documents are pushed under their ids, with their texts; None: every document text
            of the store, under its id there.

    Raises:
        DataError: the store lacks a document of the collection, or has no documents.
    """

    fields: Mapping[str, str] = {}
    texts = True

    def __init__(self, store: EmbeddingStore, dataset: Dataset | None = None) -> None:
        self._store, self._dataset = store, dataset
        if dataset is None:
            self._rows, self.ids = _documents_of(store)
        else:
            self._rows, self.ids = _rows_of(store, dataset), dataset.doc_ids
            if absent := int((self._rows < 0).sum()):
                raise DataError(
                    expected=f"an embedding store with the {len(self.ids):,} documents of {dataset.path}",
                    got=f"{store.path}, which lacks {absent:,} of them, as "
                    f"{self.ids[int(np.argmax(self._rows < 0))]!r}",
                    consequence="nothing was pushed: documents would be missing",
                    remedy=f"add them: rankdistill embed --texts {dataset.path} --out {store.path}",
                )
        if not self.ids:
            raise DataError(
                expected="an embedding store with documents",
                got=f"{store.path} with none",
                consequence="nothing was pushed",
                remedy="embed a collection's documents first",
            )

    @property
    def legs(self) -> Mapping[LegName, Leg]:
        """See `Source.legs`."""
        return {"dense": Leg("dense", self._store.space, self._store.reference)}

    @property
    def identity(self) -> str:
        """See `Source.identity`."""
        data = {} if self._dataset is None else {"data": self._dataset.fingerprint}
        return manifest.digest({"embeddings": self._store.identity} | data)

    @property
    def contents(self) -> str:
        """See `Source.contents`."""
        if self._dataset is None:
            return ""
        return contents.contents_of((one.doc_id, one.contents) for one in self._dataset.documents())

    def batches(self, start: int, size: int) -> Iterator[Batch]:
        """See `Source.batches`."""
        vectors, column = self._store.vectors(), self._store.texts().column("text")
        for at in range(start, len(self.ids), size):
            rows = self._rows[at : at + size]
            dense = np.asarray(vectors[rows], np.float32)
            if self._store.space.similarity == "cosine":
                dense = normalised(dense)
            yield Batch(at, list(self.ids[at : at + size]), dense, texts=column.take(rows).to_pylist())


def _documents_of(store: EmbeddingStore) -> tuple[NDArray[np.int64], Sequence[str]]:
    """The rows of a store's documents, and their ids there."""
    rows, ids, start = array("q"), Strings(), 0
    for part in store.texts().select(["kind", "text_id"]).to_batches():
        found = np.flatnonzero(pc.equal(part.column("kind"), "document").to_numpy(zero_copy_only=False))
        rows.extend((start + found).tolist())
        ids.extend(part.column("text_id").take(pa.array(found)).to_pylist())
        start += part.num_rows
    return np.array(rows, np.int64), ids


def _rows_of(store: EmbeddingStore, dataset: Dataset) -> NDArray[np.int64]:
    """The row of each document of the collection, -1 where the store lacks it."""
    rows, texts = array("q"), (document.contents for document in dataset.documents())
    while some := list(islice(texts, _FOUND_AT_ONCE)):
        rows.extend(store.find(some, "document").tolist())
    return np.array(rows, np.int64)


def ids_hash(ids: Sequence[str]) -> str:
    """Hash of a set of ids, whatever their order."""
    running = blake2b(digest_size=16)
    for doc_id in sorted(ids):
        running.update(doc_id.encode("utf-8", "surrogatepass") + b"\0")
    return running.hexdigest()


class _Recut:
    """Blocks of vectors, cut anew: as many rows as are asked for, whatever the blocks' sizes."""

    def __init__(self, given: Iterator[Any]) -> None:
        self._given = given
        self._left: Any = None

    def __call__(self, count: int) -> Any:
        parts = []
        while count:
            if self._left is None:
                self._left = next(self._given)
            taken = min(count, self._left.shape[0])
            parts.append(self._left[:taken])
            self._left = None if taken == self._left.shape[0] else self._left[taken:]
            count -= taken
        if len(parts) == 1:
            return parts[0]
        if isinstance(parts[0], np.ndarray):
            return np.concatenate(parts)
        from scipy.sparse import vstack

        return vstack(parts, format="csr")


def _schema(index: StoredIndex) -> Mapping[str, str]:
    """The index's fields, under names that every engine takes and that are not ours."""
    for name in index.schema:
        if name in RESERVED or not _NAME.fullmatch(name):
            raise _refused(
                f"fields with names of letters, digits and _, as columns have, that are not {', '.join(RESERVED)}",
                f"the field {name!r} of {index.folder}",
                "build the index with the field under another name, or without it",
            )
    return index.schema


def _fields(index: StoredIndex, start: int, count: int) -> list[dict[str, Any]] | None:
    """The fields of `count` documents."""
    return index.fields.at(range(start, start + count)) if index.schema else None


def _require_same(ids: Sequence[str], others: Sequence[str], one: str, other: str) -> None:
    if ids != others:
        shared = len(set(ids) & set(others))
        raise DataError(
            expected=f"the same documents in the same order in {one} and in {other}",
            got=f"{len(ids):,} and {len(others):,} documents, {shared:,} in both",
            consequence="nothing was pushed: vectors and texts would get other documents' ids",
            remedy="build both from the same collection",
        )


def _require_same_contents(one: StoredIndex, other: StoredIndex) -> None:
    first, second = contents.read(one.folder), contents.read(other.folder)
    if None not in (first, second) and first != second:
        raise DataError(
            expected=f"indexes of the same documents, {one.folder} and {other.folder}",
            got="documents of the same ids and of other texts",
            consequence="nothing was pushed: the two vectors of a document would be of two texts",
            remedy="build both from the same collection",
        )


def _refused(expected: str, got: str, remedy: str) -> ConfigError:
    return ConfigError(expected=expected, got=got, consequence="nothing was pushed", remedy=remedy)
