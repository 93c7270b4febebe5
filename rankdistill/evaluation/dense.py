"""A dense model with an index, as a system under evaluation; queries may have another model than documents."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from rankdistill.data import Dataset
from rankdistill.errors import ConfigError, DataError
from rankdistill.evaluation.measures import Run
from rankdistill.evaluation.retrieve import Progress
from rankdistill.index import NOTHING, Searcher, StoredIndex, load, registry
from rankdistill.index.encoding import DocumentEncoder, QueryEncoder, encode
from rankdistill.space import Space, require_dimension, require_searchable


class Encoder(DocumentEncoder, QueryEncoder, Protocol):
    """What a dense retriever needs of `rankdistill.inference.TextEncoder`."""


class DenseRetriever:
    """A dense model over the documents of `dataset`: a built index, or one made in memory at the first search.

    Args:
        dataset: the documents.
        encoder: of the queries, and of the documents where there is neither a built index nor `documents`.
        name: what tables call it.
        index: a built index of the same documents.
        factory: of the index in memory: `exact` or a FAISS factory string.
        progress: called with the number of documents just encoded.
        documents: another encoder for the documents.
        unaligned: trust that the two models share a space, which nothing says; only their dimension is checked.

    Raises:
        SpaceMismatchError: the encoder embeds into another space than that of the index or of `documents`.
        DataError: the index holds other documents than `dataset`.
    """

    def __init__(
        self,
        dataset: Dataset,
        encoder: Encoder,
        name: str,
        index: StoredIndex | None = None,
        factory: str = "exact",
        progress: Progress = lambda done: None,
        documents: DocumentEncoder | None = None,
        unaligned: bool = False,
    ) -> None:
        self.name = name
        self.index = index
        self._documents: DocumentEncoder = documents if documents is not None else encoder
        self._dataset, self._encoder, self._factory, self._progress = dataset, encoder, factory, progress
        if documents is not None and index is not None:
            require_searchable(index.space, (documents.space,))
        if unaligned:
            require_dimension(self.space, encoder.space)
        else:
            require_searchable(self.space, encoder.query_spaces)
        if index is not None:
            _require_documents(index, dataset)

    @property
    def space(self) -> Space:
        """The space of the documents."""
        return self._documents.space if self.index is None else self.index.space

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """The encoders' fingerprints and what index is searched, how."""
        encoders = {"encoder": dict(self._encoder.fingerprint)}
        if self.index is not None:
            made = self.index.made
            return encoders | {"index": {"factory": made.parameters["factory"], "identity": made.identity}}
        if self._documents is not self._encoder:
            encoders["documents"] = dict(self._documents.fingerprint)
        return encoders | {"index": {"factory": self._factory}}

    @property
    def index_bytes(self) -> int:
        """Size of the index on disk; of the raw vectors where it is in memory only."""
        if self.index is not None:
            return self.index.size
        return len(self._dataset.doc_ids) * self.space.dimension * np.dtype(np.float32).itemsize

    def retrieve(self, queries: Mapping[str, str], k: int) -> Run:
        """Encode the queries and search; scores are cosine or dot."""
        ids, scores = self.searcher.search(self._encoder.encode_queries(list(queries.values())), k)
        return {
            query_id: {doc_id: float(score) for doc_id, score in zip(*row, strict=True) if doc_id != NOTHING}
            for query_id, row in zip(queries, zip(ids, scores, strict=True), strict=True)
        }

    @cached_property
    def searcher(self) -> Searcher:
        """The built index, or the one made in memory now."""
        if self.index is not None:
            return self.index
        made = registry.create(registry.IndexSettings(self.space.dimension, self.space.similarity, self._factory))
        contents = self._dataset.contents
        made.add(list(contents), encode(self._documents, list(contents.values()), self._progress))
        return made


def dense(
    dataset: Dataset,
    model: str,
    index: str | Path | None = None,
    *,
    document_model: str | None = None,
    embeddings: str | Path | None = None,
    unaligned: bool = False,
    factory: str = "exact",
    max_length: int | None = None,
    backend: str = "auto",
    name: str | None = None,
    progress: Progress = lambda done: None,
) -> DenseRetriever:
    """The retriever of a model or a bundle, with the built index at `index` if there is one.

    Args:
        dataset: the documents.
        model: a model reference or the folder of a bundle; it embeds the queries.
        index: an index folder.
        document_model: embeds the documents; a bundle's document tower, or else `model`, unless given.
        embeddings: folder of an embedding store of the document model; what it holds is not encoded again.
        unaligned: trust that the two models share a space, which nothing says; only their dimension is checked.
        factory: of the index made in memory where there is no built one.
        max_length: tokens a text; None takes the index's where the model is its own, or else the model's.
        backend: of `TextEncoder`.
        name: what tables call it; the model's folder or reference unless given.
        progress: called with the number of documents just encoded.

    Raises:
        ModelReferenceError: a model is not to be found.
        SpaceMismatchError: the models, the index and the embeddings are not of one space, or a bundle was edited.
        DataError: the index or the bundle is not finished, or the index holds other documents.
        ConfigError: `embeddings` beside `index`, which has its vectors already.
    """
    from rankdistill.bundles import is_bundle, open_document_encoder, open_query_encoder
    from rankdistill.index.stored import with_stored

    if index is not None and embeddings is not None:
        raise ConfigError(
            expected="either an index or embeddings",
            got=f"the index {index} and the embeddings {embeddings}",
            consequence="nothing was evaluated: the index holds its vectors already",
            remedy="leave one of the two out",
        )
    stored = load(index) if index is not None else None
    encoder = open_query_encoder(model, backend, max_length, documents=stored.space if stored is not None else None)
    documents: DocumentEncoder | None = None
    if document_model is not None or (stored is None and is_bundle(model)):
        documents = open_document_encoder(document_model or model, backend, _length(stored, max_length))
    if embeddings is not None:
        documents = with_stored(documents or encoder, embeddings)
    title = _title(model) if document_model is None else f"{_title(model)} on {_title(document_model)}"
    return DenseRetriever(dataset, encoder, name or title, stored, factory, progress, documents, unaligned)


def _length(index: StoredIndex | None, max_length: int | None) -> int | None:
    return index.max_length if index is not None and max_length is None else max_length


def _title(model: str) -> str:
    return Path(model).name if Path(model).is_dir() else model


def _require_documents(index: StoredIndex, dataset: Dataset) -> None:
    indexed, wanted = set(index.ids), set(dataset.doc_ids)
    if indexed != wanted:
        raise DataError(
            expected=f"an index of the {len(wanted)} documents of {dataset.path}",
            got=f"{index.folder} with {len(indexed)} documents, {len(indexed & wanted)} of them in the data",
            consequence="nothing was evaluated: documents would be missing or foreign",
            remedy="build the index from this data, or give the data that it was built from",
        )
