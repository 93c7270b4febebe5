"""What losses are over the whole batch: the formula, and what would train wrongly in silence."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from beartype import beartype
from jaxtyping import jaxtyped
from scipy.special import rel_entr, softmax
from torch import Tensor

from rankdistill import names
from rankdistill.errors import LossInputError
from rankdistill.losses import IN_BATCH, in_batch_margin_mse, margin_mse

BATCH, DOCS = 3, 4


def scores(seed: int = 0, batch: int = BATCH, docs: int = DOCS) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, batch * docs, dtype=torch.float64, generator=generator) * 3


def refuses(name: str, student: Tensor, teacher: Tensor, match: str) -> None:
    with pytest.raises(LossInputError, match=match) as caught:
        IN_BATCH[name](student, teacher)
    assert caught.value.consequence
    assert caught.value.remedy


def test_losses_on_teacher_scores_have_a_form_over_the_batch() -> None:
    ours = {"margin_mse", "margin_mse_all", "kl_div", "splade_v3"}  # a new one may do without
    assert ours <= {name for name in names.LOSSES if names.has_in_batch_form(name)}
    assert not any(names.has_in_batch_form(name) for name, loss in names.LOSSES.items() if loss.labels)
    assert IN_BATCH.keys() == {name for name, loss in names.LOSSES.items() if loss.in_batch}


@pytest.mark.parametrize("docs", [2, 4])
def test_margin_mse_over_the_batch_is_half_of_others_positives_and_half_of_others_negatives(docs: int) -> None:
    student, teacher = scores(0, docs=docs), scores(1, docs=docs)
    s, t = student.numpy(), teacher.numpy()
    of_positives, of_negatives = [], []
    for query in range(BATCH):
        own = query * docs
        for other in range(BATCH):
            for place in range(docs):
                column = other * docs + place
                error = ((s[query, own] - s[query, column]) - (t[query, own] - t[query, column])) ** 2
                if other != query:
                    (of_negatives if place else of_positives).append(error)
    wanted = 0.5 * np.mean(of_positives) + 0.5 * np.mean(of_negatives)
    assert in_batch_margin_mse(student, teacher).item() == pytest.approx(wanted, rel=1e-12)


def test_margin_mse_over_the_batch_reads_of_a_querys_own_documents_the_positive_alone() -> None:
    student, teacher = scores(0), scores(1)
    value = in_batch_margin_mse(student, teacher)
    for query in range(BATCH):
        student[query, query * DOCS + 1 : (query + 1) * DOCS] += 100
    torch.testing.assert_close(in_batch_margin_mse(student, teacher), value)
    student[0, 0] += 1
    assert in_batch_margin_mse(student, teacher) != value


def test_margin_mse_over_the_batch_does_not_see_a_shift_of_a_query() -> None:
    student, teacher = scores(0), scores(1)
    shift = torch.arange(BATCH, dtype=torch.float64)[:, None]
    torch.testing.assert_close(in_batch_margin_mse(student + shift, teacher - 5), in_batch_margin_mse(student, teacher))


@pytest.mark.parametrize("docs", [2, 4])
def test_all_margins_over_the_batch_are_margin_mse_between_all_its_documents(docs: int) -> None:
    student, teacher = scores(0, docs=docs), scores(1, docs=docs)
    wanted = margin_mse(student, teacher, pairs="all")
    torch.testing.assert_close(IN_BATCH["margin_mse_all"](student, teacher), wanted)
    error = (student - teacher).numpy()
    pairs = [(row[i] - row[j]) ** 2 for row in error for i in range(len(row)) for j in range(i)]
    assert wanted.item() == pytest.approx(np.mean(pairs))


def test_kl_over_the_batch_is_the_relative_entropy_over_all_its_documents() -> None:
    student, teacher = scores(0), scores(1)
    p, q = softmax(teacher.numpy() / 2, axis=1), softmax(student.numpy() / 0.5, axis=1)
    value = IN_BATCH["kl_div"](student, teacher, student_temperature=0.5, teacher_temperature=2.0)
    assert value.item() == pytest.approx(rel_entr(p, q).sum(axis=1).mean(), rel=1e-9)


@pytest.mark.parametrize("shape", [(1, 4), (3, 10), (3, 3)], ids=["one query", "no whole rows", "positives alone"])
def test_margin_mse_refuses_a_batch_that_does_not_say_whose_documents_these_are(shape: tuple[int, int]) -> None:
    refuses("margin_mse", torch.zeros(shape), torch.ones(shape), "two queries or more")


@pytest.mark.parametrize("name", IN_BATCH)
def test_gradient_equals_finite_differences(name: str) -> None:
    assert torch.autograd.gradcheck(lambda student: IN_BATCH[name](student, scores(1)), scores().requires_grad_())


@pytest.mark.parametrize("name", IN_BATCH)
def test_declared_shapes_hold_at_run_time(name: str) -> None:
    assert jaxtyped(typechecker=beartype)(IN_BATCH[name])(scores().float(), scores(1).float()).shape == ()


@pytest.mark.parametrize("name", IN_BATCH)
def test_the_teacher_itself_has_no_loss_and_inputs_stay(name: str) -> None:
    student, teacher = scores(), scores()
    assert IN_BATCH[name](student, teacher).item() == pytest.approx(0, abs=1e-12)
    torch.testing.assert_close(student, scores())
    torch.testing.assert_close(teacher, scores())


@pytest.mark.parametrize("name", IN_BATCH)
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_scores_that_are_not_finite_are_refused(name: str, bad: float) -> None:
    broken = scores()
    broken[1, 2] = bad
    refuses(name, broken, scores(), "finite student scores")
    refuses(name, scores(), broken, "finite teacher scores")


@pytest.mark.parametrize("name", IN_BATCH)
@pytest.mark.parametrize("shape", [(3, 1), (1, 12), (3, 4), (12, 3), (12,)])
def test_a_teacher_of_another_shape_is_refused_instead_of_broadcast(name: str, shape: tuple[int, ...]) -> None:
    refuses(name, scores(), torch.zeros(shape, dtype=torch.float64), "student's shape")


@pytest.mark.parametrize("name", IN_BATCH)
def test_whole_numbers_and_a_trained_teacher_are_refused(name: str) -> None:
    refuses(name, scores().long(), scores(), "floating type")
    refuses(name, scores(), scores().long(), "teacher scores of a floating type")
    refuses(name, scores(), scores().requires_grad_(), "without a gradient")
