"""Seismic (Bruch et al., SIGIR 2024): approximate sparse search over blocked posting lists with summaries.

Its clusters are drawn at random and the library takes no seed: two builds of the same documents differ in
their bytes, and a little in what they find. Weights are stored in half precision, so scores are rounded to
about three digits.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import inf
from pathlib import Path
from typing import Any

import numpy as np

from rankdistill import _extras, files
from rankdistill.errors import ConfigError
from rankdistill.indexing.arrays import damaged
from rankdistill.indexing.backend import Backend, IndexSettings
from rankdistill.indexing.base import Allowed, Ids, Scores
from rankdistill.indexing.deepening import deepened
from rankdistill.indexing.documents import named, read_ids, write_ids
from rankdistill.indexing.sparse.base import SparseVectors, check_new, check_queries, distinct_rows
from rankdistill.indexing.sparse.exact import ExactSparseIndex
from rankdistill.indexing.topk import Positions, best_first
from rankdistill.indexing.vectors import refused

INDEX_FILE = "seismic.index.seismic"
SUFFIX = ".index.seismic"
"""The library puts it behind the name that it is given."""

BUILD_PARAMETERS: Mapping[str, float] = {
    "n_postings": 3500,
    "centroid_fraction": 0.1,
    "min_cluster_size": 2,
    "summary_energy": 0.4,
    "max_fraction": 1.5,
    "doc_cut": 15,
}
"""The library's own defaults."""

SEARCH_PARAMETERS: Mapping[str, float] = {"query_cut": 32, "heap_factor": 0.7}
"""How many of a query's heaviest terms choose the blocks, and how much better than a block's summary the k-th document
must be for the block to be left out: the lower, the more is read."""

BOUNDS = {
    "n_postings": (1, inf),
    "centroid_fraction": (0, 1),
    "min_cluster_size": (1, inf),
    "summary_energy": (0, 1),
    "max_fraction": (1, inf),
    "doc_cut": (1, inf),
    "query_cut": (1, inf),
    "heap_factor": (0, inf),
}
"""Outside them the library panics, or builds an index that finds nothing."""

LARGEST_VOCABULARY = 2**16
"""The library numbers terms with 16 bits; its other class, with 32, took 100 seconds to index 300 documents."""

_WHOLE = {"n_postings", "min_cluster_size", "doc_cut", "query_cut"}


