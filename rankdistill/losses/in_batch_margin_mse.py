"""In-batch Margin-MSE: the student copies the teacher's margins to the documents of the batch's other queries."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from rankdistill.losses.checks import require_pair, require_whole_batch


def in_batch_margin_mse(
    student_scores: Float[Tensor, "batch all"], teacher_scores: Float[Tensor, "batch all"]
) -> Float[Tensor, ""]:
    """Half the Margin-MSE over other queries' positives, and half that over other queries' negatives.

    `1/2 mean_{b, j != b} (m_b,j0(s) - m_b,j0(t))^2 + 1/2 mean_{b, j != b, i > 0} (m_b,ji(s) - m_b,ji(t))^2` with the
    margin `m_b,ji(s) = s_b,b0 - s_b,ji` between a query's own positive and document `i` of query `j`. Its own documents
    are left out: they are what the loss beside this one compares. A document that is relevant to several queries needs
    no mask, as the teacher's margin says so.

    Args:
        student_scores: [batch, batch * docs], each query with all documents of the batch, row by row, the positive
            first; in the teacher's unit.
        teacher_scores: [batch, batch * docs], raw, without gradient, all of one teacher.

    Raises:
        LossInputError: the tensors would train the student wrongly (see `rankdistill.losses.checks`), or there are no
            other queries.

    Source: Hofstätter et al. 2021, arXiv 2104.06967 (TAS-B), with one negative a query; the mean runs over all here.
    """
    require_pair(student_scores, teacher_scores)
    require_whole_batch(student_scores)
    batch, docs = len(student_scores), student_scores.shape[1] // len(student_scores)
    rows = torch.arange(batch, device=student_scores.device)
    positives = (rows * docs)[:, None]
    student_margins = student_scores.gather(1, positives) - student_scores
    teacher_margins = teacher_scores.gather(1, positives) - teacher_scores
    errors = (student_margins - teacher_margins).square().unflatten(1, (batch, docs))
    others = errors[rows[:, None] != rows[None, :]]
    return 0.5 * others[:, 0].mean() + 0.5 * others[:, 1:].mean()
