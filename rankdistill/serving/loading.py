"""Sources as a state that answers: models loaded and warmed, indexes opened, spaces compared."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from rankdistill import models
from rankdistill.errors import ConfigError, RankdistillError
from rankdistill.serving.contracts import Metrics, SearchService, ServedModel, State
from rankdistill.serving.settings import ServeSettings, Sources
from rankdistill.space import MultiVectorSpace, Space, SparseSpace, TextSpace

if TYPE_CHECKING:
    from rankdistill.indexing import StoredIndex

VectorSpace: TypeAlias = Space | SparseSpace | MultiVectorSpace


class Loader:
    """Makes states, each from the models of the one before where their files are still the same.

    Args:
        settings: how models run and indexes are searched.
        metrics: what the engine feeds.

    Attributes:
        abandoned: models of a state that could not be finished; whoever has an event loop closes them.
    """

    def __init__(self, settings: ServeSettings, metrics: Metrics | None = None) -> None:
        self._settings, self._metrics = settings, metrics
        self._version = 0
        self._known: dict[str, tuple[object, ServedModel]] = {}
        self.abandoned: list[ServedModel] = []

    def load(self, sources: Sources, filters: Sequence[Mapping[str, Any]] = ()) -> State:
        """Load; blocking, and the models are warm afterwards.

        Args:
            sources: what is served.
            filters: of the keys; every index has their fields.

        Raises:
            RankdistillError: a model or an index does not load, or they are of two spaces; nothing of the old state
                was touched.
        """
        known: dict[str, tuple[object, ServedModel]] = {}
        indexes = _opened(sources.indexes, self._settings.parameters)
        _require_filters(indexes, filters)
        spaces = [one.space for one in indexes.values() if not isinstance(one.space, TextSpace)]
        try:
            for name, reference in sources.models.items():
                known[name] = self._model(name, reference, sources, spaces)
            served = {name: model for name, (_, model) in known.items()}
            self._require_reranker(sources, served)
            search = self._search(indexes, served, sources.reranker) if indexes else None
        except BaseException:
            before = {id(model) for _, model in self._known.values()}
            self.abandoned += [model for _, model in known.values() if id(model) not in before]
            raise
        self._known = known
        self._version += 1
        return State(served, search, sources.reranker, self._settings.default_side, self._version)

    def _search(
        self, indexes: Mapping[str, StoredIndex], served: Mapping[str, ServedModel], reranker: str | None
    ) -> SearchService:
        from rankdistill.fusion import Fusion
        from rankdistill.serving.retrieval import open_search

        fusion = None
        if self._settings.fusion is not None:
            method, weights = self._settings.fusion
            fusion = Fusion(method, None if weights is None else tuple(weights))
        return open_search(
            indexes,
            served,
            reranker=reranker,
            limits=self._settings.limits,
            rerank_depth=self._settings.rerank_depth,
            fusion=fusion,
            data=self._settings.data,
        )

    def _model(
        self, name: str, reference: str, sources: Sources, spaces: Sequence[VectorSpace]
    ) -> tuple[object, ServedModel]:
        from rankdistill.serving.models import load_model

        documents = _searched_with(reference, spaces)
        identity = (reference, files_of(reference), documents)
        before = self._known.get(name)
        if before is not None and before[0] == identity and identity[1]:
            return before
        settings = self._settings
        model = load_model(
            reference,
            name=name,
            backend=sources.backends.get(name, settings.backend),
            threads=settings.threads,
            limits=settings.limits,
            metrics=self._metrics,
            documents=documents,
        )
        return identity, model

    def _require_reranker(self, sources: Sources, served: Mapping[str, ServedModel]) -> None:
        if sources.reranker is None:
            return
        kind = served[sources.reranker].kind
        if kind not in ("pairs", "multi_vector"):
            raise ConfigError(
                expected="a cross-encoder or a multi-vector model as --reranker",
                got=f"{sources.models[sources.reranker]}, which is {kind}",
                consequence="nothing is served",
                remedy="give it as --model, or another model as --reranker",
            )


def _opened(folders: Mapping[str, str], parameters: Mapping[str, Mapping[str, float]]) -> dict[str, StoredIndex]:
    """Before any model is loaded: what is wrong with an index is told in a moment."""
    from rankdistill import indexing

    return {
        name: indexing.load(Path(folder), search_parameters=parameters.get(name)) for name, folder in folders.items()
    }


def _searched_with(reference: str, spaces: Sequence[VectorSpace]) -> VectorSpace | None:
    """The space of the index that this model made itself: it cuts queries where the documents were cut."""
    if not spaces:
        return None
    try:
        weights = models.resolve(reference).weights_hash
    except RankdistillError:
        return None  # a bundle, which knows its documents' space
    return next((one for one in spaces if one.document_tower == weights), None)


def files_of(reference: str) -> tuple[Any, ...]:
    """What tells a folder's files from those of another time: names, sizes, times; empty where there is no folder."""
    found = []
    for folder, inner, names in os.walk(reference):
        inner.sort()
        for name in sorted(names):
            path = os.path.join(folder, name)
            try:
                about = os.stat(path)
            except FileNotFoundError:
                continue
            found.append((path, about.st_size, about.st_mtime_ns, about.st_ino))
    return tuple(found)


def described(state: State) -> dict[str, Any]:
    """What a state serves, as JSON values."""
    return {
        "version": state.version,
        "models": [
            {
                "name": model.name,
                "kind": model.kind,
                "sides": list(model.sides),
                "dimension": model.dimensions[0] if model.dimensions else None,
                "backend": model.backend,
                "precision": model.precision,
                "reranks": model.name == state.reranker,
            }
            for model in state.models.values()
        ],
        "indexes": [] if state.search is None else list(state.search.indexes),
        "modes": [] if state.search is None else list(state.search.modes),
    }


def _require_filters(indexes: Mapping[str, StoredIndex], filters: Sequence[Mapping[str, Any]]) -> None:
    """Raise ConfigError where the filter of a key cannot hold in an index: its searches would all be refused."""
    for name, index in indexes.items():
        for filter in filters:
            try:
                index.filter(filter)
            except RankdistillError as error:
                raise ConfigError(
                    expected=f"filters of API keys that the index {name!r} can hold: {error.expected}",
                    got=error.got,
                    consequence="nothing was served: every search with that key would be refused",
                    remedy="build the index with these fields (index --field NAME), or change the key's filter",
                ) from error
