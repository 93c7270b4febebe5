"""A dense model's vectors scored by a pair head: a light second stage over vectors that are there already."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from rankdistill import files
from rankdistill.errors import ModelReferenceError
from rankdistill.inference import TextEncoder
from rankdistill.inference.loading import PAIR_HEAD
from rankdistill.inference.pair_head import read
from rankdistill.progress import Progress
from rankdistill.teachers.base import ScoreKind, check_scores, teacher_id
from rankdistill.teachers.distinct import distinct
from rankdistill.teachers.settings import FastModelSettings


class PairHeadTeacher:
    """Embeds each distinct text once; the head scores the vectors of a pair.

    Args:
        encoder: the dense model in the folder with the head.

    Raises:
        ModelReferenceError: there is no head beside the model.
    """

    score_kind: ScoreKind = "logit"

    def __init__(self, encoder: TextEncoder) -> None:
        self._encoder = encoder
        folder = encoder.reference.path
        if not (folder / PAIR_HEAD).is_file():
            raise ModelReferenceError(
                expected=f"a dense model with a pair head, {PAIR_HEAD}",
                got=f"{encoder.reference.name!r} without one",
                consequence="no teacher was loaded",
                remedy="train one: rankdistill train --type pair-head",
            )
        self._head, self._hash = read(folder), files.hash_file(folder / PAIR_HEAD)

    @cached_property
    def fingerprint(self) -> Mapping[str, Any]:
        """The encoder's, and the head's weights."""
        return {"kind": "pair_head", "head": self._hash} | dict(self._encoder.fingerprint)

    @cached_property
    def teacher_id(self) -> str:
        """`pair-head-<12 hex digits>`."""
        return teacher_id("pair_head", self.fingerprint)

    def exact(self) -> Callable[[], PairHeadTeacher] | None:
        """Loads this teacher in float32 by torch; None where this one computes in float32 itself."""
        load_exact = self._encoder.exact()
        return None if load_exact is None else lambda: PairHeadTeacher(load_exact())

    def score(self, pairs: Sequence[tuple[str, str]], progress: Progress | None = None) -> np.ndarray:
        """The head's scores, float32[n]; raises TeacherError on NaN."""
        queries, query_rows = distinct([query for query, _ in pairs])
        documents, document_rows = distinct([document for _, document in pairs])
        left, right = self._encoder.encode_queries(queries), self._encoder.encode_documents(documents)
        scores = self._head.score_vectors(left[query_rows], right[document_rows])
        if progress is not None:
            progress(len(pairs))
        return check_scores(self.teacher_id, pairs, scores)


Settings = FastModelSettings


def load(settings: FastModelSettings) -> PairHeadTeacher:
    """The teacher; raises ModelReferenceError unless there is a dense model with a pair head."""
    model = TextEncoder(settings.model, settings.backend, settings.max_length, calibration=settings.calibration)
    return PairHeadTeacher(model)
