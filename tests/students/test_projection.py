"""A projection into the teacher's dimension, inside the model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, Normalize
from sklearn.linear_model import Ridge

from rankdistill.errors import ConfigError
from rankdistill.students import dense, projection
from rankdistill.students.targets import Targets

TEXTS = ["the old river", "what is the bright planet", "iron engine", "sweet bread"]


def random_pairs(bias: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    X = generator.normal(size=(50, 6)).astype(np.float32) + np.float32(bias)
    return X, (X @ generator.normal(size=(6, 4)) + 0.1 * generator.normal(size=(50, 4)) + bias).astype(np.float32)


@pytest.mark.parametrize("bias", [True, False])
def test_the_fit_is_the_ridge_regression_of_scikit_learn(bias: bool) -> None:
    X, Y = random_pairs(bias=2.0)
    layer = Dense(6, 4, bias=bias, activation_function=torch.nn.Identity())
    projection.fit(layer, X, Y, ridge=0.05)
    centred = X - X.mean(axis=0) if bias else X
    strength = 0.05 * float((centred.astype(np.float64) ** 2).sum()) / 6
    expected = Ridge(alpha=strength, fit_intercept=bias).fit(X.astype(np.float64), Y.astype(np.float64))
    np.testing.assert_allclose(layer.linear.weight.detach().numpy(), expected.coef_, atol=1e-5)
    if bias:
        np.testing.assert_allclose(layer.linear.bias.detach().numpy(), expected.intercept_, atol=1e-5)


def test_more_dimensions_than_texts_still_have_one_solution() -> None:
    X, Y = random_pairs()
    layer = Dense(6, 4, activation_function=torch.nn.Identity())
    projection.fit(layer, X[:2], Y[:2], ridge=1e-6)
    assert torch.isfinite(layer.linear.weight).all()
    projection.fit(layer, np.zeros((3, 6)), Y[:3], ridge=1e-3)
    np.testing.assert_allclose(layer.linear.weight.detach().numpy(), 0.0)


@pytest.mark.parametrize(
    ("X", "Y"),
    [
        (np.zeros((5, 6)), np.zeros((4, 4))),
        (np.zeros((5, 4)), np.zeros((5, 4))),
        (np.zeros((5, 6)), np.zeros((5, 6))),
        (np.zeros((0, 6)), np.zeros((0, 4))),
        (np.full((5, 6), np.nan), np.zeros((5, 4))),
        (np.zeros((5, 6)), np.full((5, 4), np.inf)),
    ],
)
def test_vectors_of_other_texts_or_shapes_are_refused(X: np.ndarray, Y: np.ndarray) -> None:
    with pytest.raises(ConfigError, match="unrelated vectors"):
        projection.fit(Dense(6, 4, activation_function=torch.nn.Identity()), X, Y, ridge=0.1)


@pytest.mark.parametrize("normalise", [True, False])
@pytest.mark.parametrize("dimension", [32, 12, 48])
def test_the_projection_is_saved_with_the_model(
    dimension: int, normalise: bool, tiny_encoder: str, tmp_path: Path
) -> None:
    model = dense.load(tiny_encoder)
    torch.manual_seed(0)
    projection.project(model, dimension, normalise)
    expected = model.encode(TEXTS)
    assert expected.shape == (4, dimension)
    assert projection.is_normalised(model) == normalise == bool(np.allclose(np.linalg.norm(expected, axis=1), 1.0))
    model.save(str(tmp_path / "student"), create_model_card=False)
    np.testing.assert_allclose(SentenceTransformer(str(tmp_path / "student")).encode(TEXTS), expected, atol=1e-6)


def test_a_projection_of_the_same_dimension_starts_by_changing_nothing(tiny_encoder: str) -> None:
    model = dense.load(tiny_encoder)
    before = model.encode(TEXTS)
    projection.project(model, 32, normalise=True)
    np.testing.assert_allclose(model.encode(TEXTS), before, atol=1e-6)


def test_normalisation_is_never_doubled(tiny_encoder: str) -> None:
    model = dense.load(tiny_encoder)
    projection.set_normalisation(model, normalise=True)
    projection.set_normalisation(model, normalise=True)
    assert sum(isinstance(module, Normalize) for module in model) == 1
    projection.set_normalisation(model, normalise=False)
    assert not any(isinstance(module, Normalize) for module in model)


def test_a_model_is_fitted_on_what_enters_its_projection(tiny_encoder: str) -> None:
    model = dense.load(tiny_encoder)
    bare = dense.load(tiny_encoder)
    projection.set_normalisation(bare, normalise=False)
    texts = [f"the {a} {b}" for a in ("old", "deep", "slow", "iron") for b in ("river", "bread", "engine", "harbour")]
    wanted = bare.encode(texts) @ np.random.default_rng(1).normal(size=(32, 8)).astype(np.float32) + 3.0
    layer = projection.project(model, 8, normalise=False)
    projection.fit_model(model, layer, Targets(texts, np.zeros(len(texts), dtype=bool), wanted), ridge=1e-7)
    np.testing.assert_allclose(model.encode(texts), wanted, atol=1e-2)
