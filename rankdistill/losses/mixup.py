"""Mixup of embeddings: points between two texts, with targets between their teacher vectors."""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from rankdistill.errors import LossInputError
from rankdistill.losses.directions import directions
from rankdistill.losses.vector_checks import require_aligned, require_directions


def mixup(
    student: Float[Tensor, "batch dim"],
    teacher: Float[Tensor, "batch dim"],
    generator: np.random.Generator,
    concentration: float = 1.0,
    normalise: bool = True,
) -> tuple[Float[Tensor, "batch dim"], Float[Tensor, "batch dim"]]:
    """`w_i s_i + (1 - w_i) s_p(i)` and the same of `t`: one permutation p, one weight a row, `w ~ Beta(c, c)`.

    Dot products are linear in the query, so the mixed target of an un-normalised space is exact; unit vectors leave the
    sphere when mixed and are put back on it, both sides alike. The result goes into any alignment loss.

    Args:
        student: [batch, dim], in the teacher's space.
        teacher: [batch, dim], the teacher's vectors of the same texts, without gradient.
        generator: draws the permutation and the weights; the same state gives the same mixture on every device.
        concentration: c, above 0; 1 is uniform, less stays nearer to the texts themselves.
        normalise: whether the teacher's vectors have unit length.

    Raises:
        LossInputError: the tensors would train the student wrongly (see `rankdistill.losses.vector_checks`), or two
            opposite vectors were mixed into zero.

    Source: Choi et al. 2023, arXiv 2211.03946; mixup itself Zhang et al. 2018, arXiv 1710.09412. There the inputs are
    mixed; here the embeddings are, as texts cannot be.
    """
    require_aligned(student, teacher)
    if not (math.isfinite(concentration) and concentration > 0):
        raise LossInputError(
            expected="a concentration above 0",
            got=f"{concentration}",
            consequence="the weights have no distribution",
            remedy="use 1.0 for uniform weights",
        )
    partner = torch.as_tensor(generator.permutation(student.shape[0]), device=student.device)
    drawn = generator.beta(concentration, concentration, size=(student.shape[0], 1))
    mixed = [_between(vectors, vectors[partner], drawn) for vectors in (student, teacher)]
    if normalise:
        require_directions("mixed student", mixed[0])
        require_directions("mixed teacher", mixed[1])
        mixed = [directions(vectors).to(vectors.dtype) for vectors in mixed]
    return mixed[0], mixed[1]


def _between(
    first: Float[Tensor, "batch dim"], second: Float[Tensor, "batch dim"], weight: np.ndarray
) -> Float[Tensor, "batch dim"]:
    return torch.lerp(second, first, torch.as_tensor(weight, dtype=first.dtype, device=first.device))
