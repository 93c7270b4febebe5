"""Relations in a layer: texts of a batch that are alike inside the teacher become alike inside the student."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from rankdistill.errors import LossInputError
from rankdistill.losses.checks import require_no_gradient, require_temperature
from rankdistill.losses.directions import directions
from rankdistill.losses.vector_checks import require_directions, require_same_texts

FEWEST = 3
"""Texts of a batch: with two, each has one other, and all softmaxes are 1."""


def layer_relations(
    student: Float[Tensor, "batch width"], teacher: Float[Tensor, "batch teacher_width"], temperature: float = 0.05
) -> Float[Tensor, ""]:
    """`mean_i KL(T_i || S_i)`, with `T_ij = softmax_{j != i}(cos(t_i, t_j) / tau)` and `S_ij` the same of the student.

    The two sides may have different widths, and a rotation of either changes nothing: intermediate layers need not
    share a space, as no search compares them.

    Args:
        student: [batch, width], mean-pooled hidden states of one layer, three rows or more.
        teacher: [batch, teacher_width], those of the teacher's layer for the same texts, without gradient.
        temperature: tau, above 0, in the unit of a cosine.

    Raises:
        LossInputError: the tensors would train the student wrongly (see `rankdistill.losses.vector_checks`).

    Source: the similarity-based distillation of intermediate layers in Wu et al. 2022, arXiv 2211.11300. Here a text is
    compared with the others of the batch alone, and the divergence is the usual one of distillation.
    """
    require_same_texts(student, teacher)
    require_no_gradient("teacher hidden states", teacher)
    require_directions("student", student)
    require_directions("teacher", teacher)
    require_temperature("temperature", temperature)
    if student.shape[0] < FEWEST:
        raise LossInputError(
            expected=f"{FEWEST} texts or more in a batch for layer_relations",
            got=f"{student.shape[0]}",
            consequence="each text would have one other at most: the loss is zero and trains nothing",
            remedy="use larger batches",
        )
    ours, theirs = (_relations(vectors, temperature) for vectors in (student, teacher))
    return (theirs.exp() * (theirs - ours)).sum(dim=1).mean()


def _relations(vectors: Float[Tensor, "batch width"], temperature: float) -> Float[Tensor, "batch others"]:
    """Logarithms of the softmax over the other texts of the batch."""
    unit = directions(vectors)
    batch = len(unit)
    others = ~torch.eye(batch, dtype=torch.bool, device=unit.device)
    cosines = (unit @ unit.T)[others].reshape(batch, batch - 1)
    return (cosines / temperature).log_softmax(dim=1)
