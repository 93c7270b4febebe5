"""What alignment reads of an embedding store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rankdistill.space import Space

if TYPE_CHECKING:
    import pyarrow as pa


class EmbeddingSource(Protocol):
    """Texts with one teacher's vectors."""

    @property
    def teacher_id(self) -> str:
        """Who embedded the texts."""

    @property
    def reference(self) -> str:
        """The teacher's model reference."""

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """Everything that the vectors depend on."""

    @property
    def space(self) -> Space:
        """The teacher's."""

    @property
    def dimension(self) -> int:
        """Length of a vector."""

    def texts(self) -> pa.Table:
        """Columns text_id, kind (`query` or `document`), source, text; row i belongs to `vectors()[i]`."""

    def vectors(self) -> NDArray[np.floating[Any]]:
        """float32|float16 [n, dimension]; may be memory-mapped."""

    def find(self, texts: Sequence[str], kind: str) -> NDArray[np.int64]:
        """Row of each text, by content; -1 where it is absent."""
