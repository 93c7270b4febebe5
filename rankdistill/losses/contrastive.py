"""InfoNCE: the labelled positive against hard negatives and the other queries' documents. No teacher."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy

from rankdistill.errors import LossInputError
from rankdistill.losses.checks import (
    require_positives,
    require_same_device,
    require_scores,
    require_temperature,
)


def contrastive(
    student_scores: Float[Tensor, "batch candidates"],
    positives: Int[Tensor, " batch"],
    temperature: float = 1.0,
    excluded: Bool[Tensor, "batch candidates"] | None = None,
) -> Float[Tensor, ""]:
    """`mean_b -log( exp(s_b,pos / T) / sum_{i not excluded} exp(s_bi / T) )`.

    Args:
        student_scores: [batch, candidates]; the candidates are a query's own documents and the batch's others.
        positives: [batch], int64: the column of each query's positive.
        temperature: T, above 0; 0.05 suits cosines, 1 dot products.
        excluded: [batch, candidates]: candidates that are no negatives of the row (the same document once more, another
            positive of the same query); they leave the denominator.

    Raises:
        LossInputError: the tensors would train the student wrongly (see `rankdistill.losses.checks`).

    Source: van den Oord et al. 2018, arXiv 1807.03748; with in-batch and hard negatives as in DPR (arXiv 2004.04906).
    """
    require_scores("student", student_scores)
    require_positives(student_scores, positives)
    require_temperature("temperature", temperature)
    if excluded is not None:
        _require_excluded(student_scores, positives, excluded)
        student_scores = student_scores.masked_fill(excluded, -torch.inf)
    return cross_entropy(student_scores / temperature, positives)


def _require_excluded(student_scores: Tensor, positives: Tensor, excluded: Tensor) -> None:
    if excluded.dtype != torch.bool or excluded.shape != student_scores.shape:
        raise LossInputError(
            expected=f"a boolean mask of shape {list(student_scores.shape)}",
            got=f"{excluded.dtype} of shape {list(excluded.shape)}",
            consequence="broadcasting would exclude the wrong candidates",
            remedy="give one flag for each student score",
        )
    require_same_device("excluded", student_scores, excluded)
    if excluded.gather(1, positives[:, None]).any():
        raise LossInputError(
            expected="every query's own positive among the candidates",
            got="a positive that is excluded",
            consequence="the loss would be infinite",
            remedy="exclude only other candidates",
        )
