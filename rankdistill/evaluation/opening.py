"""The retriever of a model, of a built index, or of both."""

from __future__ import annotations

from collections.abc import Mapping
from os import fspath
from pathlib import Path
from typing import Any

from rankdistill.bundles import is_bundle
from rankdistill.data import Dataset
from rankdistill.errors import ConfigError
from rankdistill.evaluation.indexed import IndexedRetriever, MemoryIndex
from rankdistill.indexing import StoredIndex
from rankdistill.indexing.kinds import Documents, of_model
from rankdistill.indexing.searching import opened
from rankdistill.indexing.stored import with_stored
from rankdistill.progress import Progress


def open_retriever(
    dataset: Dataset,
    model: str | None = None,
    index: str | Path | StoredIndex | None = None,
    *,
    document_model: str | None = None,
    embeddings: str | Path | None = None,
    unaligned: bool = False,
    factory: str = "exact",
    search_parameters: Mapping[str, float] | None = None,
    max_length: int | None = None,
    backend: str = "auto",
    name: str | None = None,
    progress: Progress = lambda done: None,
) -> IndexedRetriever:
    """The retriever of the built index at `index`, of the model or bundle `model`, or of `model` on that index.

    Args:
        dataset: the documents.
        model: a model reference or the folder of a bundle; it embeds the queries. The index's own unless given.
        index: an index folder of any kind, or the index that was loaded from it.
        document_model: embeds the documents; a bundle's document tower, or else `model`, unless given.
        embeddings: folder of an embedding store of the document model; what it holds is not encoded again.
        unaligned: trust that the two models share a space, which nothing says; only their dimension is checked.
        factory: of the index made in memory where there is no built one: a back end (`exact`, `seismic`, `bm25`, ...),
            or a FAISS factory string.
        search_parameters: of the built index, on top of those that it keeps.
        max_length: tokens a text; None takes the index's where the model is its own, or else the model's.
        backend: of what encodes.
        name: what tables call it; the model's folder or reference, or the back end, unless given.
        progress: called with the number of documents just encoded.

    Raises:
        ModelReferenceError: a model is not to be found.
        SpaceMismatchError: the models, the index and the embeddings are not of one space, or a bundle was edited.
        DataError: the index or the bundle is not finished, or the index holds other documents.
        ConfigError: `embeddings` beside `index`, which has its vectors already; a model where none is needed, or none
            where one is; an unknown search parameter.
    """
    title = name or _title(model, document_model)
    if index is not None:
        _require_no_embeddings(index, embeddings)
        _require_no_factory(index, factory)
        stored = opened(index, search_parameters)
        if document_model is not None:
            length = stored.max_length if max_length is None else max_length
            tower = stored.kind.open_documents(document_model, backend, length)
            stored.kind.require(stored.space, (tower.space,), False)
        encoder = stored.open_query_encoder(model, backend, max_length)
        return IndexedRetriever(dataset, encoder, title or _title(stored.model) or stored.factory, stored, unaligned)
    kind = of_model(model, factory)
    encoder = kind.open_queries(model, backend, max_length, None)
    documents: Documents = encoder
    if document_model is not None or (model is not None and is_bundle(model)):
        documents = kind.open_documents(document_model or model, backend, max_length)
    if embeddings is not None:
        documents = with_stored(documents, embeddings)
    memory = MemoryIndex(dataset, documents, factory, progress)
    return IndexedRetriever(dataset, encoder, title or factory, memory, unaligned)


def other_vectors(
    model: str | None, document_model: str | None, embeddings: str | Path, max_length: int | None, backend: str
) -> Mapping[str, Any] | None:
    """What stored vectors of documents are, where the model as it is run here would give others; else None.

    Raises:
        RankdistillError: see `open_retriever`.
    """
    kind = of_model(model, "exact")
    encoder = kind.open_documents(document_model or model, backend, max_length)
    stored = with_stored(encoder, embeddings)
    return None if stored.identity == encoder.fingerprint else stored.fingerprint["stored"]


def _require_no_embeddings(index: str | Path | StoredIndex, embeddings: str | Path | None) -> None:
    if embeddings is not None:
        raise ConfigError(
            expected="either an index or embeddings",
            got=f"the index {fspath(index)} and the embeddings {embeddings}",
            consequence="nothing was evaluated: the index holds its vectors already",
            remedy="leave one of the two out",
        )


def _require_no_factory(index: str | Path | StoredIndex, factory: str) -> None:
    if factory != "exact":
        raise ConfigError(
            expected="either a built index or a factory, which is of one that is made in memory",
            got=f"the index {fspath(index)} and the factory {factory}",
            consequence="nothing was evaluated: the built index is searched as it is",
            remedy="leave the factory out, or the index",
        )


def _title(*models: str | None) -> str:
    """What tables call the system of these models; empty where there is none."""
    return " on ".join(Path(one).name if Path(one).is_dir() else one for one in models if one is not None)
