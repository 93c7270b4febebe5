"""PLD: the student's Plackett-Luce model of the teacher's ranking, each place weighted by what the teacher gives it."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from rankdistill.losses.checks import require_pair, require_temperature


def pld(
    student_scores: Float[Tensor, "batch docs"],
    teacher_scores: Float[Tensor, "batch docs"],
    teacher_temperature: float = 1.0,
    positive_first: bool = False,
) -> Float[Tensor, ""]:
    """`mean_b sum_k a_bk (log sum_{l >= k} exp s_b,pi(l) - s_b,pi(k))`, `a_bk = softmax(t_b / T)_pi(k)`.

    pi ranks the documents of a query by falling teacher score; of equal ones the earlier column comes first. Equal
    weights instead of `a` are ListMLE: here a mistake among documents that the teacher puts low costs little. Its least
    value is not zero, but the student's ranking is the teacher's there. The last place costs nothing, as no document is
    left to choose from.

    Args:
        student_scores: [batch, docs], logits: their differences count as they are.
        teacher_scores: [batch, docs], raw (logits), without gradient.
        teacher_temperature: T, above 0; below 1 it puts the weight on the first places.
        positive_first: put column 0, the labelled positive as the training view declares it, before the others; the
            weights stay the teacher's.

    Raises:
        LossInputError: the tensors would train the student wrongly (see `rankdistill.losses.checks`).

    Source: arXiv 2506.12542, where documents are classes and the true class is put first; ListMLE is Xia et al. 2008.
    """
    require_pair(student_scores, teacher_scores)
    require_temperature("teacher temperature", teacher_temperature)
    weights = (teacher_scores / teacher_temperature).softmax(dim=1)
    places = _ranking(teacher_scores, positive_first)
    ranked = student_scores.gather(1, places)
    remaining = ranked.flip(1).logcumsumexp(dim=1).flip(1)
    return (weights.gather(1, places) * (remaining - ranked)).sum(dim=1).mean()


def _ranking(teacher_scores: Tensor, positive_first: bool) -> Tensor:
    """[batch, docs]: the column at each place."""
    places = teacher_scores.argsort(dim=1, descending=True, stable=True)
    if not positive_first:
        return places
    others = places[places != 0].reshape(len(places), -1)
    return torch.cat([torch.zeros_like(places[:, :1]), others], dim=1)
