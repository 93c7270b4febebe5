"""The factor between a student's similarity and the teacher's unit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from rankdistill.errors import ConfigError
from rankdistill.training import processes
from rankdistill.training.rows import TrainingRows

SAMPLED_ROWS = 64
ROWS_AT_ONCE = 16
"""Rows that the student scores for its margins, and how many at a time."""

UNIT_ROWS = 10_000
"""Rows whose teacher margins give the unit; no model is asked."""

UNITS = (1e-15, 1e15)
"""Margins whose squares, and the inverses of these, single precision holds with room for larger ones."""

SMALLEST_SHARE = 1e-6
"""A deviation below this share of the margins' size is rounding."""


class ScoreScale(nn.Module):
    """Multiplies scores by `initial * exp(log_ratio)`.

    Learning the logarithm keeps the factor positive, and weight decay draws it to `initial`, not to zero. Several
    processes average its gradient, since it lives outside the model that they share.

    Args:
        initial: the factor at the start, above 0.
        learned: whether it is trained.
    """

    def __init__(self, initial: float, learned: bool) -> None:
        super().__init__()
        self.initial = initial
        self.log_ratio = nn.Parameter(torch.zeros(()), requires_grad=learned)
        if learned:
            self.log_ratio.register_hook(processes.mean_of_gradients)

    @property
    def value(self) -> float:
        """The factor now."""
        return self.initial * float(self.log_ratio.detach().exp())

    def forward(self, scores: Float[Tensor, "batch docs"]) -> Float[Tensor, "batch docs"]:
        """The scaled scores."""
        return scores * (self.initial * self.log_ratio.exp())


def margin_unit(rows: TrainingRows) -> float:
    """Standard deviation of the teacher's margins (positive minus negative) on the first rows, in the teacher's unit.

    The rows come in seeded order. Where all margins are equal, as those of labels may be, it is their size; 1 where
    there are none.

    Raises:
        ConfigError: squares of such margins are beyond what single precision holds.
    """
    scores = rows.scores[:UNIT_ROWS].astype(np.float64)
    margins = scores[:, :1] - scores[:, 1:]
    deviation, size = float(margins.std()), float(np.sqrt(np.square(margins).mean()))
    unit = deviation if deviation > SMALLEST_SHARE * size else size or 1.0
    if not UNITS[0] <= unit <= UNITS[1]:
        raise ConfigError(
            expected=f"teacher margins that deviate by {UNITS[0]:g} to {UNITS[1]:g}, for a loss that squares them",
            got=f"{unit:.3g}",
            consequence="nothing was trained: single precision does not hold their squares",
            remedy="multiply the scores by a constant, or take their logarithms, and import them again",
        )
    return unit


def margin_deviations(score: Callable[[list[dict[str, Any]]], Tensor], rows: TrainingRows) -> tuple[float, float]:
    """Standard deviations of the student's and of the teacher's margins, each in its unit, on the first rows.

    Args:
        score: the student's scores of some rows, [rows, docs], the positive first.
        rows: of the run.
    """
    count = min(SAMPLED_ROWS, len(rows))
    chunks = [range(start, min(start + ROWS_AT_ONCE, count)) for start in range(0, count, ROWS_AT_ONCE)]
    scores = torch.cat([score([rows[index] for index in chunk]).float().cpu() for chunk in chunks])
    teacher = torch.from_numpy(rows.scores[:count])
    student_spread, teacher_spread = (float((values[:, :1] - values[:, 1:]).std()) for values in (scores, teacher))
    return student_spread, teacher_spread


def margin_ratio(score: Callable[[list[dict[str, Any]]], Tensor], rows: TrainingRows) -> float:
    """Standard deviation of the teacher's margins over that of the student's, on the first rows.

    Args:
        score: the student's scores of some rows, [rows, docs], the positive first.
        rows: of the run.

    Raises:
        ConfigError: one of them is zero: all margins are equal.
    """
    student_spread, teacher_spread = margin_deviations(score, rows)
    if not (student_spread > 0 and teacher_spread > 0):
        raise ConfigError(
            expected="teacher and student margins that differ from row to row",
            got=f"standard deviations: teacher {teacher_spread}, student {student_spread}",
            consequence="no scale can be derived from them",
            remedy="check the scores, or set the scale to a number",
        )
    return teacher_spread / student_spread
