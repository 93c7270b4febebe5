"""The teacher that reads a rewrite in place of a conversation, whose student learns its scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from rankdistill.manifest import digest
from rankdistill.progress import Progress
from rankdistill.teachers.base import PairTeacher, Unit, encodes_texts, teacher_id


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

    def score(self, pairs: Sequence[tuple[str, str]], progress: Progress | None = None) -> np.ndarray:
        """float32[n], in the teacher's unit; see `PairTeacher.score`."""
        return self._teacher.score([(self._rewrites[query], document) for query, document in pairs], progress)
