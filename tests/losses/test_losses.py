"""Every registered loss: its formula, its gradient, its shapes, and the inputs that would train wrongly in silence."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from typing import Any

import numpy as np
import pytest
import torch
from beartype import beartype
from jaxtyping import jaxtyped
from scipy.spatial.distance import cdist
from scipy.special import log_softmax, rel_entr, softmax
from torch import Tensor

from rankdistill.errors import LossInputError
from rankdistill.losses import (
    LOSSES,
    contrastive,
    disco,
    kl_div,
    margin_mse,
    pld,
    sinkd,
    sinkhorn,
    tgeo,
    triangle_gate,
)

TEACHER_LOSSES = sorted(LOSSES.keys() - {"contrastive"})

HELD = {"tgeo": {"gate": torch.tensor([0.2, 0.5, 0.9], dtype=torch.float64)}}
"""What a loss takes from the student's scores without a gradient, at a value: finite differences would see it move."""


def scores(batch: int = 3, docs: int = 4, seed: int = 0) -> Tensor:
    return torch.randn(batch, docs, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) * 3


def target(name: str, batch: int = 3, docs: int = 4) -> Tensor:
    """A valid second argument of the loss."""
    return torch.arange(batch) % docs if name == "contrastive" else scores(batch, docs, seed=1)


def refuses(name: str, student: Tensor, second: Tensor, match: str, **options: Any) -> None:
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


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_pld_weighs_each_place_of_the_teachers_ranking(first: bool, temperature: float) -> None:
    student, teacher = scores(5, 6, 0), scores(5, 6, 1)
    total = []
    for s, t in zip(student.numpy(), teacher.numpy(), strict=True):
        weights = softmax(t / temperature)
        order = sorted(range(6), key=lambda column, t=t: (first and column != 0, -t[column]))
        total.append(
            sum(
                weights[column] * (np.log(sum(np.exp(s[other]) for other in order[place:])) - s[column])
                for place, column in enumerate(order)
            )
        )
    assert pld(student, teacher, temperature, first).item() == pytest.approx(np.mean(total), rel=1e-9)


def test_pld_with_equal_weights_is_list_mle_and_takes_equal_scores_in_the_order_of_the_columns() -> None:
    student = scores(4, 5)
    remaining = np.log(np.cumsum(np.exp(student.numpy())[:, ::-1], axis=1)[:, ::-1])
    list_mle = (remaining - student.numpy()).sum(axis=1).mean()
    assert pld(student, torch.zeros_like(student)).item() == pytest.approx(list_mle / 5, rel=1e-9)


def test_pld_is_least_where_the_student_ranks_as_the_teacher() -> None:
    teacher = scores(1, 5, 3)
    values = {
        order: pld(torch.tensor([order], dtype=torch.float64), teacher).item() for order in permutations(range(5))
    }
    assert min(values, key=lambda order: values[order]) == tuple(teacher[0].argsort().argsort().tolist())


def test_pld_survives_extreme_scores() -> None:
    extreme = torch.tensor([[1000.0, -1000.0, 0.0]], requires_grad=True)
    pld(extreme, -extreme.detach()).backward()
    assert torch.isfinite(extreme.grad).all()  # type: ignore[union-attr]


@pytest.mark.parametrize(("temperature", "smoothing"), [(2.0, 0.1), (1.0, 0.5)])
def test_sinkhorn_carries_lists_of_places_over_by_a_doubly_stochastic_plan(
    temperature: float, smoothing: float
) -> None:
    student, teacher = scores(5, 4, 0), scores(5, 4, 1)
    order = np.argsort(-teacher.numpy(), axis=1)
    p, q = (np.take_along_axis(softmax(one.numpy() / temperature, axis=1), order, axis=1) for one in (teacher, student))
    cost = cdist(p, q, "cityblock")
    plan = np.exp(-cost / smoothing)
    for _ in range(20):
        plan = plan / plan.sum(axis=1, keepdims=True)
        plan = plan / plan.sum(axis=0, keepdims=True)
    value = sinkhorn(student, teacher, temperature, temperature, smoothing)
    assert value.item() == pytest.approx((plan * cost).sum() / 5, rel=1e-9)


def test_sinkhorn_does_not_see_which_document_is_at_a_place() -> None:
    student, teacher = scores(seed=0), scores(seed=1)
    moved = torch.stack([torch.randperm(4, generator=torch.Generator().manual_seed(seed)) for seed in range(3)])
    torch.testing.assert_close(sinkhorn(student.gather(1, moved), teacher.gather(1, moved)), sinkhorn(student, teacher))


