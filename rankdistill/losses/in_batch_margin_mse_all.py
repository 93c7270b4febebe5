"""Margin-MSE between all documents of the batch: the student copies every margin that a query has there."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from rankdistill.losses.checks import require_pair, require_whole_batch


def in_batch_margin_mse_all(
    student_scores: Float[Tensor, "batch all"], teacher_scores: Float[Tensor, "batch all"]
) -> Float[Tensor, ""]:
    """`mean_{b, i<j} ((s_bi - s_bj) - (t_bi - t_bj))^2` over the documents `i`, `j` of the whole batch, its own too.

    Computed as twice the variance of `s - t` over a query's documents, which needs no list of the pairs. No document is
    special: where every margin is taken from one positive, the error of its score stands in all of them, and the
    gradient is that much noisier.

    Args:
        student_scores: [batch, batch * docs], each query with all documents of the batch, in the teacher's unit.
        teacher_scores: [batch, batch * docs], raw, without gradient, all of one teacher.

    Raises:
        LossInputError: the tensors would train the student wrongly (see `rankdistill.losses.checks`), or there are no
            other queries.

    Source: `margin_mse` with `pairs="all"` (arXiv 2010.02666), over the batch as in arXiv 2104.06967.
    """
    require_pair(student_scores, teacher_scores)
    require_whole_batch(student_scores)
    return 2 * (student_scores - teacher_scores).var(dim=1, unbiased=True).mean()
