"""What every index offers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
"""float32 `[n, dimension]`."""

Ids = NDArray[np.object_]
"""Document ids, `[queries, k]`; `NOTHING` where an approximate search found fewer than k."""

Scores = NDArray[np.float32]
"""Cosine or dot, `[queries, k]`, in falling order; minus infinity where the id is `NOTHING`."""

Allowed = NDArray[np.bool_]
"""bool `[documents]`: which of them a search may find, in the order of `ids`; what a filter on their fields leaves."""

NOTHING = ""
"""Stands in a result for "no further document": no document has the empty string as its id."""


Queries = TypeVar("Queries", contravariant=True)
"""What an index is given: dense `Vectors`, the sparse ones of `rankdistill.indexing.sparse.base`, or texts."""


class Searcher(Protocol[Queries]):
    """Vectors, or texts, by document id, ready to be searched.

    The score is the dot product, or the cosine where the space says so: the index then normalises what it is given. Of
    texts it is BM25's.
    """

    @property
    def ids(self) -> list[str]:
        """The document ids in the order in which they were added."""
        ...

    def search(self, vectors: Queries, k: int, allowed: Allowed | None = None) -> tuple[Ids, Scores]:
        """The best `k` documents (or all, if there are fewer) for each query vector; equal scores in insertion order.

        Args:
            vectors: of the queries.
            k: at least 1.
            allowed: those that may be found: the best `k` of them, as if there were no others; None: all. Rows of the
                result keep their length, and end in `NOTHING` where fewer are allowed.

        Raises:
            ConfigError: `k` is below 1.
            SpaceMismatchError: the query vectors have another length.
            DataError: a query vector is not finite.
        """
        ...


class Index(Searcher[Queries], Protocol[Queries]):
    """A searcher that documents can be added to, and that can be written to disk."""

    def add(self, ids: Sequence[str], vectors: Queries) -> None:
        """Add documents.

        Raises:
            DataError: an id is empty or already there, a vector has another length or is not finite.
        """
        ...

    def save(self, folder: Path) -> None:
        """Write the index into `folder`, which exists."""
        ...
