"""What an in-batch teacher is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from rankdistill.space import Space, SparseSpace
from rankdistill.teachers.base import Role

if TYPE_CHECKING:
    from scipy.sparse import csr_array


class InBatchTeacher(Protocol):
    """Scores any query with any document from vectors that it has of both; no model runs while a student is trained.

    Texts must be made known first, all that will be asked for.
    """

    @property
    def teacher_id(self) -> str:
        """Short name of the teacher, from its fingerprint."""

    @property
    def space(self) -> Space | None:
        """The space of its vectors; None where it has no single vector of a text."""

    @property
    def tower(self) -> Space | SparseSpace | None:
        """The space of its documents, dense or over a vocabulary; None where a document has no single vector."""

    def know(self, texts: Sequence[str], kind: Role) -> None:
        """Have the vectors of these texts at hand: found, or encoded and kept on disk.

        Raises:
            StoreError: a store lacks some of them.
        """

    def let_go(self) -> None:
        """Free what made the vectors: all texts are known."""

    def scores(self, queries: Sequence[str], documents: Sequence[str]) -> NDArray[np.float32]:
        """float32[queries, documents], in the unit of the teacher."""

    def topic_vectors(self, queries: Sequence[str]) -> NDArray[np.float32] | csr_array:
        """One vector a query, [n, dim], near to others where the queries are of one topic."""

    def vectors(self, texts: Sequence[str], kind: Role) -> NDArray[np.float32]:
        """float32[n, dim]: what the teacher says of each text alone.

        Raises:
            ConfigError: it is no dense teacher, and has no single vector of a text.
        """

    def rows(self, texts: Sequence[str], kind: Role) -> NDArray[np.float32]:
        """float32[n, dim] of a dense teacher, or [n, vocabulary] of a sparse one; a row a text.

        Raises:
            ConfigError: it has no single vector of a text.
        """
