"""Dual heads: one head learns from labels and is kept, one from the teacher, and their gradients do not fight."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rankdistill.errors import LossInputError
from rankdistill.losses.contrastive import contrastive
from rankdistill.losses.kl_div import kl_div
from rankdistill.losses.vector_checks import require_vectors


def dual_head(
    student_scores: Float[Tensor, "batch candidates"],
    auxiliary_scores: Float[Tensor, "batch docs"],
    teacher_scores: Float[Tensor, "batch docs"],
    positives: Int[Tensor, " batch"],
    weight: float = 1.0,
    student_temperature: float = 1.0,
    teacher_temperature: float = 1.0,
    excluded: Bool[Tensor, "batch candidates"] | None = None,
) -> Float[Tensor, ""]:
    """`contrastive(s, positives) + weight * KL(a, t)`: labels for the head that is kept, the teacher for the other.

    Where a teacher and the labels disagree, one head that learns from both ends between them. Here a head of its own,
    which is left out after training, has scores that are like the teacher's; both stand on the same vectors, which
    `for_heads` gives to each.

    Args:
        student_scores: [batch, candidates], of the head that is kept, in the unit of logits: a query's own documents,
            or those of the whole batch.
        auxiliary_scores: [batch, docs], of the other head, in the teacher's unit.
        teacher_scores: [batch, docs], raw (logits), without gradient.
        positives: [batch], int64: the column of each query's positive.
        weight: above 0, of the second term.
        student_temperature: of the auxiliary head's softmax, above 0.
        teacher_temperature: of the teacher's, above 0.
        excluded: [batch, candidates], candidates that are no negatives; as `contrastive` takes it.

    Raises:
        LossInputError: the tensors or the weight would train the student wrongly.

    Source: arXiv 2411.08937, where the heads are classifiers and the second loss a binary KL divergence of normalised
    logits; over the candidates of a query it is that of their softmaxes.
    """
    if not weight > 0:
        raise LossInputError(
            expected="a weight above 0",
            got=f"{weight}",
            consequence="the auxiliary head would learn nothing, or away from the teacher",
            remedy="use 1.0, or the loss `contrastive` alone",
        )
    of_labels = contrastive(student_scores, positives, excluded=excluded)
    return of_labels + weight * kl_div(auxiliary_scores, teacher_scores, student_temperature, teacher_temperature)


def for_heads(vectors: Float[Tensor, "batch dim"]) -> tuple[Float[Tensor, "batch dim"], Float[Tensor, "batch dim"]]:
    """The vectors twice: for the head that is kept, and for the auxiliary one, whose gradient gives way.

    Going back the gradients `g` and `h` of a row become `g + h`, and where they point apart (`<g, h> < 0`)
    `g + h - <g, h> / |g|^2 g`: what of h is against g is taken away.

    Args:
        vectors: [batch, dim], of the student.

    Raises:
        LossInputError: they are no finite vectors.

    Source: the gradient alignment of arXiv 2411.08937, a row at a time.
    """
    require_vectors("student", vectors)
    kept, auxiliary = _Aligned.apply(vectors)
    return kept, auxiliary


class _Aligned(torch.autograd.Function):
    """One tensor as two, whose gradients are aligned."""

    @staticmethod
    def forward(ctx: Any, vectors: Tensor) -> tuple[Tensor, Tensor]:
        return vectors.clone(), vectors.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        kept, auxiliary = gradients
        along = (kept * auxiliary).sum(dim=1, keepdim=True)
        share = along.clamp_max(0) / kept.square().sum(dim=1, keepdim=True).clamp_min(torch.finfo(kept.dtype).tiny)
        return kept + auxiliary - share * kept
