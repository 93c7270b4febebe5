"""LELP: the student predicts which side of the teacher's principal directions a text lies on, and how far."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from rankdistill.errors import LossInputError
from rankdistill.losses.checks import require_temperature
from rankdistill.losses.vector_checks import require_aligned, require_others

LEAST = 1e-3
"""Of the largest singular value: directions below it are noise of the precision."""


def lelp(
    student: Float[Tensor, "batch dim"],
    teacher: Float[Tensor, "batch dim"],
    directions: int = 8,
    temperature: float = 1.0,
) -> Float[Tensor, ""]:
    """`mean_b KL(softmax([z_b, -z_b] / tau) || softmax([x_b, -x_b] / tau))`, `z = t V / sigma`, `x = s V / sigma`.

    V [dim, k] are the first k right singular vectors of the teacher's batch, which is not centred: the directions in
    which its vectors are long. The first is near their mean where this is not near 0, in the others they differ most,
    and sigma is the root mean square of its projections on each, so that all count alike. The two signs of a
    direction are two pseudo-subclasses of the texts, which the teacher's projections label softly. It sees k directions
    of the batch only: it goes beside a loss on whole vectors.

    Args:
        student: [batch, dim], two rows or more, in the teacher's space.
        teacher: [batch, dim], the teacher's vectors of the same texts, without gradient.
        directions: k at most, 1 or more; a batch has no more than texts.
        temperature: tau, above 0, in the unit of sigma.

    Raises:
        LossInputError: the tensors would train the student wrongly (see `rankdistill.losses.vector_checks`).

    Source: arXiv 2409.20449. There the directions are those of each class, outside the classifier's span; texts
    without labels are one class, and a ranker has no classifier.
    """
    require_aligned(student, teacher)
    require_others("lelp", student)
    require_temperature("temperature", temperature)
    if directions < 1:
        raise LossInputError(
            expected="1 direction or more",
            got=f"{directions}",
            consequence="there is nothing to predict: the loss is zero and trains nothing",
            remedy="use a few, such as 8",
        )
    whole = torch.promote_types(torch.promote_types(student.dtype, teacher.dtype), torch.float32)
    vectors, targets = student.to(whole), teacher.to(whole)
    _, values, right = torch.linalg.svd(targets, full_matrices=False)
    kept = (values > LEAST * values[0]).nonzero()[:, 0][:directions]
    axes = right[kept].T * (len(targets) ** 0.5 / values[kept])
    return _divergence(targets @ axes / temperature, vectors @ axes / temperature)


def _divergence(target: Float[Tensor, "batch k"], found: Float[Tensor, "batch k"]) -> Float[Tensor, ""]:
    theirs, ours = (torch.cat([one, -one], dim=1).log_softmax(dim=1) for one in (target, found))
    return (theirs.exp() * (theirs - ours)).sum(dim=1).mean()
