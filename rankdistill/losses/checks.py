"""What every loss refuses: tensors it would train on wrongly at a plausible value."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rankdistill.errors import LossInputError


def require_scores(name: str, scores: Tensor) -> None:
    """Raise LossInputError unless `scores` is a finite floating [batch, docs] tensor with two documents or more."""
    if not scores.is_floating_point():
        raise LossInputError(
            expected=f"{name} scores of a floating type",
            got=f"{scores.dtype}",
            consequence="whole numbers carry no gradient and lose the margins between scores",
            remedy="pass raw float scores",
        )
    if scores.ndim != 2:
        raise LossInputError(
            expected=f"{name} scores of shape [batch, docs]",
            got=f"shape {list(scores.shape)}",
            consequence="a guess about the missing axis would compare scores of different queries",
            remedy="give one row a query and one column a document",
        )
    if scores.shape[0] == 0 or scores.shape[1] < 2:
        raise LossInputError(
            expected=f"{name} scores of one query or more, with two documents or more each",
            got=f"shape {list(scores.shape)}",
            consequence="there is nothing to rank: the loss would be zero or NaN whatever the model does",
            remedy="add negatives, or leave the query out",
        )
    if not torch.isfinite(scores).all():
        row, column = torch.nonzero(~torch.isfinite(scores))[0].tolist()
        raise LossInputError(
            expected=f"finite {name} scores",
            got=f"{scores[row, column].item()} in row {row}, column {column}",
            consequence="one such value turns the loss, then every weight, into NaN",
            remedy="find the pair that it belongs to: a missing teacher score, or a diverged student",
        )


def require_pair(student_scores: Float[Tensor, "batch docs"], teacher_scores: Float[Tensor, "batch docs"]) -> None:
    """Raise LossInputError unless both tensors are valid scores of the same pairs on the same device."""
    if student_scores.shape != teacher_scores.shape:
        raise LossInputError(
            expected=f"teacher scores of the student's shape {list(student_scores.shape)}",
            got=f"shape {list(teacher_scores.shape)}",
            consequence="broadcasting would train the student towards equal scores at a plausible loss",
            remedy="give one teacher score for each student score",
        )
    require_same_device("teacher scores", student_scores, teacher_scores)
    require_scores("student", student_scores)
    require_scores("teacher", teacher_scores)
    require_no_gradient("teacher scores", teacher_scores)


def require_positives(student_scores: Float[Tensor, "batch candidates"], positives: Int[Tensor, " batch"]) -> None:
    """Raise LossInputError unless `positives` names one existing column for each row of `student_scores`."""
    if positives.dtype != torch.int64 or positives.shape != student_scores.shape[:1]:
        raise LossInputError(
            expected=f"one int64 column index a query, shape {list(student_scores.shape[:1])}",
            got=f"{positives.dtype} of shape {list(positives.shape)}",
            consequence="probabilities or a wrong length would be taken for something else than the positive's column",
            remedy="pass the column of each query's positive",
        )
    require_same_device("positives", student_scores, positives)
    outside = (positives < 0) | (positives >= student_scores.shape[1])
    if outside.any():
        row = int(torch.nonzero(outside)[0])
        raise LossInputError(
            expected=f"columns from 0 to {student_scores.shape[1] - 1}",
            got=f"{int(positives[row])} in row {row}",
            consequence="the row would be ignored silently, or the process would stop",
            remedy="pass the column of each query's positive",
        )


def require_no_gradient(name: str, target: Tensor) -> None:
    """Raise LossInputError if `target` would be trained: the teacher's side never is."""
    if target.requires_grad:
        raise LossInputError(
            expected=f"{name} without a gradient",
            got=f"{name} that require one",
            consequence="the teacher would be trained towards the student",
            remedy="compute them under torch.no_grad(), or detach them",
        )


def require_same_device(name: str, student: Tensor, other: Tensor) -> None:
    """Raise LossInputError unless `other` is where the student's tensor is."""
    if student.device != other.device:
        raise LossInputError(
            expected=f"{name} on {student.device}, as the student's",
            got=f"{name} on {other.device}",
            consequence="the loss cannot be computed",
            remedy="move the batch to the student's device",
        )


def require_temperature(name: str, temperature: float) -> None:
    """Raise LossInputError unless `temperature` is a finite number above zero."""
    if not (math.isfinite(temperature) and temperature > 0):
        raise LossInputError(
            expected=f"a {name} above 0",
            got=f"{temperature}",
            consequence="a negative one turns the ranking around, zero divides by zero",
            remedy="use a positive temperature, such as 1.0",
        )


def require_finite(*losses: Float[Tensor, ""]) -> None:
    """Raise LossInputError unless each loss of a batch is finite: finite scores may have squares that are not."""
    if not all(bool(torch.isfinite(loss)) for loss in losses):
        raise LossInputError(
            expected="a finite loss",
            got=", ".join(f"{float(loss.detach()):g}" for loss in losses),
            consequence="the weights would become NaN, or none would move",
            remedy="lower the learning rate if the loss had grown; else bring the teacher's scores to a usual size",
        )


def require_whole_batch(scores: Tensor) -> None:
    """Raise LossInputError unless `scores` may be [batch, batch * docs] of two queries or more, two documents each."""
    batch, every = scores.shape
    if batch < 2 or every % batch or every // batch < 2:
        raise LossInputError(
            expected="scores of two queries or more with a positive and a negative of each, [batch, batch * docs]",
            got=f"shape {list(scores.shape)}",
            consequence="there are no documents of other queries, or it is not clear whose they are",
            remedy="give larger batches, and the documents of all rows for every query",
        )
