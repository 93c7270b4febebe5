"""Relations of a layer: the formula against numpy, what changes nothing, and what would train wrongly in silence."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from beartype import beartype
from jaxtyping import jaxtyped
from scipy.spatial.distance import cdist
from scipy.special import softmax
from scipy.stats import entropy
from torch import Tensor

from rankdistill.errors import LossInputError
from rankdistill.losses import layer_relations
from tests.losses.embeddings import vectors


def relations(rows: Tensor, temperature: float) -> np.ndarray:
    cosines = 1 - cdist(rows.numpy(), rows.numpy(), "cosine")
    others = [np.delete(row, place) for place, row in enumerate(cosines)]
    return softmax(np.array(others) / temperature, axis=1)


@pytest.mark.parametrize("temperature", [0.05, 1.0])
@pytest.mark.parametrize("width", [6, 3, 11])
def test_it_is_the_mean_divergence_of_the_softmaxes_over_the_other_texts(width: int, temperature: float) -> None:
    student, teacher = vectors(0, 5), vectors(1, 5, width)
    wanted = entropy(relations(teacher, temperature), relations(student, temperature), axis=1).mean()
    assert layer_relations(student, teacher, temperature).item() == pytest.approx(wanted, rel=1e-9)


def test_rotations_lengths_and_a_wider_layer_change_nothing() -> None:
    student, teacher = vectors(0, 5), vectors(1, 5)
    rotation, _ = torch.linalg.qr(vectors(2, 6, 6))
    value = layer_relations(student, teacher)
    torch.testing.assert_close(layer_relations(student @ rotation, 3 * teacher), value)
    torch.testing.assert_close(layer_relations(torch.cat([student, 0 * student], dim=1), teacher), value)


def test_it_is_zero_at_the_teachers_relations_and_descent_finds_them() -> None:
    teacher = vectors(1, 5, 9)
    assert layer_relations(teacher.clone(), teacher).item() == pytest.approx(0, abs=1e-12)
    student = vectors(0, 5).requires_grad_()
    before = layer_relations(student, teacher).item()
    optimiser = torch.optim.Adam([student], lr=0.05)
    for _ in range(100):
        optimiser.zero_grad()
        layer_relations(student, teacher).backward()
        optimiser.step()
    assert layer_relations(student, teacher).item() < 0.05 * before


def test_gradient_equals_finite_differences() -> None:
    teacher = vectors(1, 4, 3)
    student = vectors(0).requires_grad_()
    assert torch.autograd.gradcheck(lambda one: layer_relations(one, teacher, 0.5), student)


def test_declared_shapes_hold_at_run_time() -> None:
    checked: Callable[..., Tensor] = jaxtyped(typechecker=beartype)(layer_relations)
    assert checked(vectors(0).float(), vectors(1, 4, 3).float()).shape == ()


def zero_in_row_two(rows: Tensor) -> Tensor:
    rows[2] = 0
    return rows


@pytest.mark.parametrize(
    ("student", "teacher", "said"),
    [
        (vectors(0, 2), vectors(1, 2), "3 texts or more"),
        (vectors(0), vectors(1, 3), "one teacher embedding for each"),
        (vectors(0), vectors(1).requires_grad_(), "without a gradient"),
        (vectors(0), zero_in_row_two(vectors(1)), "zero vector in row 2"),
        (zero_in_row_two(vectors(0)), vectors(1), "zero vector in row 2"),
        (vectors(0), vectors(1) * float("nan"), "finite teacher"),
        (vectors(0)[None], vectors(1)[None], r"\[batch, dim\]"),
        (vectors(0).long(), vectors(1), "floating type"),
    ],
)
def test_what_would_train_wrongly_is_refused(student: Tensor, teacher: Tensor, said: str) -> None:
    with pytest.raises(LossInputError, match=said) as caught:
        layer_relations(student, teacher)
    assert caught.value.consequence
    assert caught.value.remedy


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_a_temperature_that_is_none_is_refused(temperature: float) -> None:
    with pytest.raises(LossInputError, match="temperature"):
        layer_relations(vectors(0), vectors(1), temperature)
