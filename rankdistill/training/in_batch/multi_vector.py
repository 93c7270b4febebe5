"""What token vectors are as in-batch teachers: some rows a text, compared by MaxSim."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rankdistill.errors import TeacherError
from rankdistill.inference.token_vectors import TokenVectors, max_sim, of_texts
from rankdistill.space import Space, SparseSpace
from rankdistill.teachers.base import Role
from rankdistill.teachers.multi_vector import MultiVectorTeacher
from rankdistill.training.in_batch import mapped

_SHOWN = 60
"""Characters of a text in a message."""

QUERIES_AT_ONCE = 8
"""Queries whose tokens are compared with all documents' tokens together."""


class MultiVectors:
    """How the token vectors of a late-interaction model are made, kept and compared.

    Args:
        model: the teacher.
    """

    def __init__(self, model: MultiVectorTeacher) -> None:
        self.teacher_id = model.teacher_id
        self.space: Space | None = None
        self.tower: Space | SparseSpace | None = None
        self.mean = model.is_mean

    def encode(self, model: MultiVectorTeacher, texts: Sequence[str], kind: Role) -> TokenVectors:
        """Token vectors; TeacherError for a text of which the model scores no token: it has no score."""
        tokens = [one.float().cpu().numpy() for one in model.encode(texts, kind)]
        empty = [text for text, found in zip(texts, tokens, strict=True) if not len(found)]
        if empty:
            raise TeacherError(
                expected=f"a token that the in-batch teacher scores, in each {kind} that is trained on",
                got=f"teacher {self.teacher_id}: none in {len(empty):,} of {len(texts):,}, as {empty[0][:_SHOWN]!r}",
                consequence="nothing was trained",
                remedy="leave these texts out of the score store, or take another in_batch_teacher",
            )
        return of_texts(tokens, tokens[0].shape[1])

    def save(self, path: Path, block: TokenVectors) -> None:
        """Write a block: the vectors, and behind them where each text's begin."""
        mapped.save(path, block.starts, block.vectors)

    def load(self, path: Path) -> TokenVectors:
        """A block, the vectors mapped into memory."""
        starts, vectors = mapped.load(path)
        return TokenVectors(vectors, np.array(starts))

    def take(self, blocks: Sequence[TokenVectors], places: Sequence[tuple[int, int]]) -> TokenVectors:
        """The vectors of the texts at places (block, row)."""
        return of_texts([np.asarray(blocks[block][row]) for block, row in places], blocks[0].dimension)

    def scores(self, queries: TokenVectors, documents: TokenVectors) -> NDArray[np.float32]:
        """float32[queries, documents]."""
        starts = range(0, len(queries), QUERIES_AT_ONCE)
        parts = (queries.some(start, min(start + QUERIES_AT_ONCE, len(queries))) for start in starts)
        return np.concatenate([max_sim(part, documents, self.mean) for part in parts])

    def pooled(self, queries: TokenVectors) -> NDArray[np.float32]:
        """One vector a query, the mean over its tokens."""
        sums = np.add.reduceat(queries.vectors, queries.starts[:-1], axis=0)
        return np.asarray(sums / queries.lengths[:, None], dtype=np.float32)
