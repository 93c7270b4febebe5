"""Matryoshka: an alignment loss on the whole embeddings and on their first dimensions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from jaxtyping import Float
from torch import Tensor

from rankdistill.errors import LossInputError
from rankdistill.losses.directions import directions
from rankdistill.losses.vector_checks import require_aligned, require_directions

Alignment = Callable[[Tensor, Tensor], Tensor]
"""A loss of (student, teacher), both [batch, dim], to a scalar."""


def matryoshka(loss: Alignment, dimensions: Sequence[int], normalise: bool = True) -> Alignment:
    """`L(s, t) + sum_m L(s[:, :m], t[:, :m])`, the prefixes divided by their length if `normalise`.

    The whole vector always counts: without it the dimensions behind the longest prefix would stay untrained.

    Args:
        loss: any alignment loss.
        dimensions: lengths m of the prefixes, each once, shorter than the embeddings.
        normalise: whether the teacher's vectors have unit length: a search over truncated vectors of such a space
            normalises them again. The whole vectors are never touched.

    Raises:
        LossInputError: `dimensions` is empty, repeats a length or has one below 1; when the loss is computed: a prefix
            that is not shorter than the embeddings, or is zero.

    Source: Kusupati et al. 2022, arXiv 2205.13147, with equal weights.
    """
    if not dimensions or min(dimensions) < 1 or len(set(dimensions)) < len(dimensions):
        raise LossInputError(
            expected="one prefix length or more, each once and above 0",
            got=f"{list(dimensions)}",
            consequence="an empty prefix has no direction, a repeated one would count twice",
            remedy="name the dimensions that will be searched, such as 64, 128, 256",
        )

    def summed(student: Float[Tensor, "batch dim"], teacher: Float[Tensor, "batch dim"]) -> Float[Tensor, ""]:
        require_aligned(student, teacher)
        _require_shorter(dimensions, student.shape[1])
        total = loss(student, teacher)
        for dimension in dimensions:
            total = total + loss(*(_prefix(vectors, dimension, normalise) for vectors in (student, teacher)))
        return total

    return summed


def _prefix(vectors: Float[Tensor, "batch dim"], dimension: int, normalise: bool) -> Float[Tensor, "batch prefix"]:
    prefix = vectors[:, :dimension]
    if not normalise:
        return prefix
    require_directions(f"{dimension}-dimensional", prefix)
    return directions(prefix).to(vectors.dtype)


def _require_shorter(dimensions: Sequence[int], whole: int) -> None:
    if max(dimensions) >= whole:
        raise LossInputError(
            expected=f"prefixes shorter than the embeddings, {whole}",
            got=f"{max(dimensions)}",
            consequence="the whole vector, which always counts, would count twice",
            remedy=f"leave out lengths of {whole} and more",
        )
