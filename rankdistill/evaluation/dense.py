"""A dense model with an index, as a system under evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from rankdistill.data import Dataset
from rankdistill.errors import DataError
from rankdistill.evaluation.measures import Run
from rankdistill.evaluation.retrieve import Progress
from rankdistill.index import NOTHING, Searcher, StoredIndex, load, registry
from rankdistill.index.encoding import DocumentEncoder, QueryEncoder, encode
from rankdistill.space import require_same


class Encoder(DocumentEncoder, QueryEncoder, Protocol):
    """What a dense retriever needs of `rankdistill.inference.TextEncoder`."""


class DenseRetriever:
    """A dense model over the documents of `dataset`: a built index, or one made in memory at the first search.

    Args:
        dataset: the documents.
        encoder: of the queries, and of the documents where there is no built index.
        name: what tables call it.
        index: a built index of the same documents.
        factory: of the index in memory: `exact` or a FAISS factory string.
        progress: called with the number of documents just encoded.

    Raises:
        SpaceMismatchError: the encoder embeds into another space than the index's.
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
    ) -> None:
        if index is not None:
            require_same(index.space, encoder.space)
            _require_documents(index, dataset)
        self.name = name
        self.index = index
        self._dataset, self._encoder, self._factory, self._progress = dataset, encoder, factory, progress

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """The encoder's fingerprint and what index is searched, how."""
        if self.index is None:
            return {"encoder": dict(self._encoder.fingerprint), "index": {"factory": self._factory}}
        made = self.index.made
        return {
            "encoder": dict(self._encoder.fingerprint),
            "index": {"factory": made.parameters["factory"], "identity": made.identity},
        }

    @property
    def index_bytes(self) -> int:
        """Size of the index on disk; of the raw vectors where it is in memory only."""
        if self.index is not None:
            return self.index.size
        return len(self._dataset.doc_ids) * self._encoder.space.dimension * np.dtype(np.float32).itemsize

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
        space = self._encoder.space
        made = registry.create(registry.IndexSettings(space.dimension, space.similarity, self._factory))
        contents = self._dataset.contents
        made.add(list(contents), encode(self._encoder, list(contents.values()), self._progress))
        return made


def dense(
    dataset: Dataset,
    model: str,
    index: str | Path | None = None,
    *,
    factory: str = "exact",
    max_length: int | None = None,
    backend: str = "auto",
    name: str | None = None,
    progress: Progress = lambda done: None,
) -> DenseRetriever:
    """The retriever of a model reference, with the built index at `index` if there is one.

    Args:
        dataset: the documents.
        model: a model reference.
        index: an index folder.
        factory: of the index made in memory where there is no built one.
        max_length: tokens a text; None takes the index's, or else the model's own.
        backend: of `TextEncoder`.
        name: what tables call it; the model's folder or reference unless given.
        progress: called with the number of documents just encoded.

    Raises:
        ModelReferenceError: the model is not to be found.
        SpaceMismatchError: the index is of another space.
        DataError: the index is not finished, or holds other documents.
    """
    from rankdistill.inference import TextEncoder

    stored = load(index) if index is not None else None
    if stored is not None and max_length is None:
        max_length = stored.max_length
    encoder = TextEncoder(model, backend=backend, max_length=max_length)
    return DenseRetriever(dataset, encoder, name or _title(model), stored, factory, progress)


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
