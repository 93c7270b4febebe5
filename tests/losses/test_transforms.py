"""Mixup and Matryoshka on top of a loss on embeddings: what they give, their gradients, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rankdistill.errors import LossInputError
from rankdistill.losses import ALIGNMENTS, leaf, matryoshka, mixup, nd
from tests.losses.embeddings import unit, vectors

# --- mixup


def test_mixup_of_an_unnormalised_space_keeps_dot_products_exact() -> None:
    student, teacher, documents = vectors(0), vectors(0), vectors(2, 9, 6)
    mixed_student, mixed_teacher = mixup(student, teacher, np.random.default_rng(0), normalise=False)
    torch.testing.assert_close(mixed_student @ documents.T, mixed_teacher @ documents.T)
    again = np.random.default_rng(0)
    partner, weight = again.permutation(4), again.beta(1.0, 1.0, (4, 1))
    expected = weight * teacher.numpy() + (1 - weight) * teacher.numpy()[partner]
    np.testing.assert_allclose(mixed_teacher.numpy(), expected, rtol=1e-12)


def test_mixup_uses_one_permutation_and_one_weight_for_both_sides() -> None:
    teacher = vectors(1)
    mixed_student, mixed_teacher = mixup(2 * teacher, teacher, np.random.default_rng(3), normalise=False)
    torch.testing.assert_close(mixed_student, 2 * mixed_teacher)


def test_mixup_puts_unit_vectors_back_on_the_sphere() -> None:
    mixed = mixup(unit(vectors(0)), unit(vectors(1)), np.random.default_rng(0))
    for side in mixed:
        torch.testing.assert_close(side.norm(dim=1), torch.ones(4, dtype=torch.float64))
    assert leaf(*mixed) > 0


def test_mixup_lets_the_gradient_through_to_both_partners() -> None:
    student = vectors(0).requires_grad_()
    leaf(*mixup(student, vectors(1), np.random.default_rng(0))).backward()
    assert student.grad.abs().sum(dim=1).gt(0).all()


def test_mixup_refuses_opposite_vectors_that_cancel() -> None:
    class Halves:
        def permutation(self, count: int) -> np.ndarray:
            return np.arange(count)[::-1].copy()

        def beta(self, a: float, b: float, size: tuple[int, int]) -> np.ndarray:
            return np.full(size, 0.5)

    opposite = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    with pytest.raises(LossInputError, match="mixed student"):
        mixup(opposite, opposite.clone(), Halves())  # type: ignore[arg-type]


@pytest.mark.parametrize("concentration", [0.0, -1.0, float("nan"), float("inf")])
def test_mixup_refuses_a_concentration_without_a_distribution(concentration: float) -> None:
    with pytest.raises(LossInputError, match="concentration above 0"):
        mixup(vectors(0), vectors(1), np.random.default_rng(0), concentration)


def test_mixup_refuses_what_a_loss_would_refuse() -> None:
    with pytest.raises(LossInputError, match="one teacher embedding for each"):
        mixup(vectors(0), vectors(1, 1), np.random.default_rng(0))


# --- matryoshka


@pytest.mark.parametrize("name", sorted(ALIGNMENTS.keys() - {"nd"}))
def test_matryoshka_adds_the_loss_of_each_renormalised_prefix(name: str) -> None:
    student, teacher = unit(vectors(0)), unit(vectors(1))
    loss = ALIGNMENTS[name]
    expected = loss(student, teacher) + sum(loss(unit(student[:, :m]), unit(teacher[:, :m])) for m in (2, 4))
    torch.testing.assert_close(matryoshka(loss, [2, 4])(student, teacher), expected)


def test_matryoshka_leaves_the_prefixes_of_an_unnormalised_space_as_they_are() -> None:
    student, teacher = vectors(0), vectors(1)
    expected = nd(student, teacher) + nd(student[:, :3], teacher[:, :3])
    torch.testing.assert_close(matryoshka(nd, [3], normalise=False)(student, teacher), expected)


def test_matryoshka_trains_the_dimensions_behind_the_longest_prefix() -> None:
    student = vectors(0).requires_grad_()
    matryoshka(leaf, [2])(student, vectors(1)).backward()
    assert student.grad.ne(0).all()


@pytest.mark.parametrize("dimensions", [[], [0, 2], [-1], [2, 2]])
def test_matryoshka_refuses_lengths_that_make_no_sense(dimensions: list[int]) -> None:
    with pytest.raises(LossInputError, match="prefix length"):
        matryoshka(leaf, dimensions)


@pytest.mark.parametrize("longest", [6, 64])
def test_matryoshka_refuses_a_prefix_as_long_as_the_embedding(longest: int) -> None:
    with pytest.raises(LossInputError, match="shorter than the embeddings, 6"):
        matryoshka(leaf, [2, longest])(vectors(0), vectors(1))


def test_matryoshka_refuses_a_prefix_that_points_nowhere() -> None:
    student = vectors(0)
    student[1, :2] = 0
    with pytest.raises(LossInputError, match="2-dimensional"):
        matryoshka(leaf, [2])(student, vectors(1))
