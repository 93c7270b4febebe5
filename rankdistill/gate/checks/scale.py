"""What factor and temperature fit these scores to the student's similarity. Advice, not a judgement."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rankdistill.gate.block import Block
from rankdistill.gate.check import About
from rankdistill.gate.counter import Counter
from rankdistill.gate.temperature import TemperatureSearch
from rankdistill.gate.verdict import Status, Verdict
from rankdistill.stores.kinds import RANK

COSINE_MARGIN = 0.13
"""Deviation of a cosine student's margins, typically.

Over BM25 candidates of MS MARCO: 0.20 of all-MiniLM-L6-v2, 0.11 of two of its layers before training, and 0.12 after it
(the deviation of the teacher's margins over the scale that was learned).
"""


class Scale:
    """Margin-MSE compares s * (cos+ - cos-) with t+ - t-, so s = deviation(t+ - t-) / deviation(cos+ - cos-).

    A dot-product student's scores are not bounded and grow to the teacher's unit: its factor is 1. For kl_div,
    softmax(cos / tau) has the shape of softmax(t / T) at tau = T / s, with T from the check `spread`. Without labels
    the margins are those between two random candidates: sqrt(2) times the deviation within a query.
    """

    def __init__(self, about: About) -> None:
        self.student, self.resolution = about.student, about.range.resolution
        self.is_rank = about.score_kind == RANK
        self.search = TemperatureSearch(about.range.usable_deviation)
        width = about.range.maximum - about.range.minimum
        self.counter = Counter("margins (mean positive minus each other candidate)", -width, width)
        self.count, self.total, self.squares = 0, 0.0, 0.0
        self.rows, self.within = 0, 0.0

    def update(self, block: Block, peers: Mapping[str, Block]) -> None:
        """Sums of margins and of squared distances from the query's mean."""
        segments, scores, positive = block.segments, block.scores, block.positive
        self.search.update(segments, scores)
        centred = scores - segments.spread(segments.sum(scores) / segments.sizes)
        self.rows += len(scores)
        self.within += float((centred**2).sum())
        with np.errstate(invalid="ignore", divide="ignore"):
            mean_positive = segments.sum(np.where(positive, scores, 0.0)) / segments.sum(positive)
        margins = (segments.spread(mean_positive) - scores)[~positive]
        margins = margins[np.isfinite(margins)]
        self.count += len(margins)
        self.total += float(margins.sum())
        self.squares += float((margins**2).sum())
        self.counter.add(margins)

    def verdict(self) -> Verdict:
        """The advice; a teacher without any spread gets none."""
        mean, deviation = self._margins()
        if not deviation > self.resolution:
            return Verdict("scale", Status.UNKNOWN, "the scores of a query do not vary")
        scale = deviation / COSINE_MARGIN if self.student == "cosine" else 1.0
        temperature = self.search.temperature()
        student_temperature = temperature / scale if temperature else None
        numbers = {
            "margins": self.count,
            "margin_mean": mean,
            "margin_deviation": deviation,
            "recommended_scale": None if self.is_rank else scale,
            "teacher_temperature": temperature,
            "similarity_temperature": student_temperature,
        }
        advice = [] if self.is_rank else [f"scale {scale:.3g} for a {self.student} student"]
        if student_temperature:
            advice.append(f"for kl_div a temperature of {student_temperature:.3g} on its similarity")
        of_what = "margins" if self.count else "margins between random candidates (no labels)"
        return Verdict(
            "scale",
            Status.PASS,
            f"{of_what} deviate by {deviation:.3g}: {'; '.join(advice) or 'no advice'}",
            *self._explained(),
            numbers,
            [self.counter.histogram()] if self.count else [],
        )

    def _explained(self) -> tuple[str, str]:
        if self.is_rank:
            return "", ""
        meaning = f"scale = margin deviation / {COSINE_MARGIN} (a cosine student's)"
        return meaning if self.student == "cosine" else "", "`scale: auto` measures it on the student itself"

    def _margins(self) -> tuple[float | None, float]:
        if not self.count:
            return None, float(np.sqrt(2 * self.within / self.rows)) if self.rows else 0.0
        mean = self.total / self.count
        return mean, float(np.sqrt(max(0.0, self.squares / self.count - mean**2)))
