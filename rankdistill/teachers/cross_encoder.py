"""The cross-encoder teacher: raw logits of a model that reads query and document together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from rankdistill.inference import PairScorer
from rankdistill.progress import Progress
from rankdistill.teachers.base import PairTeacher, ScoreKind, check_scores, teacher_id
from rankdistill.teachers.settings import FastModelSettings


class CrossEncoderTeacher:
    """Scores pairs with a sentence-transformers cross-encoder under identity activation.

    `CrossEncoder.predict` would apply a sigmoid by default, which squashes the margins that students learn from.

    Args:
        scorer: the cross-encoder.
    """

    score_kind: ScoreKind = "logit"

    def __init__(self, scorer: PairScorer) -> None:
        self._scorer = scorer

    @cached_property
    def fingerprint(self) -> Mapping[str, Any]:
        """Weights, prompt, maximum length, truncation, activation, dtype, back end."""
        return {"kind": "cross_encoder"} | dict(self._scorer.fingerprint)

    @cached_property
    def teacher_id(self) -> str:
        """`cross-encoder-<12 hex digits>`."""
        return teacher_id("cross_encoder", self.fingerprint)

    def exact(self) -> Callable[[], PairTeacher] | None:
        """Loads this teacher in float32 by torch; None where this one computes in float32 itself."""
        load_exact = self._scorer.exact()
        return None if load_exact is None else lambda: CrossEncoderTeacher(load_exact())

    def score(self, pairs: Sequence[tuple[str, str]], progress: Progress | None = None) -> np.ndarray:
        """Raw logits, float32[n]; raises TeacherError on NaN or infinite ones."""
        return check_scores(self.teacher_id, pairs, self._scorer.score(pairs, progress))


Settings = FastModelSettings


def load(settings: FastModelSettings) -> CrossEncoderTeacher:
    """The teacher; raises ModelReferenceError unless the model is a cross-encoder with one output."""
    model = PairScorer(settings.model, settings.backend, settings.max_length, calibration=settings.calibration)
    return CrossEncoderTeacher(model)
