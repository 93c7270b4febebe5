"""Approximate MaxSim: the tokens nearest to the query's tokens (FAISS) choose documents, which are scored exactly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from math import ceil, inf
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rankdistill import files
from rankdistill.indexing.backend import Backend, IndexSettings
from rankdistill.indexing.base import Allowed, Ids, Scores
from rankdistill.indexing.documents import named, read_ids, write_ids
from rankdistill.indexing.faiss import import_faiss, read_native, write_native
from rankdistill.indexing.multi_vector.base import (
    check_new,
    check_queries,
    check_similarity,
    distinct_rows,
    read_vectors,
    texts_at,
    write_vectors,
)
from rankdistill.indexing.topk import Positions, best_first
from rankdistill.inference.token_vectors import TokenVectors, joined, max_sim, of_texts
from rankdistill.mining.top_k import top_indices

INDEX_FILE = "tokens.faiss"
TOKENS_A_LIST, TOKENS_TO_TRAIN = 39, 64
"""What FAISS wants at least to train a centroid, and what it gets at most: training takes most of a build's time."""

BUILD_PARAMETERS: Mapping[str, float] = {"lists": 0}
"""Inverted lists; 0 makes twice the square root of the number of tokens, as far as there are enough to train."""

SEARCH_PARAMETERS: Mapping[str, float] = {"nprobe": 32, "neighbours": 128, "candidates": 512}
"""Lists that are read and tokens that are kept for each query token, and documents a query that are scored exactly."""

BOUNDS = {"lists": (0, inf), "nprobe": (1, inf), "neighbours": (1, inf), "candidates": (1, inf)}
"""Outside them nothing is found, or FAISS stops."""


COMPARED = 2
"""Where no more are allowed than so many times `candidates`, all of them are compared."""


class _Among:
    """The documents that a filter allows, without those that have no token."""

    def __init__(self, faiss: Any, every: TokenVectors, allowed: Allowed) -> None:
        self.places = np.flatnonzero(allowed & (every.lengths > 0))
        tokens = np.repeat(allowed, every.lengths)
        share = max(1, int(tokens.sum())) / max(1, len(tokens))
        self.stretch = (2 - share) / share
        self.selector = faiss.IDSelectorBitmap(np.packbits(tokens, bitorder="little"))
        self._every = every

    @cached_property
    def documents(self) -> TokenVectors:
        """Their vectors, copied."""
        return texts_at(self._every, self.places)


