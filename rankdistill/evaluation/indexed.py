"""A model with an index, as a system under evaluation; queries may have another model than documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from rankdistill.data import Dataset
from rankdistill.errors import DataError
from rankdistill.evaluation.embedded import run_of
from rankdistill.evaluation.measures import Run
from rankdistill.evaluation.retrieve import search_others
from rankdistill.indexing import Searcher, StoredIndex, registry
from rankdistill.indexing.building import copies_in
from rankdistill.indexing.contents import require_of
from rankdistill.indexing.encoding import ENCODED_AT_ONCE, distinct
from rankdistill.indexing.kinds import DENSE, Documents, Kind, Queries, of_space
from rankdistill.indexing.unkept import shard_size_of, unkept
from rankdistill.notes import note
from rankdistill.progress import Progress

STREAMED_AT_ONCE = 8 * ENCODED_AT_ONCE
"""Texts whose vectors are held beside the index."""


class MemoryIndex:
    """The documents of `dataset` in an index that is made at the first search, and not kept; see `indexing.unkept`.

    Args:
        dataset: the documents.
        encoder: of the documents.
        factory: a back end of the encoder's kind, or a FAISS factory string.
        progress: called with the number of documents just encoded.

    Raises:
        ConfigError: the factory cannot be used with this encoder or so few documents.
        MissingDependencyError: the back end's library is not installed.
    """

    def __init__(
        self, dataset: Dataset, encoder: Documents, factory: str = "exact", progress: Progress = lambda done: None
    ) -> None:
        self.encoder, self.factory = encoder, factory
        self._dataset, self._progress = dataset, progress
        registry.require_usable(self._settings, lambda: distinct(document.contents for document in dataset.documents()))

    @property
    def space(self) -> Any:
        """The `AnySpace` of the documents."""
        return self.encoder.space

    @property
    def kind(self) -> Kind:
        """What is searched."""
        return of_space(self.space)

    @property
    def size(self) -> int | None:
        """Bytes of the raw vectors; None where that is not known before they are made."""
        if self.kind is not DENSE:
            return None
        return int(len(self._dataset.document_lines) * self.space.dimension * np.dtype(np.float32).itemsize)

    @cached_property
    def searcher(self) -> Searcher[Any]:
        """The index, made now."""
        ids, texts = list(self._dataset.doc_ids), (document.contents for document in self._dataset.documents())
        if "shard_size" in self.effects:
            size = self.effects["shard_size"]
            note(f"{len(ids):,} documents are indexed in shards of {size:,}, as memory holds one")
        return unkept(self._settings, self.encoder, ids, texts, self._progress, STREAMED_AT_ONCE)

    @cached_property
    def effects(self) -> dict[str, Any]:
        """What decides its results beside factory and encoder, for their identity.

        Shards are searched as one: only what is approximate finds something else in them.
        """
        size = shard_size_of(self._settings, self.space, len(self._dataset.document_lines))
        made = registry.build_effects(self._settings, lambda: copies_in(self._dataset, size))
        if size is not None and self.factory != "exact":
            made["shard_size"] = size
        return made | registry.search_effects(self._settings)

    @property
    def _settings(self) -> registry.IndexSettings:
        return registry.IndexSettings(self.space.dimension, self.space.similarity, self.factory, kind=self.kind.name)


class IndexedRetriever:
    """Queries of one model against documents in an index of any kind.

    Args:
        dataset: the documents.
        encoder: of the queries.
        name: what tables call it.
        index: a built index of the same documents, or one in memory.
        unaligned: trust that the two models share a space, which nothing says; only their dimension is checked.

    Raises:
        SpaceMismatchError: the encoder embeds into another space than the index's.
        DataError: the index holds other documents than `dataset`.
    """

    def __init__(
        self, dataset: Dataset, encoder: Queries, name: str, index: StoredIndex | MemoryIndex, unaligned: bool = False
    ) -> None:
        self.name, self.index, self._encoder = name, index, encoder
        self._dataset = dataset
        index.kind.require(index.space, encoder.query_spaces, unaligned)
        if isinstance(index, StoredIndex):
            _require_documents(index, dataset)

    @property
    def space(self) -> Any:
        """The `AnySpace` of the documents."""
        return self.index.space

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """The encoders' fingerprints and what index is searched, how."""
        encoders = {"encoder": dict(self._encoder.fingerprint)}
        if isinstance(self.index, StoredIndex):
            made = {"factory": self.index.factory, "identity": self.index.made.identity}
            return encoders | {"index": made | self.index.search_effects}
        if self.index.encoder is not self._encoder:
            encoders["documents"] = dict(self.index.encoder.fingerprint)
        return encoders | {"index": {"factory": self.index.factory, **self.index.effects}}

    @property
    def index_bytes(self) -> int | None:
        """Size of the index on disk; of the raw vectors where it is in memory only, if they are dense."""
        return self.index.size

    def retrieve(self, queries: Mapping[str, str], k: int) -> Run:
        """Encode the queries and search; scores are the index's. `Dataset.own_documents` are not returned."""
        return search_others(self._search, queries, k, self._dataset.own_documents)

    def encode(self, queries: Sequence[str]) -> Any:
        """What the index is searched with for these texts."""
        return self._encoder.encode_queries(list(queries))

    def _search(self, queries: Mapping[str, str], k: int) -> Run:
        found = self.index.searcher.search(self._encoder.encode_queries(list(queries.values())), k)
        return run_of(list(queries), *found)


def _require_documents(index: StoredIndex, dataset: Dataset) -> None:
    wanted = dataset.document_lines
    shared = sum(doc_id in wanted for doc_id in index.ids)
    if not shared == len(index.ids) == len(wanted):
        raise DataError(
            expected=f"an index of the {len(wanted)} documents of {dataset.path}",
            got=f"{index.folder} with {len(index.ids)} documents, {shared} of them in the data",
            consequence="nothing was evaluated: documents would be missing or foreign",
            remedy="build the index from this data, or give the data that it was built from",
        )
    require_of(index, dataset, "nothing was evaluated: what is found says something else in the data")
