"""A running server, as a system under evaluation: what its searches answer, or its vectors in an exact search here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rankdistill.client import operations
from rankdistill.client.client import Client
from rankdistill.data import Dataset
from rankdistill.errors import ConfigError, DataError
from rankdistill.evaluation.indexed import IndexedRetriever, MemoryIndex
from rankdistill.evaluation.measures import Run
from rankdistill.evaluation.retrieve import Retriever, search_others
from rankdistill.notes import note
from rankdistill.progress import Progress
from rankdistill.space import AnySpace, Space, SparseSpace

FUSED = "fused"

DECISIVE = ("name", "kind", "space", "weights", "backend", "precision", "prompts", "max_length")
"""What `/info` says of a model that decides its vectors."""


def open_served(
    dataset: Dataset,
    client: Client,
    *,
    index: str | None = None,
    mode: str | None = None,
    name: str | None = None,
    progress: Progress = lambda done: None,
    turns: Mapping[str, Sequence[str]] | None = None,
) -> Retriever:
    """The system that a server is: its searches where it has indexes, else its model with an exact index here.

    Args:
        dataset: the documents.
        client: asks the server.
        index: one of the served indexes; the only one, or all that are fused, unless given.
        mode: of the search; of a server without indexes `dense` or `sparse`.
        name: what tables call it.
        progress: called with the number of documents just encoded.
        turns: query_id -> the conversation up to it, oldest first, which is sent in place of the query's text.

    Raises:
        ServerError: the server does not answer, or refuses.
        ConfigError: it serves no such index or mode; or one without a model that reads conversations, for `turns`.
        DataError: its index holds another number of documents than `dataset`.
    """
    told = client.info()
    if told.get("indexes"):
        return ServedRetriever(dataset, client, told, index, mode, name, turns)
    if turns is not None:
        raise _reads_none("a server without an index, whose vectors are of texts")
    if index is not None:
        raise _refused(f"a server with the index {index!r}", "one without any index", "leave the index out")
    encoder = ServedEncoder(client, told, mode)
    memory = MemoryIndex(dataset, encoder, "exact", progress)
    return IndexedRetriever(dataset, encoder, name or f"{encoder.model['name']} served", memory)


class ServedRetriever:
    """What the searches of a server find.

    Args:
        dataset: the documents.
        client: asks the server.
        told: its `/info`.
        index: by name; the only one, or all that are fused, unless given.
        mode: of the search.
        name: what tables call it.
        turns: see `open_served`.

    Raises:
        ConfigError: no such index, or for `turns` one whose model reads no conversations.
        DataError: it holds another number of documents than `dataset`.
    """

    def __init__(
        self,
        dataset: Dataset,
        client: Client,
        told: Mapping[str, Any],
        index: str | None = None,
        mode: str | None = None,
        name: str | None = None,
        turns: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self._dataset, self._client, self._told, self._index, self._mode = dataset, client, told, index, mode
        self._turns = turns
        self._known = set(dataset.doc_ids)
        served = told["indexes"]
        if index is not None and index not in served:
            raise _refused(f"a served index: {', '.join(served)}", repr(index), "give one of them")
        self._searched = {one: said for one, said in served.items() if index in (None, one)}
        for one, said in self._searched.items():
            if said.get("documents", len(dataset.doc_ids)) != len(dataset.doc_ids):
                others = [name for name in served if name != one]
                raise _foreign(dataset, f"the index {one!r} of {said['documents']:,} documents", others)
            if turns is not None and mode in (None, FUSED, said.get("mode")) and not said.get("conversations"):
                raise _reads_none(f"{one!r}, which is searched by " + (said.get("model") or "words"))
        searched = index or " + ".join(self._searched)
        self.name = name or " ".join(["served", searched, *([mode] if mode else [])])

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """Version, space, models and indexes of the server, and how it is asked; not where it is."""
        fused = len(self._searched) > 1
        return {
            "server": {
                **_of_server(self._told),
                "models": [_of_model(model) for model in self._told.get("models", [])],
                "indexes": self._searched,
                "index": self._index,
                "mode": self._mode,
                **({} if self._turns is None else {"turns": True}),
                **({"fusion": self._told.get("fusion")} if fused else {}),
            }
        }

    def retrieve(self, queries: Mapping[str, str], k: int) -> Run:
        """Ask the server, several queries a request; `Dataset.own_documents` are not returned.

        Raises:
            DataError: it finds a document that the data has not.
        """
        return search_others(self._search, queries, k, self._dataset.own_documents)

    def _search(self, queries: Mapping[str, str], k: int) -> Run:
        asked: list[str | Mapping[str, Any]] = list(queries.values())
        if self._turns is not None:
            asked = [{"turns": self._turns[query_id]} for query_id in queries]
        found = self._client.search_batch(asked, k, mode=self._mode, index=self._index)
        run = {query_id: {hit.id: hit.score for hit in hits} for query_id, hits in zip(queries, found, strict=True)}
        if foreign := {doc_id for hits in run.values() for doc_id in hits} - self._known:
            raise _foreign(self._dataset, f"the document {min(foreign)!r}, which is none of them")
        return run


class ServedEncoder:
    """A server's model as an encoder of both sides.

    Args:
        client: asks the server.
        told: its `/info`.
        kind: `dense` or `sparse`; the first model of either unless given.

    Raises:
        ConfigError: it serves no such model, or none that encodes documents.
    """

    def __init__(self, client: Client, told: Mapping[str, Any], kind: str | None = None) -> None:
        self._client, self._told = client, told
        models = [one for one in told.get("models", []) if one["kind"] in ((kind,) if kind else ("dense", "sparse"))]
        if not models:
            served = [f"{one['name']} ({one['kind']})" for one in told.get("models", [])]
            raise _refused(
                f"a served model of {kind or 'dense or sparse'} vectors, or an index",
                ", ".join(served) or "none",
                "serve one, or start the server with --index",
            )
        self.model: Mapping[str, Any] = models[0]
        if "document" not in self.model["towers"]:
            raise _refused(
                "a server with an index, or with a model that encodes documents too",
                f"{self.model['name']}, which encodes queries alone",
                "start it with --index INDEX, or with a bundle that has its document model",
            )

    @property
    def space(self) -> AnySpace:
        """Its dimension and similarity, and the fingerprint that the server tells as that of its document tower."""
        dimension, similarity = self.model["dimensions"][0], self.model["similarity"]
        if self.model["kind"] == "sparse":
            return SparseSpace(dimension, self.model["space"], similarity, document_tower=self.model["space"])
        return Space(dimension, False, similarity, document_tower=self.model["space"])

    @property
    def query_spaces(self) -> Sequence[AnySpace]:
        """The documents' space."""
        return (self.space,)

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """Version of the server, and what it says of the model; not where it is."""
        return {"server": {**_of_server(self._told), "model": _of_model(self.model)}}

    def encode_queries(self, texts: Sequence[str]) -> Any:
        """Vectors of queries: float32 `[n, dimension]`, or a sparse array of that shape."""
        return self._encode(texts, "query", lambda done: None)

    def encode_documents(self, texts: Sequence[str], progress: Progress | None = None) -> Any:
        """Vectors of documents, as of queries; `progress` is called with the texts just done."""
        return self._encode(texts, "document", progress or (lambda done: None))

    def _encode(self, texts: Sequence[str], side: operations.Side, progress: Progress) -> Any:
        parts = []
        for start in range(0, len(texts), 8 * operations.BATCH):
            some = list(texts[start : start + 8 * operations.BATCH])
            parts.append(self._without_blanks(some, side))
            progress(len(some))
        if self.model["kind"] == "sparse":
            from scipy.sparse import csr_array, vstack

            return vstack(parts, format="csr") if parts else csr_array((0, self.space.dimension), dtype=np.float32)
        return np.concatenate(parts) if parts else np.zeros((0, self.space.dimension), np.float32)

    def _without_blanks(self, texts: Sequence[str], side: operations.Side) -> Any:
        """Vectors of texts, zero for those that say nothing, which a server refuses."""
        said = [place for place, text in enumerate(texts) if text.strip()]
        if len(said) == len(texts):
            return self._some(texts, side)
        note(f"{len(texts) - len(said):,} texts are empty, which the server does not encode: they are found last")
        if self.model["kind"] == "sparse":
            from scipy.sparse import csr_array

            found = self._some([texts[place] for place in said], side) if said else None
            chosen = csr_array(
                (np.ones(len(said), np.float32), (said, range(len(said)))), shape=(len(texts), len(said))
            )
            return csr_array((len(texts), self.space.dimension), dtype=np.float32) if found is None else chosen @ found
        vectors = np.zeros((len(texts), self.space.dimension), np.float32)
        if said:
            vectors[said] = self._some([texts[place] for place in said], side)
        return vectors

    def _some(self, texts: Sequence[str], side: operations.Side) -> Any:
        name = self.model["name"]
        if self.model["kind"] != "sparse":
            return self._client.embed(texts, side, model=name)
        from scipy.sparse import csr_array

        rows = self._client.embed_sparse(texts, side, model=name)
        starts = np.cumsum([0, *map(len, rows)])
        terms = np.array([term for row in rows for term in sorted(row)], np.int64)
        weights = np.array([row[term] for row in rows for term in sorted(row)], np.float32)
        return csr_array((weights, terms, starts), shape=(len(rows), self.space.dimension))


def _of_server(told: Mapping[str, Any]) -> dict[str, Any]:
    return {"version": told.get("version"), "space": told.get("space"), "model": told.get("model_id")}


def _of_model(model: Mapping[str, Any]) -> dict[str, Any]:
    return {field: model.get(field) for field in DECISIVE}


def _foreign(dataset: Dataset, got: str, others: Sequence[str] = ()) -> DataError:
    named = f"name the index that is meant (--index NAME): {', '.join(others)} is served too; or " if others else ""
    return DataError(
        expected=f"a server with an index of the {len(dataset.doc_ids):,} documents of {dataset.path}",
        got=got,
        consequence="nothing was evaluated: documents would be missing or foreign",
        remedy=f"{named}serve an index of this data, or give the data that it was built from",
    )


def _reads_none(got: str) -> ConfigError:
    return _refused(
        "a served index whose model was trained to read conversations, which turns are sent to",
        got,
        "say what is sent as text (--reads), as last_turn; or serve a student of conversations as its query model",
    )


def _refused(expected: str, got: str, remedy: str) -> ConfigError:
    return ConfigError(expected=expected, got=got, consequence="nothing was evaluated", remedy=remedy)
