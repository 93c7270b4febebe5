"""What every alignment loss refuses: embeddings it would train on wrongly at a plausible value."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from rankdistill.errors import LossInputError
from rankdistill.losses.checks import require_no_gradient, require_same_device

UNIT_TOLERANCE = 1e-3
"""How far from 1 the length of a vector may be that counts as normalised; half precision is well inside."""


def require_vectors(name: str, vectors: Tensor) -> None:
    """Raise LossInputError unless `vectors` is a finite floating [batch, dim] tensor with one row or more."""
    if not vectors.is_floating_point():
        raise LossInputError(
            expected=f"{name} embeddings of a floating type",
            got=f"{vectors.dtype}",
            consequence="quantised vectors carry no gradient and are in another unit than the other side",
            remedy="pass float embeddings; quantise after training",
        )
    if vectors.ndim != 2:
        raise LossInputError(
            expected=f"{name} embeddings of shape [batch, dim]",
            got=f"shape {list(vectors.shape)}",
            consequence="a guess about the missing axis would compare embeddings of different texts",
            remedy="pool the tokens first, and give one row a text",
        )
    if vectors.numel() == 0:
        raise LossInputError(
            expected=f"{name} embeddings of one text or more",
            got=f"shape {list(vectors.shape)}",
            consequence="the mean over no text is NaN",
            remedy="leave empty batches out",
        )
    if not torch.isfinite(vectors).all():
        row, column = torch.nonzero(~torch.isfinite(vectors))[0].tolist()
        raise LossInputError(
            expected=f"finite {name} embeddings",
            got=f"{vectors[row, column].item()} in row {row}, column {column}",
            consequence="one such value turns the loss, then every weight, into NaN",
            remedy="find the text that it belongs to: a teacher run in too narrow a precision, or a diverged student",
        )


def require_aligned(student: Float[Tensor, "batch dim"], teacher: Float[Tensor, "batch dim"]) -> None:
    """Raise LossInputError unless row i of both tensors can be the same text in the same space.

    Both are finite [batch, dim] of one shape on one device, no teacher row is zero, and the teacher has no gradient.
    """
    require_same_texts(student, teacher)
    if student.shape[1] != teacher.shape[1]:
        raise LossInputError(
            expected=f"student embeddings of the teacher's dimension, {teacher.shape[1]}",
            got=f"{student.shape[1]}",
            consequence="the two sides are not one space, and no search could compare them",
            remedy="put a projection to the teacher's dimension into the student",
        )
    require_no_gradient("teacher embeddings", teacher)
    require_directions("teacher", teacher)


def require_same_texts(student: Float[Tensor, "batch dim"], teacher: Float[Tensor, "batch width"]) -> None:
    """Raise LossInputError unless both are finite, of one device, and have a row for each text."""
    require_same_device("teacher embeddings", student, teacher)
    require_vectors("student", student)
    require_vectors("teacher", teacher)
    if student.shape[0] != teacher.shape[0]:
        raise LossInputError(
            expected=f"one teacher embedding for each of the {student.shape[0]} student embeddings",
            got=f"{teacher.shape[0]}",
            consequence="broadcasting would pull every text towards one target at a plausible loss",
            remedy="look up the teacher's vector of each text of the batch, in the batch's order",
        )


def require_directions(name: str, vectors: Float[Tensor, "batch dim"]) -> None:
    """Raise LossInputError if a row is the zero vector, which points nowhere."""
    zero = (vectors == 0).all(dim=1)
    if zero.any():
        raise LossInputError(
            expected=f"{name} embeddings that are not zero",
            got=f"a zero vector in row {int(torch.nonzero(zero)[0])}",
            consequence="it has no direction: its cosine with anything is undefined, and its gradient is zero or NaN",
            remedy="leave empty texts out, and texts of which the model knows no token",
        )


def require_others(name: str, student: Float[Tensor, "batch dim"]) -> None:
    """Raise LossInputError unless the batch has a second text to compare with."""
    if student.shape[0] < 2:
        raise LossInputError(
            expected=f"two texts or more in a batch for {name}",
            got=f"{student.shape[0]}",
            consequence="without another text there is nothing to compare: the loss is constant and trains nothing",
            remedy="use larger batches, and drop a last batch of one text",
        )


def require_free_norms(name: str, student: Float[Tensor, "batch dim"]) -> None:
    """Raise LossInputError if every student vector has unit length: a loss on lengths would have nothing to train."""
    if ((student.norm(dim=1) - 1).abs() < UNIT_TOLERANCE).all():
        raise LossInputError(
            expected=f"student embeddings that are not normalised, as {name} trains their length",
            got="unit length in every row",
            consequence="the part of the loss that grows the norm cannot act, and only a cosine is left",
            remedy="use the loss `cosine`, or take the normalisation out of the student of a dot-product teacher",
        )
