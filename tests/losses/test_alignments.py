"""Every loss on embeddings: its formula, gradient, invariances, and the inputs that would train wrongly in silence."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from beartype import beartype
from jaxtyping import jaxtyped
from scipy.spatial.distance import cdist
from scipy.special import log_softmax, rel_entr, softmax
from torch import Tensor

from rankdistill.errors import LossInputError
from rankdistill.losses import ALIGNMENTS, LOSSES, affinity, cosine, leaf, lelp, mi_alpha, nd
from tests.losses.embeddings import unit, vectors

IN_BATCH = ("mi_alpha", "affinity", "lelp")
OF_DIRECTIONS = ("cosine", "mi_alpha", "affinity")


def cosines(student: Tensor, teacher: Tensor) -> np.ndarray:
    return 1 - cdist(student.numpy(), teacher.numpy(), "cosine")


def refuses(name: str, student: Tensor, teacher: Tensor, match: str) -> None:
    with pytest.raises(LossInputError, match=match) as caught:
        ALIGNMENTS[name](student, teacher)
    assert caught.value.consequence
    assert caught.value.remedy


# --- formulas, against numpy and scipy


def test_leaf_is_the_mean_squared_distance_of_the_texts() -> None:
    student, teacher = vectors(0), vectors(1)
    expected = np.diagonal(cdist(student.numpy(), teacher.numpy(), "sqeuclidean")).mean()
    assert leaf(student, teacher).item() == pytest.approx(expected, rel=1e-12)


def test_leaf_is_summed_over_the_dimensions_not_averaged() -> None:
    student, teacher = vectors(0), vectors(1)
    doubled = leaf(torch.cat([student, student], dim=1), torch.cat([teacher, teacher], dim=1))
    torch.testing.assert_close(doubled, 2 * leaf(student, teacher))


def test_leaf_on_unit_vectors_is_twice_the_cosine_distance() -> None:
    student, teacher = unit(vectors(0)), unit(vectors(1))
    torch.testing.assert_close(leaf(student, teacher), 2 * cosine(student, teacher))


def test_leaf_takes_a_zero_student_vector_as_far_from_its_target() -> None:
    teacher = unit(vectors(1))
    assert leaf(torch.zeros_like(teacher), teacher).item() == pytest.approx(1.0)


def test_cosine_is_the_mean_cosine_distance() -> None:
    student, teacher = vectors(0), vectors(1)
    assert cosine(student, teacher).item() == pytest.approx(np.mean(1 - np.diagonal(cosines(student, teacher))))


@pytest.mark.parametrize("temperature", [0.05, 1.0])
def test_affinity_is_the_cross_entropy_over_rows_and_columns(temperature: float) -> None:
    student, teacher = vectors(0), vectors(1)
    logits, target = cosines(student, teacher) / temperature, cosines(teacher, teacher) / temperature
    expected = [-(softmax(target, axis) * log_softmax(logits, axis)).sum(axis).mean() for axis in (0, 1)]
    assert affinity(student, teacher, temperature).item() == pytest.approx(np.mean(expected), rel=1e-9)


def test_affinity_is_least_at_the_teacher_and_there_the_entropy_of_its_affinities() -> None:
    teacher = vectors(1)
    target = cosines(teacher, teacher) / 0.05
    entropy = -(softmax(target, 1) * log_softmax(target, 1)).sum(1).mean()
    at_teacher = affinity(teacher.clone(), teacher)
    assert at_teacher.item() == pytest.approx(entropy, rel=1e-9)
    assert all(affinity(teacher + 0.1 * vectors(seed), teacher) > at_teacher for seed in range(2, 8))


def test_affinity_does_not_accept_a_rotated_copy_of_the_space() -> None:
    """Affinities among student vectors alone would be perfect here, and asymmetric search would find nothing."""
    teacher = vectors(1)
    rotation, _ = torch.linalg.qr(vectors(2, 6, 6))
    assert affinity(teacher @ rotation, teacher) > affinity(teacher, teacher) + 1


def test_mi_alpha_of_one_is_infonce_less_log_batch() -> None:
    student, teacher = vectors(0), vectors(1)
    logits = torch.as_tensor(cosines(student, teacher) / 0.05)
    infonce = torch.nn.functional.cross_entropy(logits, torch.arange(4))
    assert mi_alpha(student, teacher, alpha=1.0).item() == pytest.approx(infonce.item() - math.log(4), rel=1e-9)


@pytest.mark.parametrize(("alpha", "temperature", "baseline"), [(0.9, 0.05, math.e), (0.5, 1.0, 1.0), (0.01, 0.3, 7.0)])
def test_mi_alpha_mixes_the_batch_with_a_baseline(alpha: float, temperature: float, baseline: float) -> None:
    student, teacher = vectors(0), vectors(1)
    ratios = np.exp(cosines(student, teacher) / temperature)
    joint, marginal = [], []
    for i in range(4):
        joint.append(np.log(ratios[i, i] / (alpha * ratios[i].mean() + (1 - alpha) * baseline)))
        others = np.delete(ratios[i], i)
        marginal.append(np.mean(others / (alpha * others.mean() + (1 - alpha) * baseline)))
    expected = -(1 + np.mean(joint) - np.mean(marginal))
    assert mi_alpha(student, teacher, alpha, temperature, baseline).item() == pytest.approx(expected, rel=1e-9)


def test_mi_alpha_survives_a_temperature_that_overflows_the_exponential() -> None:
    student = vectors(0).float().requires_grad_()
    value = mi_alpha(student, vectors(1).float(), temperature=0.001)
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(student.grad).all()


@pytest.mark.parametrize("alpha", [0.0, -0.1, 1.1, float("nan")])
def test_mi_alpha_refuses_a_share_outside_its_range(alpha: float) -> None:
    with pytest.raises(LossInputError, match="alpha above 0"):
        mi_alpha(vectors(0), vectors(1), alpha=alpha)


def test_nd_divides_by_the_longer_of_the_two() -> None:
    student, teacher = vectors(0), vectors(1)
    student[0] *= 10
    student[1] *= 0.1
    s, t = student.numpy(), teacher.numpy()
    lengths = np.maximum(np.linalg.norm(s, axis=1), np.linalg.norm(t, axis=1))
    along = np.einsum("bd,bd->b", s, t) / np.linalg.norm(t, axis=1)
    assert nd(student, teacher).item() == pytest.approx(np.mean(1 - along / lengths), rel=1e-12)


def test_nd_rewards_growth_up_to_the_teachers_length_and_not_beyond() -> None:
    teacher = 3 * unit(vectors(1))
    values = [nd(scale * teacher, teacher).item() for scale in (0.2, 0.6, 1.0, 2.0)]
    assert values == pytest.approx([0.8, 0.4, 0.0, 0.0], abs=1e-9)


def test_nd_refuses_a_normalised_student_of_which_no_length_can_be_trained() -> None:
    refuses("nd", unit(vectors(0)), vectors(1), "not normalised")


@pytest.mark.parametrize(("directions", "temperature"), [(8, 1.0), (2, 0.5)])
def test_lelp_is_the_relative_entropy_of_the_signed_principal_directions(directions: int, temperature: float) -> None:
    student, teacher = vectors(0), vectors(1)
    s, t = student.numpy(), teacher.numpy()
    values, columns = np.linalg.eigh(t.T @ t)
    axes = columns[:, np.argsort(-values)[: min(directions, 4)]]
    z = t @ axes
    deviation = np.sqrt((z**2).mean(axis=0))
    logits = [np.hstack([x, -x]) / temperature for x in (z / deviation, s @ axes / deviation)]
    p, q = (softmax(one, axis=1) for one in logits)
    value = lelp(student, teacher, directions, temperature)
    assert value.item() == pytest.approx(rel_entr(p, q).sum(axis=1).mean(), rel=1e-9)
    assert lelp(teacher.clone(), teacher, directions, temperature).item() == pytest.approx(0, abs=1e-12)


def test_lelp_leaves_directions_out_in_which_the_teacher_does_not_differ() -> None:
    teacher = torch.cat([vectors(1)[:, :3], torch.full((4, 3), 1e-9, dtype=torch.float64)], dim=1)
    student = vectors(0)
    student[:, 3:] = 100
    torch.testing.assert_close(lelp(student, teacher), lelp(student[:, :3], teacher[:, :3]), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("directions", [0, -1])
def test_lelp_refuses_no_directions(directions: int) -> None:
    with pytest.raises(LossInputError, match="1 direction or more"):
        lelp(vectors(0), vectors(1), directions)


# --- invariances


@pytest.mark.parametrize("name", OF_DIRECTIONS)
def test_losses_of_directions_do_not_see_a_length(name: str) -> None:
    student, teacher = vectors(0), vectors(1)
    lengths = torch.tensor([[0.1], [1.0], [5.0], [40.0]], dtype=torch.float64)
    torch.testing.assert_close(
        ALIGNMENTS[name](student * lengths, teacher / lengths), ALIGNMENTS[name](student, teacher)
    )


@pytest.mark.parametrize("name", ALIGNMENTS)
def test_the_order_of_the_texts_and_a_common_rotation_do_not_matter(name: str) -> None:
    student, teacher = vectors(0), vectors(1)
    rotation, _ = torch.linalg.qr(vectors(2, 6, 6))
    value = ALIGNMENTS[name](student, teacher)
    torch.testing.assert_close(ALIGNMENTS[name](student.flip(0), teacher.flip(0)), value)
    torch.testing.assert_close(ALIGNMENTS[name](student @ rotation, teacher @ rotation), value)


@pytest.mark.parametrize("name", ALIGNMENTS)
def test_the_teacher_itself_is_better_than_the_vectors_of_other_texts(name: str) -> None:
    teacher = vectors(1)
    assert ALIGNMENTS[name](teacher.clone(), teacher) < ALIGNMENTS[name](teacher.roll(1, 0), teacher)


# --- every loss


def test_no_name_means_two_losses() -> None:
    assert not LOSSES.keys() & ALIGNMENTS.keys()


@pytest.mark.parametrize("name", ALIGNMENTS)
def test_gradient_equals_finite_differences(name: str) -> None:
    teacher = vectors(1)
    assert torch.autograd.gradcheck(lambda student: ALIGNMENTS[name](student, teacher), vectors(0).requires_grad_())


@pytest.mark.parametrize("name", ALIGNMENTS)
def test_descent_brings_the_student_to_its_targets(name: str) -> None:
    teacher = unit(vectors(1))
    student = (0.5 * vectors(0)).requires_grad_()
    before = np.diagonal(cosines(student.detach(), teacher)).mean()
    optimiser = torch.optim.Adam([student], lr=0.05)
    for _ in range(60):
        optimiser.zero_grad()
        ALIGNMENTS[name](student, teacher).backward()
        optimiser.step()
    after = cosines(student.detach(), teacher)
    assert after.argmax(axis=1).tolist() == [0, 1, 2, 3]
    assert np.diagonal(after).mean() > before + 0.2


@pytest.mark.parametrize("name", ALIGNMENTS)
def test_declared_shapes_hold_at_run_time(name: str) -> None:
    checked: Callable[..., Tensor] = jaxtyped(typechecker=beartype)(ALIGNMENTS[name])
    assert checked(vectors(0).float(), vectors(1).float()).shape == ()


@pytest.mark.parametrize("name", ALIGNMENTS)
@pytest.mark.parametrize("student_type", [torch.bfloat16, torch.float16, torch.float32])
def test_half_precision_targets_and_students_give_nearly_the_same_value(name: str, student_type: torch.dtype) -> None:
    student, teacher = vectors(0), vectors(1)
    value = ALIGNMENTS[name](student.to(student_type), teacher.half())
    assert value.item() == pytest.approx(ALIGNMENTS[name](student, teacher).item(), rel=0.1, abs=0.05)


@pytest.mark.parametrize("name", ALIGNMENTS)
def test_does_not_change_its_inputs(name: str) -> None:
    student, teacher = vectors(0), vectors(1)
    ALIGNMENTS[name](student, teacher)
    torch.testing.assert_close(student, vectors(0), rtol=0, atol=0)
    torch.testing.assert_close(teacher, vectors(1), rtol=0, atol=0)


@pytest.mark.parametrize("name", ALIGNMENTS)
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_refuses_embeddings_that_are_not_finite(name: str, bad: float) -> None:
    broken = vectors(0)
    broken[1, 2] = bad
    refuses(name, broken, vectors(1), "row 1, column 2")
    refuses(name, vectors(0), broken, "finite teacher embeddings")


@pytest.mark.parametrize("name", ALIGNMENTS)
@pytest.mark.parametrize("shape", [(1, 6), (3, 6), (5, 6)])
def test_refuses_another_number_of_teacher_rows_instead_of_broadcasting(name: str, shape: tuple[int, int]) -> None:
    refuses(name, vectors(0), vectors(1, *shape), "one teacher embedding for each")


@pytest.mark.parametrize("name", ALIGNMENTS)
@pytest.mark.parametrize("dim", [1, 3, 12])
def test_refuses_another_dimension_and_names_the_projection(name: str, dim: int) -> None:
    with pytest.raises(LossInputError, match=f"teacher's dimension, {dim}") as caught:
        ALIGNMENTS[name](vectors(0), vectors(1, 4, dim))
    assert "projection" in caught.value.remedy


@pytest.mark.parametrize("name", ALIGNMENTS)
@pytest.mark.parametrize("shape", [(6,), (4, 6, 1), (1, 4, 6), ()])
def test_refuses_embeddings_of_another_rank(name: str, shape: tuple[int, ...]) -> None:
    refuses(name, torch.ones(shape), torch.ones(shape), r"\[batch, dim\]")
    refuses(name, vectors(0), torch.ones(shape), r"\[batch, dim\]")


@pytest.mark.parametrize("name", ALIGNMENTS)
@pytest.mark.parametrize("shape", [(0, 6), (4, 0)])
def test_refuses_an_empty_batch(name: str, shape: tuple[int, int]) -> None:
    refuses(name, torch.zeros(shape), torch.zeros(shape), "one text or more")


@pytest.mark.parametrize("name", ALIGNMENTS)
def test_refuses_quantised_embeddings(name: str) -> None:
    refuses(name, vectors(0), (vectors(1) * 50).to(torch.int8), "teacher embeddings of a floating type")
    refuses(name, (vectors(0) * 50).to(torch.int8), vectors(1), "student embeddings of a floating type")


@pytest.mark.parametrize("name", ALIGNMENTS)
def test_refuses_to_train_the_teacher(name: str) -> None:
    refuses(name, vectors(0), vectors(1).requires_grad_(), "without a gradient")


@pytest.mark.parametrize("name", ALIGNMENTS)
def test_refuses_a_teacher_vector_that_points_nowhere(name: str) -> None:
    teacher = vectors(1)
    teacher[2] = 0
    refuses(name, vectors(0), teacher, "zero vector in row 2")


@pytest.mark.parametrize("name", OF_DIRECTIONS)
def test_losses_of_directions_refuse_a_zero_student_vector_instead_of_a_nan(name: str) -> None:
    student = vectors(0)
    student[3] = 0
    refuses(name, student, vectors(1), "zero vector in row 3")


@pytest.mark.parametrize("name", IN_BATCH)
def test_in_batch_losses_refuse_a_batch_of_one_that_would_train_nothing(name: str) -> None:
    refuses(name, vectors(0, 1), vectors(1, 1), "two texts or more")


@pytest.mark.parametrize("name", sorted(ALIGNMENTS.keys() - set(IN_BATCH)))
def test_losses_of_single_texts_take_a_batch_of_one(name: str) -> None:
    assert torch.isfinite(ALIGNMENTS[name](vectors(0, 1), vectors(1, 1)))


@pytest.mark.parametrize("name", ALIGNMENTS)
def test_refuses_targets_on_another_device(name: str) -> None:
    refuses(name, vectors(0), vectors(1).to("meta"), "on meta")


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan"), float("inf")])
@pytest.mark.parametrize("name", IN_BATCH)
def test_refuses_a_temperature_that_is_not_positive(name: str, temperature: float) -> None:
    loss: Callable[..., Tensor] = ALIGNMENTS[name]
    with pytest.raises(LossInputError, match="above 0"):
        loss(vectors(0), vectors(1), temperature=temperature)
