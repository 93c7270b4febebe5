"""Affinity mimicking: the student's neighbours in the batch are the teacher's, seen from both sides."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import cross_entropy

from rankdistill.losses.checks import require_temperature
from rankdistill.losses.directions import directions
from rankdistill.losses.vector_checks import require_aligned, require_directions, require_others


def affinity(
    student: Float[Tensor, "batch dim"], teacher: Float[Tensor, "batch dim"], temperature: float = 0.05
) -> Float[Tensor, ""]:
    """`(H(T_rows, S_rows) + H(T_columns, S_columns)) / 2`, the mean cross-entropies of the in-batch affinities.

    With unit vectors `s`, `t`: `T_ij = softmax_j(<t_i, t_j> / tau)` and `S_ij = softmax_j(<s_i, t_j> / tau)` over the
    rows, and the same over the columns; `H(p, q) = mean_i -sum_j p_ij log q_ij`. Its least value is the entropy of the
    teacher's affinities, not zero.

    Args:
        student: [batch, dim], two rows or more, any length.
        teacher: [batch, dim], the teacher's vectors of the same texts, without gradient.
        temperature: tau, above 0, in the unit of a cosine.

    Raises:
        LossInputError: the tensors would train the student wrongly (see `rankdistill.losses.vector_checks`).

    Source: TinyCLIP, Wu et al. 2023, arXiv 2309.12314, where the two sides are images and captions. Here the student
    stands for the queries and the teacher for the documents, as in asymmetric search; affinities among student vectors
    alone would be the same after any rotation, which leaves the teacher's space.
    """
    require_aligned(student, teacher)
    require_directions("student", student)
    require_others("affinity", student)
    require_temperature("temperature", temperature)
    unit_student, unit_teacher = directions(student), directions(teacher)
    student_affinity = unit_student @ unit_teacher.T / temperature
    target = unit_teacher @ unit_teacher.T / temperature
    rows = cross_entropy(student_affinity, target.softmax(dim=1))
    columns = cross_entropy(student_affinity.T, target.T.softmax(dim=1))
    return (rows + columns) / 2
