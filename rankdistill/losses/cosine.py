"""Cosine distance of the student's embedding to the teacher's: the direction alone, the length is free."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from rankdistill.losses.directions import directions
from rankdistill.losses.vector_checks import require_aligned, require_directions


def cosine(student: Float[Tensor, "batch dim"], teacher: Float[Tensor, "batch dim"]) -> Float[Tensor, ""]:
    """`mean_b (1 - <s_b, t_b> / (|s_b| |t_b|))`, from 0 to 2.

    Args:
        student: [batch, dim], any length; for a teacher that is compared by dot product its length stays untrained.
        teacher: [batch, dim], the teacher's vectors of the same texts, without gradient.

    Raises:
        LossInputError: the tensors would train the student wrongly (see `rankdistill.losses.vector_checks`).

    Source: Sanh et al. 2019 (DistilBERT), arXiv 1910.01108, there between hidden states.
    """
    require_aligned(student, teacher)
    require_directions("student", student)
    return (1 - (directions(student) * directions(teacher)).sum(dim=1)).mean()