class TokenIvfIndex:
    """Token vectors, and 8-bit codes of them in inverted lists; built at the first search or `save`.

    Candidates are chosen by the sum over query tokens of the nearest token that was found in the document; a query
    token that found none there counts as its last neighbour. Scores are exact: candidates are compared with all tokens.

    Args:
        dimension: length of a token's vector.
        similarity: `maxsim` or `meanmaxsim`.
        search_parameters: some of `SEARCH_PARAMETERS`.
        build_parameters: some of `BUILD_PARAMETERS`.
        threads: of building.

    Raises:
        MissingDependencyError: FAISS is not installed, or installed twice.
        ConfigError: another similarity.
    """

    def __init__(
        self,
        dimension: int,
        similarity: str,
        search_parameters: Mapping[str, float],
        build_parameters: Mapping[str, float],
        threads: int = 1,
    ) -> None:
        check_similarity(similarity)
        self._faiss = import_faiss()
        self.dimension = dimension
        self.similarity = similarity
        self.ids: list[str] = []
        self._chosen = {name: int(value) for name, value in {**SEARCH_PARAMETERS, **search_parameters}.items()}
        self._lists = int({**BUILD_PARAMETERS, **build_parameters}["lists"])
        self._threads = threads
        self._documents = of_texts([], dimension)
        self._index: Any = None

    def add(self, ids: Sequence[str], vectors: TokenVectors) -> None:
        """See `Index.add`."""
        check_new(ids, vectors, self.dimension, self.ids)
        self._documents = joined([self._documents, vectors]) if self.ids else vectors
        self.ids.extend(ids)
        self._index = None

    def search(self, vectors: TokenVectors, k: int, allowed: Allowed | None = None) -> tuple[Ids, Scores]:
        """See `Index.search`; the result has `min(k, documents)` columns."""
        positions, best = self.find(vectors, k, allowed)
        return named(positions, self.ids), best

    def find(self, vectors: TokenVectors, k: int, allowed: Allowed | None = None) -> tuple[Positions, Scores]:
        """As `search`, with positions in `ids`, negative where it found no more."""
        check_queries(vectors, self.dimension, k)
        width = min(k, len(self.ids))
        positions = np.full((len(vectors), width), -1, np.int64)
        best = np.full((len(vectors), width), -np.inf, np.float32)
        among = None if allowed is None else _Among(self._faiss, self._documents, allowed)
        for row in range(len(vectors)):
            query = vectors.some(row, row + 1)
            if not len(query.vectors) or not len(self._documents.vectors):
                continue
            if among is not None and len(among.places) <= COMPARED * self._chosen["candidates"]:
                found, documents = among.places, among.documents
            else:
                found = self._candidates(query, max(k, self._chosen["candidates"]), among)
                if among is not None and len(found) < min(width, len(among.places)):
                    found, documents = among.places, among.documents
                else:
                    documents = texts_at(self._documents, found)
            if not len(found):
                continue
            scores = max_sim(query, documents, self.similarity == "meanmaxsim")
            ordered, values = best_first(found[None], scores)
            kept = min(width, len(found))
            positions[row, :kept], best[row, :kept] = ordered[0, :kept], values[0, :kept]
        return positions, best

    def save(self, folder: Path) -> None:
        """See `Index.save`."""
        with files.output_errors(folder), files.atomic_path(folder / INDEX_FILE) as temporary:
            write_native(self._faiss, self._built(), temporary)
        write_vectors(folder, self._documents)
        write_ids(folder, self.ids)

    @classmethod
    def load(
        cls, folder: Path, similarity: str, search_parameters: Mapping[str, float], mmap: bool = True
    ) -> TokenIvfIndex:
        """Read what `save` wrote; with `mmap`, vectors stay on disk until they are searched."""
        documents = read_vectors(folder, mmap)
        index = cls(documents.dimension, similarity, search_parameters, {})
        index._documents = documents
        index.ids = read_ids(folder, len(documents))
        flag = index._faiss.IO_FLAG_MMAP if mmap else 0
        index._index = read_native(index._faiss, folder / INDEX_FILE, flag)
        return index

    def _candidates(self, query: TokenVectors, count: int, among: _Among | None) -> NDArray[np.int64]:
        """Positions of the documents to score, in rising order."""
        index = self._built()
        lists = self._faiss.extract_index_ivf(index)
        lists.nprobe = self._chosen["nprobe"]
        neighbours = min(self._chosen["neighbours"], len(self._documents.vectors))
        parameters = None
        if among is not None:
            probed = min(lists.nlist, ceil(lists.nprobe * among.stretch))
            parameters = self._faiss.SearchParametersIVF(sel=among.selector, nprobe=probed)
        vectors = np.ascontiguousarray(query.vectors, np.float32)
        similarities, tokens = index.search(vectors, neighbours, params=parameters)
        found = tokens >= 0
        documents = np.searchsorted(self._documents.starts, tokens, side="right") - 1
        floor = np.where(found, similarities, np.inf).min(axis=1)
        floor = np.where(np.isfinite(floor), floor, 0)
        distinct, places = np.unique(documents[found], return_inverse=True)
        gains = np.zeros((len(query.vectors), len(distinct)), np.float32)
        rows = np.nonzero(found)[0]
        np.maximum.at(gains, (rows, places), similarities[found] - floor[rows])
        return np.sort(distinct[top_indices(gains.sum(axis=0), count)])

    def _built(self) -> Any:
        if self._index is None:
            self._index = self._build()
        return self._index

    def _build(self) -> Any:
        tokens = np.ascontiguousarray(self._documents.vectors, np.float32)
        wanted = self._lists or round(2 * len(tokens) ** 0.5)
        lists = max(1, min(wanted, len(tokens) // TOKENS_A_LIST))
        index = self._faiss.index_factory(self.dimension, f"IVF{lists},SQ8", self._faiss.METRIC_INNER_PRODUCT)
        self._faiss.extract_index_ivf(index).cp.max_points_per_centroid = TOKENS_TO_TRAIN
        before = self._faiss.omp_get_max_threads()
        self._faiss.omp_set_num_threads(self._threads)
        try:
            if len(tokens):
                index.train(tokens)
                index.add(tokens)
        finally:
            self._faiss.omp_set_num_threads(before)
        return index


def _create(settings: IndexSettings, threads: int) -> TokenIvfIndex:
    return TokenIvfIndex(
        settings.dimension, settings.similarity, settings.search_parameters, settings.build_parameters, threads
    )


def _load(folder: Path, settings: IndexSettings, mmap: bool, gpu: bool) -> TokenIvfIndex:
    return TokenIvfIndex.load(folder, settings.similarity, settings.search_parameters, mmap)


BACKEND = Backend(
    _create,
    _load,
    tuple(BUILD_PARAMETERS),
    tuple(SEARCH_PARAMETERS),
    bounds=BOUNDS,
    distinct=lambda settings: distinct_rows(settings.dimension),
)