class SeismicIndex:
    """Documents are kept until the first search or `save`, which builds the index.

    Args:
        dimension: terms in the vocabulary.
        search_parameters: some of `SEARCH_PARAMETERS`.
        build_parameters: some of `BUILD_PARAMETERS`.
        threads: of building.
        filtered: whether to keep all weights beside, which searches under a filter compare: what is allowed may lie
            where Seismic does not look, since it keeps the heaviest postings of all documents.

    Raises:
        MissingDependencyError: pyseismic-lsr is not installed.
        ConfigError: the vocabulary is larger than `LARGEST_VOCABULARY`; told before anything is encoded.
    """

    def __init__(
        self,
        dimension: int,
        search_parameters: Mapping[str, float],
        build_parameters: Mapping[str, float],
        threads: int = 1,
        filtered: bool = False,
    ) -> None:
        self._library = _extras.require("seismic", "the sparse index 'seismic'")
        if dimension > LARGEST_VOCABULARY:
            raise ConfigError(
                expected=f"a vocabulary of at most {LARGEST_VOCABULARY:,} terms, which Seismic numbers with 16 bits",
                got=f"{dimension:,}",
                consequence="nothing was built",
                remedy="take the back end 'lucene' or 'exact'",
            )
        self.dimension = dimension
        self.ids: list[str] = []
        self._search = _numbers(SEARCH_PARAMETERS, search_parameters)
        self._build = _numbers(BUILD_PARAMETERS, build_parameters) | {"num_threads": threads}
        self._documents = self._library.SeismicDataset(dim=dimension)
        self._index: Any = None
        self._weights = ExactSparseIndex(dimension) if filtered else None

    def add(self, ids: Sequence[str], vectors: SparseVectors) -> None:
        """See `Index.add`; raises DataError for a weight below 0 too, which Seismic's bounds do not allow."""
        check_new(ids, vectors, self.dimension, self.ids)
        if (vectors.data < 0).any():
            raise refused("weights of at least 0, as Seismic's bounds need them", f"{vectors.data.min():.3g}")
        sorted_rows = vectors.sorted_indices()
        self._documents.add_documents_by_id(
            [str(position) for position in range(len(self.ids), len(self.ids) + len(ids))],
            sorted_rows.indices.astype(np.int64),
            sorted_rows.data.astype(np.float32),
            sorted_rows.indptr.astype(np.int64),
        )
        if self._weights is not None:
            self._weights.add(ids, vectors)
        self.ids.extend(ids)
        self._index = None

    def search(self, vectors: SparseVectors, k: int, allowed: Allowed | None = None) -> tuple[Ids, Scores]:
        """See `Index.search`; the result has `min(k, documents)` columns."""
        positions, best = self.find(vectors, k, allowed)
        return named(positions, self.ids), best

    def find(self, vectors: SparseVectors, k: int, allowed: Allowed | None = None) -> tuple[Positions, Scores]:
        """As `search`, with positions in `ids`, negative where it found no more."""
        check_queries(vectors, self.dimension, k)
        if allowed is not None:
            if self._weights is not None:
                return self._weights.find(vectors, k, allowed)
            return deepened(lambda depth: self.find(vectors, depth), allowed, min(k, len(self.ids)))
        width = min(k, len(self.ids))
        positions = np.full((vectors.shape[0], width), -1, np.int64)
        scores = np.full((vectors.shape[0], width), -np.inf, np.float32)
        # Seismic gives the queries back in another order, and says which is which.
        for found in self._built().batch_search(*self._as_text(vectors), k=width, num_threads=1, **self._search):
            for column, (row, score, position) in enumerate(hit for hit in found if hit[1] > 0):
                positions[int(row), column], scores[int(row), column] = int(position), score
        empty = positions < 0
        ordered, best = best_first(np.where(empty, np.iinfo(np.int64).max, positions), scores)
        return np.where(np.isneginf(best), -1, ordered), best

    def save(self, folder: Path) -> None:
        """See `Index.save`."""
        with files.output_errors(folder), files.atomic_path(folder / INDEX_FILE) as temporary, _silent():
            self._built().save(str(temporary))
            temporary.with_name(temporary.name + SUFFIX).replace(temporary)
        if self._weights is not None:
            self._weights.save(folder)
        write_ids(folder, self.ids)

    @classmethod
    def load(
        cls, folder: Path, dimension: int, search_parameters: Mapping[str, float], filtered: bool = False
    ) -> SeismicIndex:
        """Read what `save` wrote.

        Raises:
            DataError: the file is absent or damaged.
        """
        index = cls(dimension, search_parameters, {})
        index.ids = read_ids(folder, None)
        index._weights = ExactSparseIndex.load(folder, dimension) if filtered else None
        try:
            with _silent():
                index._index = index._library.SeismicIndex.load(str(folder / INDEX_FILE))
        except OSError as error:
            raise damaged(f"an index that Seismic can read: {folder / INDEX_FILE}", str(error)) from error
        return index

    def _built(self) -> Any:
        if self._index is None:
            with _silent():
                self._index = self._library.SeismicIndex.build_from_dataset(self._documents, **self._build)
        return self._index

    def _as_text(self, vectors: SparseVectors) -> tuple[Any, list[Any], list[Any]]:
        """Names of the queries, their terms as text, and the weights, as the library wants them."""
        text = self._library.get_seismic_string()
        rows = [slice(*vectors.indptr[row : row + 2]) for row in range(vectors.shape[0])]
        filled = [(str(number), row) for number, row in enumerate(rows) if row.start < row.stop]
        return (
            np.array([number for number, _ in filled], text),
            [vectors.indices[row].astype(text) for _, row in filled],
            [vectors.data[row].astype(np.float32) for _, row in filled],
        )


def _numbers(defaults: Mapping[str, float], given: Mapping[str, float]) -> dict[str, float]:
    return {name: int(value) if name in _WHOLE else value for name, value in {**defaults, **given}.items()}


@contextmanager
def _silent() -> Iterator[None]:
    """Keep what the library prints (it writes to file descriptor 1 itself) off standard output."""
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 1)
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def _create(settings: IndexSettings, threads: int) -> SeismicIndex:
    return SeismicIndex(
        settings.dimension, settings.search_parameters, settings.build_parameters, threads, settings.filtered
    )


def _load(folder: Path, settings: IndexSettings, mmap: bool, gpu: bool) -> SeismicIndex:
    return SeismicIndex.load(folder, settings.dimension, settings.search_parameters, settings.filtered)


BACKEND = Backend(
    _create,
    _load,
    tuple(BUILD_PARAMETERS),
    tuple(SEARCH_PARAMETERS),
    BUILD_PARAMETERS,
    BOUNDS,
    distinct=lambda settings: distinct_rows(settings.dimension),
)
