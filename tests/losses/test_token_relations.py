"""Relations of tokens: the formula against numpy, what changes nothing, and what would train wrongly in silence."""

from __future__ import annotations

from typing import Any

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
from rankdistill.losses import token_relations
from tests.losses.embeddings import vectors

TEXTS = torch.tensor([0, 0, 0, 1, 1, 1, 1, 2, 2])
"""Nine tokens of three texts; the last text has too few for relations of its own."""


def tokens(seed: int, width: int = 6) -> Tensor:
    return vectors(seed, len(TEXTS), width)


def by_hand(student: Tensor, teacher: Tensor, neighbours: int, temperature: float, weight: float) -> float:
    s, t = (1 - cdist(one.numpy(), one.numpy(), "cosine") for one in (student, teacher))
    across, within = [], []
    for token in range(len(TEXTS)):
        others = [other for other in range(len(TEXTS)) if other != token]
        near = sorted(others, key=lambda other, row=t[token]: -row[other])[:neighbours]
        own = [other for other in others if TEXTS[other] == TEXTS[token]]
        for edges, found in ((near, across), (own, within)):
            if len(edges) >= 2:
                p, q = (softmax(row[token, edges] / temperature) for row in (t, s))
                found.append(entropy(p, q))
    return float(np.mean(across) + weight * np.mean(within))


@pytest.mark.parametrize(("neighbours", "temperature", "weight"), [(3, 0.05, 1.0), (8, 1.0, 0.5), (50, 0.2, 0.0)])
@pytest.mark.parametrize("width", [6, 3])
def test_it_is_the_divergence_over_neighbours_and_within_texts(
    width: int, neighbours: int, temperature: float, weight: float
) -> None:
    student, teacher = tokens(0), tokens(1, width)
    value = token_relations(student, teacher, TEXTS, neighbours, temperature, weight)
    assert value.item() == pytest.approx(by_hand(student, teacher, neighbours, temperature, weight), rel=1e-9)


def test_rotations_lengths_and_the_order_of_the_tokens_change_nothing() -> None:
    student, teacher = tokens(0), tokens(1)
    rotation, _ = torch.linalg.qr(vectors(2, 6, 6))
    value = token_relations(student, teacher, TEXTS)
    torch.testing.assert_close(token_relations(student @ rotation, 3 * teacher, TEXTS), value)
    torch.testing.assert_close(token_relations(student.flip(0), teacher.flip(0), TEXTS.flip(0)), value)


def test_it_is_zero_at_the_teacher_and_texts_of_single_tokens_have_relations_across_alone() -> None:
    teacher = tokens(1)
    assert token_relations(teacher.clone(), teacher, TEXTS).item() == pytest.approx(0, abs=1e-12)
    alone = torch.arange(len(TEXTS))
    across = token_relations(tokens(0), teacher, TEXTS, within_weight=0.0)
    torch.testing.assert_close(token_relations(tokens(0), teacher, alone), across)


def test_gradient_equals_finite_differences_and_survives_half_precision() -> None:
    teacher, student = tokens(1), tokens(0).requires_grad_()
    assert torch.autograd.gradcheck(lambda one: token_relations(one, teacher, TEXTS, 3, 0.5), student)
    half = tokens(0).bfloat16().requires_grad_()
    token_relations(half, teacher.half(), TEXTS).backward()
    assert torch.isfinite(half.grad).all()


def test_declared_shapes_hold_at_run_time() -> None:
    assert jaxtyped(typechecker=beartype)(token_relations)(tokens(0).float(), tokens(1, 3).float(), TEXTS).shape == ()


def broken(rows: Tensor) -> Tensor:
    rows[4, 2] = float("nan")
    return rows


@pytest.mark.parametrize(
    ("student", "teacher", "texts", "options", "match"),
    [
        (broken(tokens(0)), tokens(1), TEXTS, {}, "row 4, column 2"),
        (tokens(0), broken(tokens(1)), TEXTS, {}, "finite teacher"),
        (tokens(0), tokens(1)[:4], TEXTS, {}, "one teacher embedding for each"),
        (tokens(0), tokens(1).requires_grad_(), TEXTS, {}, "without a gradient"),
        (tokens(0) * 0, tokens(1), TEXTS, {}, "zero vector in row 0"),
        (tokens(0), tokens(1), TEXTS[:4], {}, "number of a text for each token"),
        (tokens(0), tokens(1), TEXTS.float(), {}, "number of a text for each token"),
        (tokens(0)[:2], tokens(1)[:2], TEXTS[:2], {}, "3 tokens or more"),
        (tokens(0), tokens(1), TEXTS, {"neighbours": 1}, "2 neighbours or more"),
        (tokens(0), tokens(1), TEXTS, {"within_weight": -1.0}, "weight of 0 or more"),
        (tokens(0), tokens(1), TEXTS, {"temperature": 0.0}, "above 0"),
    ],
)
def test_what_would_train_wrongly_is_refused(
    student: Tensor, teacher: Tensor, texts: Tensor, options: dict[str, Any], match: str
) -> None:
    with pytest.raises(LossInputError, match=match) as caught:
        token_relations(student, teacher, texts, **options)
    assert caught.value.remedy
