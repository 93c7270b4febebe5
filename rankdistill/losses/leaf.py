"""LEAF: the student's embedding of a text is pulled to the teacher's embedding of it."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from rankdistill.losses.vector_checks import require_aligned


def leaf(student: Float[Tensor, "batch dim"], teacher: Float[Tensor, "batch dim"]) -> Float[Tensor, ""]:
    """`mean_b sum_d (s_bd - t_bd)^2`.

    Summed over the dimensions and averaged over the texts, so that it is the squared distance of a text whatever the
    dimension; on unit vectors it is `2 - 2 cos(s, t)`. A zero student vector is allowed: it is far from its target.

    Args:
        student: [batch, dim], in the teacher's space: of unit length only if the teacher's are.
        teacher: [batch, dim], the teacher's vectors of the same texts with the teacher's own prompts, without gradient.

    Raises:
        LossInputError: the tensors would train the student wrongly (see `rankdistill.losses.vector_checks`).

    Source: LEAF, Vujanic and Rueckstiess 2025, arXiv 2509.12539.
    """
    require_aligned(student, teacher)
    return (student - teacher).square().sum(dim=1).mean()
