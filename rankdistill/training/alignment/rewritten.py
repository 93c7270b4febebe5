"""What conversations are aligned to: the teacher's vectors of their rewrites, and of the rewrites as they are.

The idea is that of RCEM (arXiv 2606.01697): a query encoder learns to give a conversation the vector that its teacher
gives to a rewrite of its last question. No label is read, the index stays, and standalone queries among the texts keep
what the encoder knew of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rankdistill.errors import ConfigError
from rankdistill.manifest import digest
from rankdistill.space import Space, SparseSpace
from rankdistill.teachers.base import Role

if TYPE_CHECKING:
    import pyarrow as pa

CONVERSATIONS, STANDALONE = "conversations", "standalone"
"""Sources of the texts."""


class QueryTower(Protocol):
    """The teacher, which encodes queries once."""

    @property
    def teacher_id(self) -> str:
        """Who it is."""

    def know(self, texts: Sequence[str], kind: Role) -> None:
        """Have the vectors of these texts at hand."""

    def rows(self, texts: Sequence[str], kind: Role) -> NDArray[np.float32]:
        """float32[n, dim], or [n, vocabulary]."""


class RewrittenEmbeddings:
    """Conversations and standalone queries with the teacher's vectors: an `EmbeddingSource`.

    Vectors over a vocabulary are unfolded for those rows alone that are asked for.

    Args:
        tower: the teacher.
        reference: its model.
        space: of its vectors.
        conversations: text of a conversation -> its rewrites, one a rewriter. Its vector is the mean of theirs, of unit
            length where the space's vectors are.
        standalone: those of the rewrites that stand among the texts too, as queries of their own.
    """

    def __init__(
        self,
        tower: QueryTower,
        reference: str,
        space: Space | SparseSpace,
        conversations: Mapping[str, Sequence[str]],
        standalone: Sequence[str] = (),
    ) -> None:
        self._tower, self.reference, self.space = tower, reference, space
        rows = [(CONVERSATIONS, text, tuple(words)) for text, words in conversations.items()]
        self._rows = rows + [(STANDALONE, text, (text,)) for text in dict.fromkeys(standalone)]
        tower.know(list(dict.fromkeys(text for _, _, words in self._rows for text in words)), "query")

    @cached_property
    def identity(self) -> str:
        """Hash of the texts, of what stands for them, and of the teacher."""
        return digest({"teacher": self.teacher_id, "rows": self._rows})

    @property
    def teacher_id(self) -> str:
        """Who embedded the rewrites."""
        return self._tower.teacher_id

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return self.space.dimension

    def texts(self) -> pa.Table:
        """Columns text_id, kind (`query`), source, text; row i belongs to `vectors()[i]`."""
        return self._table

    def vectors(self) -> RewrittenVectors:
        """Those of all rows, made when they are asked for."""
        return RewrittenVectors(self)

    def find(self, texts: Sequence[str], kind: Role) -> NDArray[np.int64]:
        """-1 for each: a vector here is that of other words, and no one's own."""
        return np.full(len(texts), -1, dtype=np.int64)

    def source_weights(self, share: float) -> dict[str, float]:
        """Source -> weight, by which `share` of what is drawn are standalone queries; AlignConfig has such a setting.

        Raises:
            ConfigError: there is none beside the conversations.
        """
        alone = sum(source == STANDALONE for source, *_ in self._rows)
        if not alone:
            raise ConfigError(
                expected=f"rewrites that differ from their conversations, for a share of {share:g}",
                got="none: each is a conversation, or says the same as what another split judges",
                consequence="nothing was trained",
                remedy="set standalone to 0",
            )
        return {STANDALONE: share * (len(self._rows) - alone) / ((1 - share) * alone)}

    @cached_property
    def _table(self) -> pa.Table:
        import pyarrow as pa

        count = len(self._rows)
        columns = {
            "text_id": [str(number) for number in range(count)],
            "kind": ["query"] * count,
            "source": [source for source, *_ in self._rows],
            "text": [text for _, text, _ in self._rows],
        }
        return pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})

    def of(self, places: Sequence[int]) -> NDArray[np.float32]:
        """float32[n, dim] of the rows at these places."""
        words = [self._rows[place][2] for place in places]
        found = self._tower.rows([one for some in words for one in some], "query")
        starts = np.cumsum([0, *map(len, words)])[:-1]
        means = np.add.reduceat(found, starts, axis=0) / np.array([[len(some)] for some in words], dtype=np.float32)
        unit = self.space.similarity == "cosine" if isinstance(self.space, SparseSpace) else self.space.normalised
        if unit:
            means = means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
        return np.asarray(means, dtype=np.float32)


class RewrittenVectors:
    """Rows of `RewrittenEmbeddings`, read as those of an array.

    Args:
        source: whose.
    """

    def __init__(self, source: RewrittenEmbeddings) -> None:
        self._source = source

    def __getitem__(self, rows: Any) -> NDArray[np.float32]:
        """float32[dim] of one row, or [n, dim] of several."""
        if isinstance(rows, int | np.integer):
            return self._source.of([int(rows)])[0]
        return self._source.of(np.asarray(rows).tolist()) if len(rows) else np.empty((0, self._source.dimension), "f4")
