"""The in-batch teacher of an embedding store: its vectors, mapped into memory, by the content of the texts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rankdistill.errors import StoreError
from rankdistill.space import Space
from rankdistill.stores.embeddings.reader import EmbeddingStore
from rankdistill.teachers.base import Role
from rankdistill.training.in_batch.dense import similarities

_SHOWN = 60
"""Characters of a text in a message."""


class StoredTeacher:
    """Scores by the similarity that the store's space declares.

    Args:
        store: of the teacher's vectors.
    """

    def __init__(self, store: EmbeddingStore) -> None:
        self._store = store

    @property
    def teacher_id(self) -> str:
        """The store's."""
        return self._store.teacher_id

    @property
    def space(self) -> Space:
        """The store's."""
        return self._store.space

    @property
    def tower(self) -> Space:
        """The store's space."""
        return self._store.space

    def know(self, texts: Sequence[str], kind: Role) -> None:
        """Look whether the store has each of `texts`; StoreError tells how many it lacks, and the first."""
        lacking = np.flatnonzero(self._store.find(texts, kind) < 0)
        if len(lacking):
            raise StoreError(
                expected=f"a vector for each {kind} that is trained on, in the in-batch teacher's store",
                got=f"{self._store.path} lacks {len(lacking):,} of {len(texts):,}, first "
                f"{texts[lacking[0]][:_SHOWN]!r}",
                consequence="nothing was trained",
                remedy="embed these texts into the store too (`rankdistill embed` with this data set; the same command "
                "with --out STORE adds to it), or name the model itself as in_batch_teacher: then it encodes what the "
                "run needs",
            )

    def let_go(self) -> None:
        """Nothing: the vectors are mapped into memory."""

    def scores(self, queries: Sequence[str], documents: Sequence[str]) -> NDArray[np.float32]:
        """float32[queries, documents]: dot products, or cosines."""
        left, right = self.vectors(queries, "query"), self.vectors(documents, "document")
        return similarities(left, right, self._store.space.similarity)

    def topic_vectors(self, queries: Sequence[str]) -> NDArray[np.float32]:
        """The vectors of the queries."""
        return self.vectors(queries, "query")

    def vectors(self, texts: Sequence[str], kind: Role) -> NDArray[np.float32]:
        """float32[n, dim], as they are stored; StoreError for a text that the store lacks."""
        rows = self._store.find(texts, kind)
        if (rows < 0).any():
            self.know(texts, kind)
        return np.asarray(self._store.vectors()[rows], dtype=np.float32)

    def rows(self, texts: Sequence[str], kind: Role) -> NDArray[np.float32]:
        """The same as `vectors`."""
        return self.vectors(texts, kind)
