"""The index back ends by kind and name. A factory string of a dense index that names none of them is FAISS's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf, isfinite
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

from rankdistill.errors import ConfigError
from rankdistill.indexing import faiss
from rankdistill.indexing.backend import Backend, IndexSettings, RowsOnDisk
from rankdistill.indexing.base import Index
from rankdistill.indexing.distinct import DistinctIndex, Positional
from rankdistill.indexing.faiss import FaissIndex
from rankdistill.names import load as load_named

__all__ = [
    "BACKENDS",
    "IndexSettings",
    "build_effects",
    "create",
    "kinds_of",
    "load",
    "named",
    "require_known",
    "search_effects",
]


BACKENDS: Mapping[str, Mapping[str, str]] = {
    "dense": {
        "exact": "rankdistill.indexing.exact:BACKEND",
        "faiss": "rankdistill.indexing.faiss:BACKEND",
        "lucene": "rankdistill.indexing.lucene.backends:HNSW",
    },
    "sparse": {
        "exact": "rankdistill.indexing.sparse.exact:BACKEND",
        "seismic": "rankdistill.indexing.sparse.seismic:BACKEND",
        "lucene": "rankdistill.indexing.lucene.backends:IMPACT",
    },
    "multi_vector": {
        "exact": "rankdistill.indexing.multi_vector.exact:BACKEND",
        "token-ivf": "rankdistill.indexing.multi_vector.token_ivf:BACKEND",
    },
    "text": {
        "bm25": "rankdistill.indexing.text.bm25:BACKEND",
        "lucene-bm25": "rankdistill.indexing.lucene.backends:BM25",
    },
}
"""Kind of what is searched -> name -> `module:attribute` of its `Backend`. Add one here."""

USUAL_DIMENSIONS = (384, 768, 1024, 512, 256, 128, 96, 64, 32, 312, 16, 8)
"""Lengths of vectors with which a FAISS factory string is tried while the model's is not known."""


def names() -> list[str]:
    """The back ends of all kinds."""
    return sorted({name for known in BACKENDS.values() for name in known})


def named(kind: str, name: str) -> Backend:
    """The back end called `name`, a key of `BACKENDS[kind]`; imports its module."""
    found: Backend = load_named(BACKENDS[kind][name])
    return found


def kinds_of(factory: str) -> list[str]:
    """The kinds that have a back end called `factory`; a name of none of them is a FAISS factory string: dense."""
    return [kind for kind, known in BACKENDS.items() if factory in known] or ["dense"]


def create(settings: IndexSettings, threads: int = 1) -> Index[Any]:
    """An empty index; `threads` is how many may add to it.

    Raises:
        ConfigError: the kind has no such back end, or the back end no such parameter.
    """
    require_known(settings)
    backend = _backend(settings)
    made = backend.create(settings, threads)
    # Those that have `distinct` are `Positional`.
    return made if backend.distinct is None else DistinctIndex(cast(Positional, made), backend.distinct(settings))


