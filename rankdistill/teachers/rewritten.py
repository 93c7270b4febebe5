"""The teacher that reads a rewrite in place of a conversation, whose student learns its scores."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from rankdistill.manifest import digest
from rankdistill.progress import Progress
from rankdistill.teachers.base import (
    AnsweringTeacher,
    ApproximateTeacher,
    MeteredTeacher,
    PairTeacher,
    ReplyingTeacher,
    Unit,
    encodes_texts,
    needs_whole_queries,
    teacher_id,
)


class RewrittenTeacher:
    """Scores a pair as `teacher` scores the query's rewrite with the document.

    Args:
        teacher: reads the rewrites.
        name: of the rewriter.
        rewrites: text of a query -> its rewrite. Two queries of one text have one rewrite.
    """

    def __init__(self, teacher: PairTeacher, name: str, rewrites: Mapping[str, str]) -> None:
        self._teacher, self._rewrites, self.name = teacher, rewrites, name

    @property
    def score_kind(self) -> Unit:
        """The teacher's."""
        return self._teacher.score_kind

    @property
    def encodes_texts(self) -> bool:
        """Whether the teacher encodes each text of a call once."""
        return encodes_texts(self._teacher)

    @cached_property
    def fingerprint(self) -> Mapping[str, Any]:
        """The teacher's, the rewriter's name and the hash of its rewrites."""
        return {
            "kind": "rewritten",
            "name": self.name,
            "score_kind": self.score_kind,
            "teacher": dict(self._teacher.fingerprint),
            "rewrites": digest(sorted(self._rewrites.items())),
        }

    @cached_property
    def teacher_id(self) -> str:
        """`rewritten-<12 hex digits>`."""
        return teacher_id("rewritten", self.fingerprint)

    @property
    def whole_queries(self) -> bool:
        """Whether the teacher must be given all pairs of a query in one call."""
        return needs_whole_queries(self._teacher)

    def exact(self) -> Callable[[], PairTeacher] | None:
        """Loads this teacher with the one that reads in float32; None where that computes so already."""
        load = self._teacher.exact() if isinstance(self._teacher, ApproximateTeacher) else None
        return None if load is None else lambda: rewritten(load(), self.name, self._rewrites)

    def score(self, pairs: Sequence[tuple[str, str]], progress: Progress | None = None) -> np.ndarray:
        """float32[n], in the teacher's unit; see `PairTeacher.score`."""
        return self._teacher.score(self._read(pairs), progress)

    def _read(self, pairs: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        return [(self._rewrites[query], document) for query, document in pairs]


class _Metered(RewrittenTeacher):
    """Of one whose scores may cost money."""

    _teacher: Any

    def estimate(self, pairs: int, queries: int, sample: Sequence[tuple[str, str]]) -> Mapping[str, str]:
        """The teacher's, of the rewrites."""
        found: Mapping[str, str] = self._teacher.estimate(pairs, queries, self._read(sample))
        return found

    def spent(self) -> str:
        """The teacher's."""
        return str(self._teacher.spent())


class _Answering(RewrittenTeacher):
    """Of one that gets its scores in answers."""

    _teacher: Any

    def answers(
        self, pairs: Sequence[tuple[str, str]], progress: Progress | None = None
    ) -> Iterator[tuple[Sequence[int], np.ndarray]]:
        """The teacher's, of the rewrites."""
        yield from self._teacher.answers(self._read(pairs), progress)


class _Replying(RewrittenTeacher):
    """Of one that makes its scores of a model's replies."""

    _teacher: Any

    def score_replied(
        self, pairs: Sequence[tuple[str, str]], replies: MutableMapping[bytes, str], progress: Progress | None = None
    ) -> np.ndarray:
        """The teacher's, of the rewrites."""
        found: np.ndarray = self._teacher.score_replied(self._read(pairs), replies, progress)
        return found


def rewritten(teacher: PairTeacher, name: str, rewrites: Mapping[str, str]) -> RewrittenTeacher:
    """The teacher that reads rewrites, metered, answering or replying where `teacher` is; see `RewrittenTeacher`."""
    kinds = ((MeteredTeacher, _Metered), (AnsweringTeacher, _Answering), (ReplyingTeacher, _Replying))
    own = [made for kind, made in kinds if isinstance(teacher, kind)]
    made = type("RewrittenTeacher", (*own, RewrittenTeacher), {}) if own else RewrittenTeacher
    found: RewrittenTeacher = made(teacher, name, rewrites)
    return found
