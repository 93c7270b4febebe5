"""Every registered loss: its formula, its gradient, its shapes, and the inputs that would train wrongly in silence."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from beartype import beartype
from jaxtyping import jaxtyped
from scipy.special import log_softmax, rel_entr, softmax
from torch import Tensor

from rankdistill.errors import LossInputError
from rankdistill.losses import LOSSES, contrastive, disco, kl_div, margin_mse

TEACHER_LOSSES = sorted(LOSSES.keys() - {"contrastive"})


def scores(batch: int = 3, docs: int = 4, seed: int = 0) -> Tensor:
    return torch.randn(batch, docs, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) * 3


def target(name: str, batch: int = 3, docs: int = 4) -> Tensor:
    """A valid second argument of the loss."""
    return torch.arange(batch) % docs if name == "contrastive" else scores(batch, docs, seed=1)


def refuses(name: str, student: Tensor, second: Tensor, match: str, **options: float) -> None:
    with pytest.raises(LossInputError, match=match) as caught:
        LOSSES[name](student, second, **options)
    assert caught.value.consequence
    assert caught.value.remedy


# --- formulas, against numpy and scipy


def test_margin_mse_of_the_positive_compares_its_margin_to_each_negative() -> None:
    student, teacher = scores(5, 4, 0), scores(5, 4, 1)
    s, t = student.numpy(), teacher.numpy()
    total = [((s[b, 0] - s[b, i]) - (t[b, 0] - t[b, i])) ** 2 for b in range(5) for i in range(1, 4)]
    assert margin_mse(student, teacher).item() == pytest.approx(np.mean(total), rel=1e-12)


def test_margin_mse_of_all_pairs_compares_each_unordered_pair_once() -> None:
    student, teacher = scores(5, 4, 0), scores(5, 4, 1)
    s, t = student.numpy(), teacher.numpy()
    total = [
        ((s[b, i] - s[b, j]) - (t[b, i] - t[b, j])) ** 2 for b in range(5) for i in range(4) for j in range(i + 1, 4)
    ]
    assert margin_mse(student, teacher, pairs="all").item() == pytest.approx(np.mean(total), rel=1e-12)


def test_the_two_readings_of_margin_mse_agree_on_triples() -> None:
    student, teacher = scores(6, 2, 0), scores(6, 2, 1)
    torch.testing.assert_close(margin_mse(student, teacher), margin_mse(student, teacher, pairs="all"))


def test_margin_mse_does_not_see_a_shift_of_either_side() -> None:
    student, teacher = scores(seed=0), scores(seed=1)
    torch.testing.assert_close(margin_mse(student + 7, teacher - 2), margin_mse(student, teacher))


def test_margin_mse_refuses_an_unknown_choice_of_pairs() -> None:
    with pytest.raises(LossInputError, match="'positive' or 'all'"):
        margin_mse(scores(), scores(), pairs="best")  # type: ignore[arg-type]


@pytest.mark.parametrize(("student_temperature", "teacher_temperature"), [(1.0, 1.0), (0.5, 2.0)])
def test_kl_div_is_the_relative_entropy_of_the_two_softmaxes(
    student_temperature: float, teacher_temperature: float
) -> None:
    student, teacher = scores(5, 4, 0), scores(5, 4, 1)
    p = softmax(teacher.numpy() / teacher_temperature, axis=1)
    q = softmax(student.numpy() / student_temperature, axis=1)
    value = kl_div(student, teacher, student_temperature, teacher_temperature)
    assert value.item() == pytest.approx(rel_entr(p, q).sum(axis=1).mean(), rel=1e-9)


def test_disco_is_the_weighted_relative_entropy_of_the_teacher_to_the_student() -> None:
    student, teacher = scores(5, 17, 0), scores(5, 17, 1)
    p, q = softmax(teacher.numpy() / 0.5, axis=1), softmax(student.numpy() / 2.0, axis=1)
    value = disco(student, teacher, kl_weight=0.9, student_temperature=2.0, teacher_temperature=0.5)
    assert value.item() == pytest.approx(0.9 * rel_entr(p, q).sum(axis=1).mean(), rel=1e-9)
    torch.testing.assert_close(disco(student, teacher), 0.99 * kl_div(student, teacher))
    with pytest.raises(LossInputError, match="kl_weight above 0"):
        disco(student, teacher, kl_weight=0.0)


def test_kl_div_is_zero_for_the_teacher_itself_and_survives_extreme_scores() -> None:
    extreme = torch.tensor([[1000.0, -1000.0, 0.0]])
    assert kl_div(extreme, extreme).item() == 0.0
    assert torch.isfinite(kl_div(-extreme, extreme))


def test_contrastive_is_the_mean_negative_log_likelihood_of_the_positive() -> None:
    student, positives = scores(4, 6), torch.tensor([0, 5, 2, 3])
    expected = -log_softmax(student.numpy() / 0.05, axis=1)[np.arange(4), positives.numpy()].mean()
    assert contrastive(student, positives, temperature=0.05).item() == pytest.approx(expected, rel=1e-9)


def test_contrastive_leaves_excluded_candidates_out_of_the_denominator() -> None:
    student, positives = scores(2, 4), torch.tensor([0, 1])
    excluded = torch.tensor([[False, False, True, False], [False, False, False, True]])
    kept = torch.stack([student[0, [0, 1, 3]], student[1, [0, 1, 2]]])
    torch.testing.assert_close(contrastive(student, positives, excluded=excluded), contrastive(kept, positives))


def test_contrastive_refuses_to_exclude_the_positive_itself() -> None:
    excluded = torch.zeros(3, 4, dtype=torch.bool)
    excluded[1, 1] = True
    with pytest.raises(LossInputError, match="a positive that is excluded"):
        contrastive(scores(), torch.tensor([0, 1, 2]), excluded=excluded)


@pytest.mark.parametrize("mask", [torch.zeros(1, 4, dtype=torch.bool), torch.zeros(3, 4)], ids=["broadcast", "float"])
def test_contrastive_refuses_a_mask_of_another_shape_or_type(mask: Tensor) -> None:
    with pytest.raises(LossInputError, match="a boolean mask of shape"):
        contrastive(scores(), torch.tensor([0, 1, 2]), excluded=mask)


# --- every loss


@pytest.mark.parametrize("name", LOSSES)
def test_gradient_equals_finite_differences(name: str) -> None:
    assert torch.autograd.gradcheck(lambda student: LOSSES[name](student, target(name)), scores().requires_grad_())


@pytest.mark.parametrize("name", LOSSES)
def test_declared_shapes_hold_at_run_time(name: str) -> None:
    loss: Callable[..., Tensor] = LOSSES[name]
    function, options = (loss.func, loss.keywords) if hasattr(loss, "func") else (loss, {})
    checked = jaxtyped(typechecker=beartype)(function)
    assert checked(scores().float(), _as_float(target(name)), **options).shape == ()


@pytest.mark.parametrize("name", LOSSES)
def test_accepts_half_precision_scores(name: str) -> None:
    assert torch.isfinite(LOSSES[name](scores().bfloat16(), target(name)))


@pytest.mark.parametrize("name", LOSSES)
def test_does_not_change_its_inputs(name: str) -> None:
    student, second = scores(), target(name)
    LOSSES[name](student, second)
    torch.testing.assert_close(student, scores())
    torch.testing.assert_close(second, target(name))


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_refuses_student_scores_that_are_not_finite(name: str, bad: float) -> None:
    student = scores()
    student[1, 2] = bad
    refuses(name, student, target(name), "row 1, column 2")


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("shape", [(4,), (3, 4, 1)])
def test_refuses_student_scores_of_another_rank(name: str, shape: tuple[int, ...]) -> None:
    second = torch.zeros(shape[0], dtype=torch.int64) if name == "contrastive" else torch.zeros(shape)
    refuses(name, torch.zeros(shape), second, r"\[batch, docs\]")


@pytest.mark.parametrize("name", LOSSES)
def test_refuses_a_single_candidate(name: str) -> None:
    refuses(name, scores(3, 1), target(name, 3, 1), "two documents or more")


@pytest.mark.parametrize("name", LOSSES)
def test_refuses_an_empty_batch(name: str) -> None:
    refuses(name, scores(0, 4), target(name, 0, 4), "one query or more")


@pytest.mark.parametrize("name", LOSSES)
def test_refuses_integer_student_scores(name: str) -> None:
    refuses(name, scores().long(), target(name), "floating type")


@pytest.mark.parametrize("name", LOSSES)
def test_refuses_a_target_on_another_device(name: str) -> None:
    refuses(name, scores(), target(name).to("meta"), "on meta")


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("narrow", [1, 2])
def test_refuses_a_target_of_another_batch_size_instead_of_broadcasting(name: str, narrow: int) -> None:
    refuses(name, scores(), target(name)[:narrow], "shape")


@pytest.mark.parametrize("name", TEACHER_LOSSES)
@pytest.mark.parametrize("shape", [(3, 1), (1, 4), (3, 3), (4, 3), (3,), (12,), (3, 4, 1)])
def test_refuses_teacher_scores_of_another_shape_instead_of_broadcasting(name: str, shape: tuple[int, ...]) -> None:
    refuses(name, scores(), torch.zeros(shape, dtype=torch.float64), "student's shape")


@pytest.mark.parametrize("name", TEACHER_LOSSES)
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_refuses_teacher_scores_that_are_not_finite(name: str, bad: float) -> None:
    teacher = scores()
    teacher[0, 3] = bad
    refuses(name, scores(), teacher, "finite teacher scores")


@pytest.mark.parametrize("name", TEACHER_LOSSES)
def test_refuses_integer_teacher_scores(name: str) -> None:
    refuses(name, scores(), scores().long(), "teacher scores of a floating type")


@pytest.mark.parametrize("name", TEACHER_LOSSES)
def test_refuses_to_train_the_teacher(name: str) -> None:
    refuses(name, scores(), scores().requires_grad_(), "without a gradient")


@pytest.mark.parametrize("bad", [[0, 1, -100], [0, 1, 4]], ids=["ignored index", "outside"])
def test_contrastive_refuses_positives_that_are_no_column(bad: list[int]) -> None:
    refuses("contrastive", scores(), torch.tensor(bad), "in row 2")


@pytest.mark.parametrize("bad", [torch.zeros(3), torch.zeros(3, 4), torch.zeros(3, 4, dtype=torch.int64)])
def test_contrastive_refuses_probabilities_in_place_of_positives(bad: Tensor) -> None:
    refuses("contrastive", scores(), bad, "one int64 column")


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan"), float("inf")])
@pytest.mark.parametrize(
    ("name", "option"),
    [("kl_div", "student_temperature"), ("kl_div", "teacher_temperature"), ("contrastive", "temperature")],
)
def test_refuses_a_temperature_that_is_not_positive(name: str, option: str, temperature: float) -> None:
    refuses(name, scores(), target(name), "above 0", **{option: temperature})


def _as_float(second: Tensor) -> Tensor:
    return second.float() if second.is_floating_point() else second
