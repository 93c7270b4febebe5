"""TRG: which tokens of a batch are neighbours of one another in the teacher become neighbours in the student."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rankdistill.errors import LossInputError
from rankdistill.losses.checks import require_no_gradient, require_same_device, require_temperature
from rankdistill.losses.directions import directions
from rankdistill.losses.vector_checks import require_directions, require_same_texts

FEWEST = 3
"""Tokens of a batch: with two, each has one other, and all softmaxes are 1."""


def token_relations(
    student: Float[Tensor, "tokens width"],
    teacher: Float[Tensor, "tokens teacher_width"],
    texts: Int[Tensor, " tokens"],
    neighbours: int = 8,
    temperature: float = 0.05,
    within_weight: float = 1.0,
) -> Float[Tensor, ""]:
    """`mean_i KL(T_i || S_i) + within_weight * mean_i KL(T'_i || S'_i)`, over the tokens i of a batch.

    `T_ij = softmax_j(cos(t_i, t_j) / tau)` over the k other tokens of the batch that are nearest to i in the teacher,
    and `S_ij` the student's over the same ones: the edges of the teacher's graph. `T'` and `S'` are the same over all
    other tokens of the token's own text; a text of fewer than three tokens has no such term. The two sides may have
    different widths, and a rotation of either changes nothing.

    Args:
        student: [tokens, width], the token vectors of all texts of a batch one after the other, without padding.
        teacher: [tokens, teacher_width], the teacher's vectors of the same tokens, without gradient.
        texts: [tokens], int64: the number of the text that each token stands in.
        neighbours: k, 2 or more; a batch with fewer other tokens takes all.
        temperature: tau, above 0, in the unit of a cosine.
        within_weight: 0 or more.

    Raises:
        LossInputError: the tensors would train the student wrongly (see `rankdistill.losses.vector_checks`).

    Source: arXiv 2306.12442, where tokens are image patches. Both models must cut texts into the same tokens.
    """
    require_same_texts(student, teacher)
    require_no_gradient("teacher token vectors", teacher)
    require_directions("student", student)
    require_directions("teacher", teacher)
    require_temperature("temperature", temperature)
    _require_texts(student, texts)
    _require_edges(neighbours, within_weight)
    ours, theirs = (directions(vectors) @ directions(vectors).T for vectors in (student, teacher))
    others = ~torch.eye(len(texts), dtype=torch.bool, device=texts.device)
    across = _divergence(ours, theirs, _nearest(theirs, others, neighbours), temperature)
    if within_weight == 0:
        return across.mean()
    own = others & (texts[:, None] == texts[None, :])
    related = own.sum(dim=1) >= FEWEST - 1
    within = _divergence(ours, theirs, own, temperature)[related]
    return across.mean() + within_weight * (within.mean() if related.any() else across.new_zeros(()))


def _nearest(
    cosines: Float[Tensor, "tokens tokens"], others: Bool[Tensor, "tokens tokens"], count: int
) -> Bool[Tensor, "tokens tokens"]:
    """Which tokens are among the `count` nearest others of each."""
    few = min(count, len(cosines) - 1)
    places = cosines.masked_fill(~others, -torch.inf).topk(few, dim=1).indices
    return torch.zeros_like(others).scatter(1, places, True)


def _divergence(
    ours: Float[Tensor, "tokens tokens"],
    theirs: Float[Tensor, "tokens tokens"],
    edges: Bool[Tensor, "tokens tokens"],
    temperature: float,
) -> Float[Tensor, " tokens"]:
    """KL of each token's softmaxes over its edges; of one without edges nothing that means something."""
    least = torch.finfo(ours.dtype).min
    found, target = ((one / temperature).masked_fill(~edges, least).log_softmax(dim=1) for one in (ours, theirs))
    return (target.exp() * (target - found)).masked_fill(~edges, 0.0).sum(dim=1)


def _require_texts(student: Tensor, texts: Tensor) -> None:
    if texts.dtype != torch.int64 or texts.shape != student.shape[:1]:
        raise LossInputError(
            expected=f"the int64 number of a text for each token, shape {list(student.shape[:1])}",
            got=f"{texts.dtype} of shape {list(texts.shape)}",
            consequence="tokens of different texts would be taken for those of one",
            remedy="give the place of the text in the batch, once for each of its tokens",
        )
    require_same_device("texts", student, texts)
    if len(texts) < FEWEST:
        raise LossInputError(
            expected=f"{FEWEST} tokens or more in a batch for token_relations",
            got=f"{len(texts)}",
            consequence="each token would have one other at most: the loss is zero and trains nothing",
            remedy="use larger batches",
        )


def _require_edges(neighbours: int, within_weight: float) -> None:
    if neighbours < 2 or not within_weight >= 0:
        raise LossInputError(
            expected="2 neighbours or more, and a weight of 0 or more",
            got=f"neighbours {neighbours}, within_weight {within_weight}",
            consequence="the softmax over one neighbour is always 1, and a negative weight drives tokens apart",
            remedy="use a few neighbours, such as 8",
        )
