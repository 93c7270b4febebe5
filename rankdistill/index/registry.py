"""The index back ends by name. A factory string that names none of them is FAISS's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rankdistill.index.base import Index
from rankdistill.index.exact import ExactIndex
from rankdistill.index.faiss import FaissIndex


@dataclass(frozen=True)
class IndexSettings:
    """What kind of index.

    Args:
        dimension: length of a vector.
        similarity: `cosine` or `dot`.
        factory: `exact`, or a FAISS factory string.
        search_parameters: of FAISS: `efSearch`, `nprobe`, ...
    """

    dimension: int
    similarity: str
    factory: str = "exact"
    search_parameters: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Backend:
    """A back end.

    Args:
        create: `(settings, threads)` -> an empty index.
        load: `(folder, settings, mmap, gpu)` -> the index saved there.
    """

    create: Callable[[IndexSettings, int], Index]
    load: Callable[[Path, IndexSettings, bool, bool], Index]


def _create_exact(settings: IndexSettings, threads: int) -> Index:
    return ExactIndex(settings.dimension, settings.similarity)


def _load_exact(folder: Path, settings: IndexSettings, mmap: bool, gpu: bool) -> Index:
    return ExactIndex.load(folder, settings.similarity, mmap)


def _create_faiss(settings: IndexSettings, threads: int) -> Index:
    return FaissIndex(
        settings.dimension, settings.similarity, settings.factory, settings.search_parameters, threads=threads
    )


def _load_faiss(folder: Path, settings: IndexSettings, mmap: bool, gpu: bool) -> Index:
    return FaissIndex.load(
        folder, settings.similarity, settings.factory, settings.search_parameters, mmap=mmap, gpu=gpu
    )


BACKENDS: dict[str, Backend] = {
    "exact": Backend(_create_exact, _load_exact),
    "faiss": Backend(_create_faiss, _load_faiss),
}
"""Add a back end here: a name, how it is made, how it is read."""


def create(settings: IndexSettings, threads: int = 1) -> Index:
    """An empty index; `threads` is how many may add to it."""
    return _backend(settings).create(settings, threads)


def load(folder: Path, settings: IndexSettings, mmap: bool = True, gpu: bool = False) -> Index:
    """The index that was saved into `folder`."""
    return _backend(settings).load(folder, settings, mmap, gpu)


def _backend(settings: IndexSettings) -> Backend:
    return BACKENDS.get(settings.factory, BACKENDS["faiss"])
