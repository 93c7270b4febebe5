"""The back ends of multi-vector indexes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rankdistill.indexing.backend import Backend, IndexSettings
from rankdistill.indexing.base import Index
from rankdistill.indexing.multi_vector.base import distinct_rows
from rankdistill.indexing.multi_vector.exact import ExactMaxSimIndex
from rankdistill.indexing.multi_vector.token_ivf import BOUNDS, BUILD_PARAMETERS, SEARCH_PARAMETERS, TokenIvfIndex
from rankdistill.inference.token_vectors import TokenVectors


def _create_exact(settings: IndexSettings, threads: int) -> Index[TokenVectors]:
    return ExactMaxSimIndex(settings.dimension, settings.similarity)


def _load_exact(folder: Path, settings: IndexSettings, mmap: bool, gpu: bool) -> Index[TokenVectors]:
    return ExactMaxSimIndex.load(folder, settings.similarity, mmap)


def _create_token_ivf(settings: IndexSettings, threads: int) -> Index[TokenVectors]:
    return TokenIvfIndex(
        settings.dimension, settings.similarity, settings.search_parameters, settings.build_parameters, threads
    )


def _load_token_ivf(folder: Path, settings: IndexSettings, mmap: bool, gpu: bool) -> Index[TokenVectors]:
    return TokenIvfIndex.load(folder, settings.similarity, settings.search_parameters, mmap)


MULTI_VECTOR: Mapping[str, Backend] = {
    "exact": Backend(_create_exact, _load_exact),
    "token-ivf": Backend(
        _create_token_ivf,
        _load_token_ivf,
        tuple(BUILD_PARAMETERS),
        tuple(SEARCH_PARAMETERS),
        bounds=BOUNDS,
        distinct=lambda settings: distinct_rows(settings.dimension),
    ),
}
"""Name -> back end."""
