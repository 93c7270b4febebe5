"""A teacher of pairs that encodes each text once and keeps its vectors, whatever the units of work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rankdistill.progress import Progress
from rankdistill.teachers.base import ScoreKind, check_scores
from rankdistill.teachers.distinct import distinct
from rankdistill.teachers.embedding import BiEncoderTeacher, similarities
from rankdistill.teachers.registry import TeacherSpec
from rankdistill.teachers.sparse import SparseTeacher
from rankdistill.training.in_batch.encoded import EncodedTeacher, open_encoded

AT_ONCE = 2048
"""Pairs whose vectors over a vocabulary are multiplied together."""


class EncodedPairs:
    """Scores pairs by the vectors that an in-batch teacher has of both texts: what its model gives, number for number.

    A model that scores a shard of pairs would encode the documents of each shard again, and a document is a candidate
    of many queries.

    Args:
        spec: of a dense or a sparse model.
        identity: names the teacher's content.
        folder: where its vectors are kept.
    """

    def __init__(self, spec: TeacherSpec, identity: str, folder: Path) -> None:
        model: BiEncoderTeacher | SparseTeacher = spec.load()  # type: ignore[assignment]
        self.fingerprint: Mapping[str, Any] = model.fingerprint
        self.teacher_id, self.score_kind = model.teacher_id, model.score_kind
        self.encoded: EncodedTeacher[Any] = open_encoded(spec, identity, folder, model)

    teacher_id: str
    score_kind: ScoreKind

    def score(self, pairs: Sequence[tuple[str, str]], progress: Progress | None = None) -> np.ndarray:
        """Dot products or cosines, float32[n]; raises TeacherError on NaN or infinite ones."""
        queries, left = distinct([query for query, _ in pairs])
        documents, right = distinct([document for _, document in pairs])
        self.encoded.know(queries, "query")
        self.encoded.know(documents, "document")
        ours, theirs = self.encoded.take(queries, "query"), self.encoded.take(documents, "document")
        if isinstance(ours, np.ndarray):
            scores = similarities(ours, theirs, left, right, self.score_kind)
            told = len(pairs)
        else:
            scores, told = np.empty(len(pairs), dtype=np.float32), 0
            for start in range(0, len(pairs), AT_ONCE):
                some = slice(start, start + AT_ONCE)
                scores[some] = ours[left[some]].multiply(theirs[right[some]]).sum(axis=1)
                told = min(start + AT_ONCE, len(pairs))
                if progress is not None:
                    progress(told - start)
            progress = None
        if progress is not None:
            progress(told)
        return check_scores(self.teacher_id, pairs, scores)
