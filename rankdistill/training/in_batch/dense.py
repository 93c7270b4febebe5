"""What dense vectors are as in-batch teachers: arrays of one row a text, compared by dot product or cosine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rankdistill.space import Space, SparseSpace
from rankdistill.teachers.base import Role
from rankdistill.teachers.embedding import BiEncoderTeacher

Vectors = NDArray[np.float32]


class DenseVectors:
    """How the vectors of a dense model are made, kept and compared.

    Args:
        model: the teacher.
    """

    def __init__(self, model: BiEncoderTeacher) -> None:
        self.teacher_id = model.teacher_id
        self.similarity = model.score_kind
        self.space: Space | None = model.space
        self.tower: Space | SparseSpace | None = model.space

    def encode(self, model: BiEncoderTeacher, texts: Sequence[str], kind: Role) -> Vectors:
        """float32[n, dim]."""
        return model.embed(texts, kind)

    def save(self, path: Path, block: Vectors) -> None:
        """Write a block."""
        with path.open("wb") as file:
            np.save(file, block)

    def load(self, path: Path) -> Vectors:
        """A block, mapped into memory."""
        return np.asarray(np.load(path, mmap_mode="r"))

    def take(self, blocks: Sequence[Vectors], places: Sequence[tuple[int, int]]) -> Vectors:
        """The vectors at places (block, row)."""
        return np.stack([blocks[block][row] for block, row in places])

    def scores(self, queries: Vectors, documents: Vectors) -> NDArray[np.float32]:
        """float32[queries, documents]."""
        return similarities(queries, documents, self.similarity)

    def pooled(self, queries: Vectors) -> Vectors:
        """One vector a query: as they are."""
        return queries


def similarities(queries: Vectors, documents: Vectors, similarity: str) -> NDArray[np.float32]:
    """Dot products of float32 rows, [queries, documents]; of rows of unit length where `similarity` is `cosine`."""
    if similarity == "cosine":
        queries, documents = (
            one / np.maximum(np.linalg.norm(one, axis=1, keepdims=True), 1e-12) for one in (queries, documents)
        )
    return np.asarray(queries @ documents.T, dtype=np.float32)
