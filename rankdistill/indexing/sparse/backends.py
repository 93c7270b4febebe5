"""The back ends of sparse indexes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rankdistill.indexing.backend import Backend, IndexSettings
from rankdistill.indexing.base import Index
from rankdistill.indexing.lucene.backends import IMPACT
from rankdistill.indexing.sparse.base import SparseVectors, distinct_rows
from rankdistill.indexing.sparse.exact import ExactSparseIndex
from rankdistill.indexing.sparse.seismic import BOUNDS, BUILD_PARAMETERS, SEARCH_PARAMETERS, SeismicIndex


def _create_exact(settings: IndexSettings, threads: int) -> Index[SparseVectors]:
    return ExactSparseIndex(settings.dimension)


def _load_exact(folder: Path, settings: IndexSettings, mmap: bool, gpu: bool) -> Index[SparseVectors]:
    return ExactSparseIndex.load(folder, settings.dimension, mmap)


def _create_seismic(settings: IndexSettings, threads: int) -> Index[SparseVectors]:
    return SeismicIndex(settings.dimension, settings.search_parameters, settings.build_parameters, threads)


def _load_seismic(folder: Path, settings: IndexSettings, mmap: bool, gpu: bool) -> Index[SparseVectors]:
    return SeismicIndex.load(folder, settings.dimension, settings.search_parameters)


SPARSE: Mapping[str, Backend] = {
    "exact": Backend(_create_exact, _load_exact),
    "seismic": Backend(
        _create_seismic,
        _load_seismic,
        tuple(BUILD_PARAMETERS),
        tuple(SEARCH_PARAMETERS),
        BUILD_PARAMETERS,
        BOUNDS,
        distinct=lambda settings: distinct_rows(settings.dimension),
    ),
    "lucene": IMPACT,
}
"""Name -> back end. Those that want another library import it when they are made or read."""
