"""Two heads: the sum against its parts, and gradients that give way against numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rankdistill.errors import LossInputError
from rankdistill.losses import contrastive, dual_head, for_heads, kl_div
from tests.losses.embeddings import vectors


def test_it_is_the_sum_of_labels_for_one_head_and_the_teacher_for_the_other() -> None:
    student, auxiliary, teacher = (vectors(seed, 3, 4) for seed in (0, 1, 2))
    positives = torch.tensor([0, 2, 1])
    expected = contrastive(student, positives) + 0.5 * kl_div(auxiliary, teacher, 2.0, 3.0)
    torch.testing.assert_close(dual_head(student, auxiliary, teacher, positives, 0.5, 2.0, 3.0), expected)


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan")])
def test_a_weight_that_trains_nothing_is_refused(weight: float) -> None:
    scores = vectors(0, 3, 4)
    with pytest.raises(LossInputError, match="a weight above 0"):
        dual_head(scores, scores, scores, torch.zeros(3, dtype=torch.int64), weight)


def test_each_head_gets_the_vectors_as_they_are() -> None:
    rows = vectors(0)
    for one in for_heads(rows):
        torch.testing.assert_close(one, rows, rtol=0, atol=0)


def test_of_a_gradient_that_points_against_the_labels_that_part_is_taken_away() -> None:
    rows = vectors(0, 8, 5).requires_grad_()
    kept, auxiliary = for_heads(rows)
    g, h = vectors(1, 8, 5), vectors(2, 8, 5)
    ((kept * g).sum() + (auxiliary * h).sum()).backward()
    expected = []
    for one, other in zip(g.numpy(), h.numpy(), strict=True):
        if one @ other < 0:
            other = other - (one @ other) / (one @ one) * one
        expected.append(one + other)
    np.testing.assert_allclose(rows.grad.numpy(), expected, rtol=1e-12)
    conflicts = (g * h).sum(dim=1) < 0
    assert 0 < conflicts.sum() < 8
    assert ((rows.grad * g).sum(dim=1) >= (g * g).sum(dim=1) - 1e-9).all()


def test_a_head_without_a_gradient_leaves_the_other_its_own() -> None:
    rows = vectors(0).requires_grad_()
    _, auxiliary = for_heads(rows)
    (auxiliary * vectors(1)).sum().backward()
    torch.testing.assert_close(rows.grad, vectors(1))


def test_vectors_that_are_not_finite_are_refused() -> None:
    rows = vectors(0)
    rows[1, 2] = float("inf")
    with pytest.raises(LossInputError, match="row 1, column 2"):
        for_heads(rows)
