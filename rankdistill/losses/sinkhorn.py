"""SinKD: what it costs to carry the student's score distributions of a batch over to the teacher's."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from rankdistill.losses.checks import require_pair, require_temperature

ROUNDS = 20
"""Normalisations of rows and columns; the source's number."""


def sinkhorn(
    student_scores: Float[Tensor, "batch docs"],
    teacher_scores: Float[Tensor, "batch docs"],
    student_temperature: float = 2.0,
    teacher_temperature: float = 2.0,
    smoothing: float = 0.1,
) -> Float[Tensor, ""]:
    """`sum_bc P_bc C_bc / batch`: `C_bc = sum_k |p_bk - q_ck|`, P the doubly stochastic scaling of `exp(-C / lambda)`.

    `p_b` is the softmax of the teacher's scores of query b over its documents, `q_c` that of the student's scores of
    query c; both are put in the order in which the teacher ranks that query's documents, so that column k is place k
    everywhere: documents of two queries have nothing else in common. P comes from 20 rounds of dividing by the sums of
    rows and of columns. It compares the shapes of whole lists, also where the two distributions do not overlap, and
    a student may pay for one query's list with another's: it goes beside a loss on each list.

    Args:
        student_scores: [batch, docs], any unit.
        teacher_scores: [batch, docs], raw (logits), without gradient.
        student_temperature: of the softmax, above 0.
        teacher_temperature: of the softmax, above 0.
        smoothing: lambda, above 0, in the unit of C, whose values lie between 0 and 2; less follows the cheapest
            assignment more closely.

    Raises:
        LossInputError: the tensors would train the student wrongly (see `rankdistill.losses.checks`).

    Source: arXiv 2402.17110, where the columns are classes and need no order. There the sum is not divided by the
    batch; here it is, so that a weight beside another loss means the same in every batch size.
    """
    require_pair(student_scores, teacher_scores)
    require_temperature("student temperature", student_temperature)
    require_temperature("teacher temperature", teacher_temperature)
    require_temperature("smoothing", smoothing)
    places = teacher_scores.argsort(dim=1, descending=True, stable=True)
    targets = (teacher_scores / teacher_temperature).softmax(dim=1).gather(1, places)
    found = (student_scores / student_temperature).softmax(dim=1).gather(1, places)
    cost = (targets[:, None, :] - found[None, :, :]).abs().sum(dim=2)
    return (_plan(-cost / smoothing) * cost).sum() / len(cost)


def _plan(logs: Float[Tensor, "batch batch"]) -> Float[Tensor, "batch batch"]:
    """The matrix whose logarithms these are, its rows and columns scaled to sums of 1 in turns."""
    for _ in range(ROUNDS):
        logs = logs - torch.logsumexp(logs, dim=1, keepdim=True)
        logs = logs - torch.logsumexp(logs, dim=0, keepdim=True)
    return logs.exp()
