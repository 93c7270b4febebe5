"""The index back ends by name. A factory string that names none of them is FAISS's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rankdistill.errors import ConfigError
from rankdistill.index.base import Index, Vectors
from rankdistill.index.exact import ExactIndex
from rankdistill.index.faiss import FaissIndex


@dataclass(frozen=True)
class IndexSettings:
    """What kind of index.

    Args:
        dimension: length of a vector.
        similarity: `cosine` or `dot`.
        factory: `exact`, or a FAISS factory string.
        search_parameters: of the back end's searches: FAISS's `efSearch`, `nprobe`, ...
        build_parameters: of how the back end builds.
    """

    dimension: int
    similarity: str
    factory: str = "exact"
    search_parameters: Mapping[str, float] = field(default_factory=dict)
    build_parameters: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Backend:
    """A back end.

    Args:
        create: `(settings, threads)` -> an empty index.
        load: `(folder, settings, mmap, gpu)` -> the index saved there.
        build_parameters: the names that it takes.
        search_parameters: the names that it takes; None where it checks them itself.
    """

    create: Callable[[IndexSettings, int], Index[Any]]
    load: Callable[[Path, IndexSettings, bool, bool], Index[Any]]
    build_parameters: tuple[str, ...] = ()
    search_parameters: tuple[str, ...] | None = ()


def _create_exact(settings: IndexSettings, threads: int) -> Index[Vectors]:
    return ExactIndex(settings.dimension, settings.similarity)


def _load_exact(folder: Path, settings: IndexSettings, mmap: bool, gpu: bool) -> Index[Vectors]:
    return ExactIndex.load(folder, settings.similarity, mmap)


def _create_faiss(settings: IndexSettings, threads: int) -> Index[Vectors]:
    return FaissIndex(
        settings.dimension, settings.similarity, settings.factory, settings.search_parameters, threads=threads
    )


def _load_faiss(folder: Path, settings: IndexSettings, mmap: bool, gpu: bool) -> Index[Vectors]:
    return FaissIndex.load(
        folder, settings.similarity, settings.factory, settings.search_parameters, mmap=mmap, gpu=gpu
    )


BACKENDS: dict[str, Backend] = {
    "exact": Backend(_create_exact, _load_exact),
    "faiss": Backend(_create_faiss, _load_faiss, search_parameters=None),
}
"""Add a back end here: a name, how it is made, how it is read."""


def create(settings: IndexSettings, threads: int = 1) -> Index[Any]:
    """An empty index; `threads` is how many may add to it.

    Raises:
        ConfigError: a parameter that the back end does not have.
    """
    backend = _backend(settings)
    require_known(backend, settings)
    return backend.create(settings, threads)


def load(folder: Path, settings: IndexSettings, mmap: bool = True, gpu: bool = False) -> Index[Any]:
    """The index that was saved into `folder`."""
    return _backend(settings).load(folder, settings, mmap, gpu)


def require_known(backend: Backend, settings: IndexSettings) -> None:
    """Raise ConfigError if `settings` have a parameter that `backend` does not."""
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


def _backend(settings: IndexSettings) -> Backend:
    return BACKENDS.get(settings.factory, BACKENDS["faiss"])