def require_factory(
    factory: str,
    search_parameters: Mapping[str, float],
    build_parameters: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Raise unless `factory` names a back end, or a FAISS index of vectors of some usual length.

    For when the model is not there yet: whether its vectors have that length is told by `require_usable`.

    Raises:
        ConfigError: neither, or it lacks one of the parameters in every kind that has it.
        MissingDependencyError: it is FAISS's, which is not installed.
    """
    refused: ConfigError | None = None
    for kind in kinds_of(factory):
        try:
            require_known(IndexSettings(USUAL_DIMENSIONS[0], "dot", factory, search_parameters, build_parameters, kind))
        except ConfigError as error:
            refused = refused or error
        else:
            refused = None
            break
    if refused is not None:
        raise refused
    if factory in names():
        return
    for dimension in USUAL_DIMENSIONS:
        try:
            create(IndexSettings(dimension, "dot", factory, search_parameters))
        except ConfigError as error:
            refused = refused or error
        else:
            return
    if refused is not None:
        raise refused


def require_usable(settings: IndexSettings, texts: Callable[[], int]) -> None:
    """Raise unless an index of these settings can be made and trained; told before anything is encoded.

    Args:
        settings: of the index.
        texts: how many distinct texts it will hold, or the smallest of its shards; asked only where one is trained.

    Raises:
        ConfigError: an unknown back end or parameter, a factory string that FAISS does not take for this dimension, or
            fewer texts than it is trained on.
        MissingDependencyError: the back end's library is not installed.
    """
    made = create(settings)
    if isinstance(made, DistinctIndex) and isinstance(made.index, FaissIndex) and made.index.least_to_train > 1:
        made.index.require_trainable(texts())


def build_effects(settings: IndexSettings, copies: Callable[[], int]) -> dict[str, Any]:
    """What decides a built index beside its settings, for its identity; empty for most.

    Args:
        settings: of the index.
        copies: how many documents have the text of an earlier one of their shard; asked only where that counts.
    """
    number = 0 if _backend(settings).distinct is None else copies()
    return {"copies": number} if number else {}


def rows_file(settings: IndexSettings) -> RowsOnDisk | None:
    """How the vectors lie in one file, where the back end keeps them so; see `RowsOnDisk`."""
    return _backend(settings).rows_file


def search_effects(settings: IndexSettings) -> dict[str, Any]:
    """What decides searches beside the settings, for the identity of their results; empty for most."""
    if _backend(settings) is not faiss.BACKEND:
        return {}
    hidden = faiss.hidden_search(settings.factory)
    return {name: value for name, value in hidden.items() if name not in settings.search_parameters}


def load(folder: Path, settings: IndexSettings, mmap: bool = True, gpu: bool = False) -> Index[Any]:
    """The index that was saved into `folder`."""
    backend = _backend(settings)
    made = backend.load(folder, settings, mmap, gpu)
    if backend.distinct is None:
        return made
    return DistinctIndex.load(folder, cast(Positional, made), backend.distinct(settings))


def build_parameters(settings: IndexSettings) -> Mapping[str, Any]:
    """Those of `settings`, and what the back end takes for those that are not given."""
    return {**_backend(settings).build_defaults, **settings.build_parameters}


def require_known(settings: IndexSettings) -> None:
    """Raise ConfigError if the kind has no such back end, or the back end no such parameter or not with that value."""
    backend = _backend(settings)
    given = {"search": settings.search_parameters, "build": settings.build_parameters}
    known = {"search": backend.search_parameters, "build": backend.build_parameters}
    for when, names in known.items():
        unknown = [] if names is None else sorted(set(given[when]) - set(names))
        if unknown:
            raise ConfigError(
                expected=f"{when} parameters of {settings.factory!r}: {', '.join(names or ()) or 'it has none'}",
                got=", ".join(unknown),
                consequence="nothing was built or searched",
                remedy="leave them out, or name one of those",
            )
        for name, value in given[when].items():
            if name in backend.names:
                backend.names[name](str(value))
                continue
            if not isinstance(value, int | float):
                raise ConfigError(
                    expected=f"a number for {name} of {settings.factory!r}",
                    got=repr(value),
                    consequence="nothing was built or searched",
                    remedy="give a number, or leave it out",
                )
            smallest, largest = backend.bounds.get(name, (-inf, inf))
            if not (isfinite(value) and smallest <= value <= largest):
                raise ConfigError(
                    expected=f"{name} of {settings.factory!r} {_between(smallest, largest)}",
                    got=f"{value:g}",
                    consequence="nothing was built or searched",
                    remedy="give such a value, or leave it out",
                )


def _between(smallest: float, largest: float) -> str:
    if isfinite(largest):
        return f"from {smallest:g} to {largest:g}"
    return f"of at least {smallest:g}" if isfinite(smallest) else "to be finite"


def _backend(settings: IndexSettings) -> Backend:
    known = BACKENDS[settings.kind]
    if settings.factory in known:
        return named(settings.kind, settings.factory)
    if settings.kind == "dense":
        return faiss.BACKEND
    raise ConfigError(
        expected=f"a back end of {settings.kind} indexes: {', '.join(known)}",
        got=repr(settings.factory),
        consequence="nothing was built or searched",
        remedy="name one of those, or give a model of the kind that this back end searches",
    )
