"""Lucene's back ends of sparse, text and dense indexes. What they search with is imported when it is needed."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from pathlib import Path

from rankdistill.indexing.backend import BM25_BOUNDS, Backend, IndexSettings
from rankdistill.indexing.base import Index, Vectors
from rankdistill.indexing.lucene import hnsw
from rankdistill.indexing.lucene.bm25 import LuceneBm25Index, require_language
from rankdistill.indexing.lucene.impact import LuceneImpactIndex
from rankdistill.indexing.lucene.quantisation import FACTOR
from rankdistill.indexing.sparse.base import SparseVectors
from rankdistill.indexing.vectors import distinct_rows


def _create_impact(settings: IndexSettings, threads: int) -> Index[SparseVectors]:
    return LuceneImpactIndex(settings.dimension, vocabulary=settings.vocabulary, **settings.build_parameters)


def _load_impact(folder: Path, settings: IndexSettings, mmap: bool, gpu: bool) -> Index[SparseVectors]:
    parameters = {**settings.build_parameters, **settings.search_parameters}
    return LuceneImpactIndex.load(folder, settings.dimension, **parameters)


def _create_bm25(settings: IndexSettings, threads: int) -> Index[Sequence[str]]:
    return LuceneBm25Index(**settings.build_parameters)


def _load_bm25(folder: Path, settings: IndexSettings, mmap: bool, gpu: bool) -> Index[Sequence[str]]:
    return LuceneBm25Index.load(folder, **{**settings.build_parameters, **settings.search_parameters})


def _create_hnsw(settings: IndexSettings, threads: int) -> Index[Vectors]:
    return hnsw.LuceneHnswIndex(
        settings.dimension, settings.similarity, settings.build_parameters, settings.search_parameters
    )


def _load_hnsw(folder: Path, settings: IndexSettings, mmap: bool, gpu: bool) -> Index[Vectors]:
    return hnsw.LuceneHnswIndex.load(folder, settings.dimension, settings.similarity, settings.search_parameters)


THREADS = {"threads": (1, inf)}

IMPACT = Backend(_create_impact, _load_impact, ("factor",), ("threads",), {"factor": FACTOR}, THREADS)
BM25 = Backend(
    _create_bm25,
    _load_bm25,
    ("k1", "b", "language"),
    ("threads",),
    {"k1": 0.9, "b": 0.4},
    BM25_BOUNDS | THREADS,
    names={"language": require_language},
)
HNSW = Backend(
    _create_hnsw,
    _load_hnsw,
    tuple(hnsw.BUILD_PARAMETERS),
    tuple(hnsw.SEARCH_PARAMETERS),
    hnsw.BUILD_PARAMETERS,
    hnsw.BOUNDS,
    distinct=lambda settings: distinct_rows(settings.dimension, settings.similarity),
)
