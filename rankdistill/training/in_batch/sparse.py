"""What sparse vectors are as in-batch teachers: rows over a vocabulary, compared by dot product."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rankdistill.space import Space, SparseSpace
from rankdistill.teachers.base import Role
from rankdistill.teachers.sparse import SparseTeacher
from rankdistill.training.in_batch import mapped

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_ARCHIVE = b"PK"
"""How the files begin that earlier versions wrote."""


class SparseVectors:
    """How the vectors of a sparse model are made, kept and compared; under cosine they come with unit length.

    Args:
        model: the teacher.
    """

    def __init__(self, model: SparseTeacher) -> None:
        self.teacher_id = model.teacher_id
        self.space: Space | None = None
        self.tower: Space | SparseSpace | None = model.space

    def encode(self, model: SparseTeacher, texts: Sequence[str], kind: Role) -> csr_array:
        """float32[n, vocabulary]."""
        return model.encode(texts, kind)

    def save(self, path: Path, block: csr_array) -> None:
        """Write a block."""
        mapped.save(path, np.array(block.shape), block.indptr, block.indices, block.data)

    def load(self, path: Path) -> csr_array:
        """A block, mapped into memory."""
        from scipy import sparse

        with path.open("rb") as file:
            is_archive = file.read(len(_ARCHIVE)) == _ARCHIVE
        if is_archive:
            return sparse.csr_array(sparse.load_npz(path))
        shape, starts, terms, weights = mapped.load(path)
        return sparse.csr_array((weights, terms, starts), shape=tuple(shape.tolist()))

    def take(self, blocks: Sequence[csr_array], places: Sequence[tuple[int, int]]) -> csr_array:
        """The vectors at places (block, row)."""
        from scipy import sparse

        asked = np.array(places, dtype=np.int64).reshape(-1, 2)
        order = np.argsort(asked[:, 0], kind="stable")
        parts = [blocks[block][asked[asked[:, 0] == block, 1]] for block in np.unique(asked[:, 0])]
        return sparse.csr_array(sparse.vstack(parts, format="csr"))[np.argsort(order)]

    def scores(self, queries: csr_array, documents: csr_array) -> NDArray[np.float32]:
        """float32[queries, documents]."""
        return np.asarray((queries @ documents.T).toarray(), dtype=np.float32)

    def pooled(self, queries: csr_array) -> csr_array:
        """One vector a query, of unit length: long queries are not a topic of their own."""
        from scipy import sparse

        lengths = np.sqrt(queries.multiply(queries).sum(axis=1))
        found = sparse.csr_array(queries.multiply(1 / np.maximum(lengths, 1e-12)[:, None])).astype(np.float32)
        narrow = (one.astype(np.int32) for one in (found.indices, found.indptr))  # all that scikit-learn takes
        return sparse.csr_array((found.data, *narrow), shape=found.shape)