def test_sinkhorn_of_one_query_is_the_distance_of_its_two_distributions() -> None:
    student, teacher = scores(1, 4, 0), scores(1, 4, 1)
    apart = np.abs(softmax(student.numpy() / 2) - softmax(teacher.numpy() / 2)).sum()
    assert sinkhorn(student, teacher).item() == pytest.approx(apart, rel=1e-9)


def test_sinkd_is_the_weighted_sum_of_its_parts() -> None:
    student, teacher = scores(seed=0), scores(seed=1)
    expected = 0.5 * kl_div(student, teacher, 2.0, 3.0) + 0.25 * sinkhorn(student, teacher, 2.0, 3.0)
    torch.testing.assert_close(sinkd(student, teacher, 0.5, 0.25, 2.0, 3.0), expected)


@pytest.mark.parametrize("weights", [(0.0, 0.0), (-1.0, 1.0), (1.0, -0.1)])
def test_sinkd_refuses_weights_that_train_nothing_or_away(weights: tuple[float, float]) -> None:
    refuses("sinkd", scores(), scores(), "weights of 0 and above", kl_weight=weights[0], sinkhorn_weight=weights[1])


def test_tgeo_mixes_teacher_and_label_of_each_query_by_its_gate() -> None:
    student, teacher = scores(5, 4, 0), scores(5, 4, 1)
    q, p = softmax(student.numpy() / 2, axis=1), softmax(teacher.numpy() / 0.5, axis=1)
    label = np.eye(4)[[0]].repeat(5, axis=0)
    of_student, of_teacher, apart = (
        np.abs(one - other).sum(axis=1) / 2 for one, other in ((q, label), (p, label), (p, q))
    )
    gate = (1 + (of_student - of_teacher) / apart) / 2
    assert ((gate >= 0) & (gate <= 1)).all()
    expected = (gate * rel_entr(p, q).sum(axis=1) - (1 - gate) * np.log(q[:, 0])).mean()
    assert tgeo(student, teacher, 2.0, 0.5).item() == pytest.approx(expected, rel=1e-9)


def test_the_gate_of_tgeo_follows_the_teacher_on_the_way_to_the_label_and_not_away_from_it() -> None:
    far, between, near = (torch.tensor([[value, 1 - value]]) for value in (0.1, 0.4, 0.9))
    assert triangle_gate(far, between).item() == pytest.approx(1, abs=1e-6)
    assert triangle_gate(near, between).item() == pytest.approx(0, abs=1e-6)
    assert triangle_gate(near, near).item() == pytest.approx(0.5)


def test_the_gate_of_tgeo_has_no_gradient() -> None:
    student, teacher = scores().requires_grad_(), scores(seed=1)
    tgeo(student, teacher).backward()
    held = scores().requires_grad_()
    gate = triangle_gate(held.detach().softmax(dim=1), teacher.softmax(dim=1))
    tgeo(held, teacher, gate=gate).backward()
    torch.testing.assert_close(student.grad, held.grad)


@pytest.mark.parametrize("gate", [torch.ones(4), torch.full((3,), 1.5), torch.full((3,), -0.1), torch.ones(3, 1)])
def test_tgeo_refuses_a_gate_that_is_no_share_of_each_query(gate: Tensor) -> None:
    refuses("tgeo", scores(), scores(seed=1), "a gate from 0 to 1", gate=gate)


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
    held = HELD.get(name, {})
    assert torch.autograd.gradcheck(
        lambda student: LOSSES[name](student, target(name), **held), scores().requires_grad_()
    )


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
    [
        ("kl_div", "student_temperature"),
        ("kl_div", "teacher_temperature"),
        ("contrastive", "temperature"),
        ("pld", "teacher_temperature"),
        ("sinkhorn", "student_temperature"),
        ("sinkhorn", "teacher_temperature"),
        ("sinkhorn", "smoothing"),
        ("sinkd", "student_temperature"),
        ("tgeo", "student_temperature"),
        ("tgeo", "teacher_temperature"),
    ],
)
def test_refuses_a_temperature_that_is_not_positive(name: str, option: str, temperature: float) -> None:
    refuses(name, scores(), target(name), "above 0", **{option: temperature})


def _as_float(second: Tensor) -> Tensor:
    return second.float() if second.is_floating_point() else second
