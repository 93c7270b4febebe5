"""ND: the norm and the direction of an un-normalised student embedding, in one term."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from rankdistill.losses.directions import directions
from rankdistill.losses.vector_checks import require_aligned, require_free_norms


def nd(student: Float[Tensor, "batch dim"], teacher: Float[Tensor, "batch dim"]) -> Float[Tensor, ""]:
    """`mean_b (1 - <s_b, c_b> / max(|s_b|, |t_b|))` with `c_b = t_b / |t_b|`.

    A student shorter than its teacher earns by growing as well as by turning; a longer one only by turning. From 0
    (the teacher's direction, at its length or more) to 2.

    Args:
        student: [batch, dim], not normalised, for a space that is compared by dot product.
        teacher: [batch, dim], the teacher's vectors of the same texts, without gradient.

    Raises:
        LossInputError: every student vector has unit length, or the tensors would train the student wrongly (see
            `rankdistill.losses.vector_checks`).

    Source: Wang et al. 2023, arXiv 2305.17007. There c is the mean teacher direction of the example's class; an
    unlabelled text is a class of its own.
    """
    require_aligned(student, teacher)
    require_free_norms("nd", student)
    along = (student * directions(teacher)).sum(dim=1)
    return (1 - along / torch.maximum(student.norm(dim=1), teacher.norm(dim=1))).mean()
