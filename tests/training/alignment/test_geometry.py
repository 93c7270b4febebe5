"""Nearness of two sets of vectors, against independent computations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from rankdistill.training.alignment import geometry


@pytest.fixture
def pair() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(5)
    teacher = generator.normal(size=(40, 8)).astype(np.float32)
    return teacher + 0.5 * generator.normal(size=(40, 8)).astype(np.float32), teacher


def test_linear_cka_equals_the_normalised_hsic_of_the_gram_matrices(pair: tuple[np.ndarray, np.ndarray]) -> None:
    centre = np.eye(40) - 1 / 40
    k, m = (centre @ (side @ side.T).astype(np.float64) @ centre for side in pair)
    assert geometry.linear_cka(*pair) == pytest.approx((k * m).sum() / np.sqrt((k * k).sum() * (m * m).sum()))


def test_linear_cka_of_many_dimensions_is_computed_over_the_texts(
    pair: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    narrow = geometry.linear_cka(*pair)
    monkeypatch.setattr(geometry, "WIDEST", 4)
    assert geometry.linear_cka(*pair) == pytest.approx(narrow)


def test_linear_cka_ignores_rotation_scale_and_shift(pair: tuple[np.ndarray, np.ndarray]) -> None:
    rotation = np.linalg.qr(np.random.default_rng(1).normal(size=(8, 8)))[0]
    assert geometry.linear_cka(3 * pair[1] @ rotation + 2, pair[1]) == pytest.approx(1)
    assert geometry.linear_cka(np.ones((40, 8), np.float32), pair[1]) == 0


def test_overlap_equals_a_count_over_sets(pair: tuple[np.ndarray, np.ndarray]) -> None:
    neighbours = [[set(np.argsort(row)[1:11].tolist()) for row in cdist(side, side, "cosine")] for side in pair]
    expected = np.mean([len(ours & theirs) / 10 for ours, theirs in zip(*neighbours, strict=True)])
    assert geometry.overlap(*pair, 10) == pytest.approx(expected)


def test_the_description_has_cosine_quantiles(pair: tuple[np.ndarray, np.ndarray]) -> None:
    found = geometry.describe(*pair)
    cosines = 1 - np.diagonal(cdist(*pair, "cosine"))
    assert found["cosine_p50"] == pytest.approx(np.median(cosines), abs=1e-6)
    assert found["cosine_p05"] == pytest.approx(np.quantile(cosines, 0.05), abs=1e-6)
    assert found["cosine_mean"] == pytest.approx(cosines.mean(), abs=1e-6)


def test_a_zero_vector_has_cosine_zero(pair: tuple[np.ndarray, np.ndarray]) -> None:
    student = pair[0].copy()
    student[0] = 0
    assert np.isfinite(list(geometry.describe(student, pair[1]).values())).all()
