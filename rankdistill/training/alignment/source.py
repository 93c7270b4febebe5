"""What alignment reads of an embedding store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rankdistill.teachers.base import Role

if TYPE_CHECKING:
    import pyarrow as pa


class EmbeddingSource(Protocol):
    """Texts with one teacher's vectors."""

    @property
    def identity(self) -> str:
        """Content hash of texts and vectors."""

    @property
    def teacher_id(self) -> str:
        """Who embedded the texts."""

    @property
    def reference(self) -> str:
        """The teacher's model reference."""

    @property
    def space(self) -> Any:
        """The teacher's: a `Space`, or a `SparseSpace` of a teacher over a vocabulary."""

    @property
    def dimension(self) -> int:
        """Length of a vector."""

    def texts(self) -> pa.Table:
        """Columns text_id, kind (`query` or `document`), source, text; row i belongs to `vectors()[i]`."""

    def vectors(self) -> Any:
        """float32|float16 [n, dimension], read by row numbers; may be memory-mapped, or made when it is read."""

    def find(self, texts: Sequence[str], kind: Role) -> NDArray[np.int64]:
        """Row of each text, by content; -1 where it is absent."""
