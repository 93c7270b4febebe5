"""Margin-MSE: the student copies the teacher's score differences, not its scores."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from rankdistill.errors import LossInputError
from rankdistill.losses.checks import require_pair

Pairs = Literal["positive", "all"]


def margin_mse(
    student_scores: Float[Tensor, "batch docs"],
    teacher_scores: Float[Tensor, "batch docs"],
    pairs: Pairs = "positive",
) -> Float[Tensor, ""]:
    """Mean squared difference between the student's and the teacher's margins.

    `positive`: `mean_{b, i>0} ((s_b0 - s_bi) - (t_b0 - t_bi))^2`; column 0 is the positive, as the training view
    declares it. `all`: `mean_{b, i<j} ((s_bi - s_bj) - (t_bi - t_bj))^2`; no column is special. No temperature and no
    normalisation: both sides must be in comparable units, so cosines need a scale first.

    Args:
        student_scores: [batch, docs], in the teacher's unit (dot products, or scaled cosines).
        teacher_scores: [batch, docs], raw (logits), without gradient.
        pairs: which margins are compared.

    Raises:
        LossInputError: the tensors would train the student wrongly (see `rankdistill.losses.checks`).

    Source: Hofstätter et al. 2020, arXiv 2010.02666, with one negative; `positive` and `all` are its two readings for
    several negatives.
    """
    require_pair(student_scores, teacher_scores)
    if pairs == "positive":
        student_margins = student_scores[:, :1] - student_scores[:, 1:]
        teacher_margins = teacher_scores[:, :1] - teacher_scores[:, 1:]
    elif pairs == "all":
        count = student_scores.shape[1]
        left, right = torch.triu_indices(count, count, offset=1, device=student_scores.device)
        student_margins = student_scores[:, left] - student_scores[:, right]
        teacher_margins = teacher_scores[:, left] - teacher_scores[:, right]
    else:
        raise LossInputError(
            expected="pairs to be 'positive' or 'all'",
            got=repr(pairs),
            consequence="no loss was computed",
            remedy="choose which margins to compare",
        )
    return (student_margins - teacher_margins).square().mean()
