"""A collection of a search engine, as a system under evaluation: what the engine answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rankdistill.data import Dataset
from rankdistill.engines.base import Engine, Leg, Look
from rankdistill.engines.notes import Note
from rankdistill.engines.pushing import read_note
from rankdistill.engines.sources import ids_hash
from rankdistill.errors import ConfigError, DataError
from rankdistill.evaluation.embedded import run_of
from rankdistill.evaluation.measures import Run
from rankdistill.evaluation.retrieve import search_others
from rankdistill.indexing.contents import contents_of
from rankdistill.indexing.kinds import DENSE, KINDS, SPARSE, Queries, of_model

DEPTHS = ("efSearch",)
"""Search parameters that every engine has under some name."""


class EngineRetriever:
    """Queries of a model against what a collection holds.

    Args:
        dataset: the documents.
        engine: opened.
        url: where it is, for messages.
        model: of the queries; the collection's own unless given. A sparse model searches the sparse vectors.
        exact: every score is computed, whatever graph there is.
        search_parameters: `efSearch`.
        unaligned: trust that the model and the collection share a space, which nothing says.
        max_length: tokens a text.
        backend: of what encodes.
        name: what tables call it.

    Raises:
        DataError: there is no such collection, it is not finished, or holds other documents than `dataset`.
        SpaceMismatchError: the model embeds into another space than the collection's.
        ConfigError: the collection has no vectors of the model's kind, or an unknown search parameter.
        ModelReferenceError: there is no such model.
    """

    def __init__(
        self,
        dataset: Dataset,
        engine: Engine,
        url: str,
        model: str | None = None,
        *,
        exact: bool = False,
        search_parameters: Mapping[str, float] | None = None,
        unaligned: bool = False,
        max_length: int | None = None,
        backend: str = "auto",
        name: str | None = None,
    ) -> None:
        self.note = read_note(engine, url)
        _require_documents(self.note, engine, dataset)
        self._dataset, self._engine = dataset, engine
        self._leg = leg_of(self.note, model, engine.collection)
        self._look = _look(exact or self.note.exact, search_parameters or {})
        kind = KINDS[self._leg.name]
        reference = model or self._leg.model
        self._encoder: Queries = kind.open_queries(reference, backend, max_length, self._leg.space)
        kind.require(self._leg.space, self._encoder.query_spaces, unaligned)
        self.name = name or f"{engine.name} {engine.collection}"
        self.model = reference

    @property
    def document_model(self) -> str | None:
        """Reference of the model that the documents' vectors are of; None where the collection does not say."""
        return self._leg.model

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """The encoder's, which engine of which version, what the collection holds, and how it is searched."""
        look = {"exact": self._look.exact} | ({} if self._look.exact else {"efSearch": self._look.ef})
        return {
            "encoder": dict(self._encoder.fingerprint),
            "engine": {
                "name": self._engine.name,
                "version": self._engine.version,
                "collection": self._engine.collection,
                "source": self.note.source,
                "space": self.note.spaces[self._leg.name],
                "vectors": self._leg.name,
                **look,
            },
        }

    def retrieve(self, queries: Mapping[str, str], k: int) -> Run:
        """Encode the queries and ask the engine; scores are its. `Dataset.own_documents` are not returned."""
        return search_others(self._search, queries, k, self._dataset.own_documents)

    def _search(self, queries: Mapping[str, str], k: int) -> Run:
        vectors = self._encoder.encode_queries(list(queries.values()))
        look = Look(k, self._look.exact, self._look.ef)
        return run_of(list(queries), *self._engine.search(self._leg, vectors, look))


def leg_of(note: Note, model: str | None, collection: str) -> Leg:
    """The vectors that are searched: of the model's kind, or the only ones; ConfigError where there are none such."""
    if model is None:
        if len(note.legs) > 1:
            raise _refused(
                f"a model: {collection!r} has {' and '.join(note.legs)} vectors",
                "none",
                "give --model: the dense or the sparse one",
            )
        return next(iter(note.legs.values()))
    kind = of_model(model, "exact")
    wanted = "sparse" if kind is SPARSE else "dense" if kind is DENSE else kind.name
    for name, leg in note.legs.items():
        if name == wanted:
            return leg
    raise _refused(
        f"a model of {' or '.join(note.legs)} vectors, which {collection!r} has",
        f"{model}, a model of {wanted} vectors",
        "give the model that the collection was made with, or a student aligned with it",
    )


def _look(exact: bool, parameters: Mapping[str, float]) -> Look:
    if unknown := sorted(set(parameters) - set(DEPTHS)):
        raise _refused(f"search parameters of engines: {', '.join(DEPTHS)}", ", ".join(unknown), "leave it out")
    if exact and parameters:
        raise _refused("no search parameters where every score is computed", ", ".join(parameters), "leave them out")
    ef = parameters.get("efSearch", Look(1).ef)
    if ef != int(ef) or not 1 <= ef <= 10_000:
        raise _refused("efSearch as a whole number from 1 to 10000", repr(ef), "give another, such as 128")
    return Look(1, exact, int(ef))


def _require_documents(note: Note, engine: Engine, dataset: Dataset) -> None:
    held = engine.count()
    if note.ids != ids_hash(dataset.doc_ids) or held != note.documents:
        other = f"{note.documents:,} documents were pushed" + (
            f", and it holds {held:,}" if held != note.documents else ""
        )
        raise DataError(
            expected=f"a collection of the {len(dataset.doc_ids):,} documents of {dataset.path}",
            got=f"{engine.collection!r}: {other}; they are not the same",
            consequence="nothing was evaluated: documents would be missing or foreign",
            remedy="push an index of this data, or give the data that was pushed",
        )
    if note.contents and note.contents != contents_of((one.doc_id, one.contents) for one in dataset.documents()):
        raise DataError(
            expected=f"a collection of the documents of {dataset.path}",
            got=f"{engine.collection!r}, which has the same ids and was pushed with other texts",
            consequence="nothing was evaluated: what is found says something else in the data",
            remedy="push an index of this data, or give the data that was pushed",
        )


def _refused(expected: str, got: str, remedy: str) -> ConfigError:
    return ConfigError(expected=expected, got=got, consequence="nothing was evaluated", remedy=remedy)
