"""Batches take few shapes, and what is padded changes no number."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rankdistill.inference import PairScorer, TextEncoder, shapes

WORDS = [
    "the",
    "deep",
    "river",
    "is",
    "slow",
    "and",
    "bright",
    "in",
    "the",
    "north",
    "what",
    "is",
    "old",
    "glass",
    "iron",
]


def test_the_rows_within_a_number_are_run_as_they_are() -> None:
    grid = {shapes.rows_of(rows) for rows in range(1, 700)}
    for rows in range(1, 600):
        assert shapes.rows_within(rows) == max(one for one in grid if one <= rows)


def test_some_hundreds_of_shapes_hold_every_batch() -> None:
    budget, most = 2048, 512
    found = {
        (shapes.rows_of(rows), shapes.width_of(tokens, most))
        for tokens in range(1, most + 1)
        for rows in range(1, budget // tokens + 1)
    }
    assert len(found) < 700


def test_little_is_added() -> None:
    for number in range(1, 2000):
        rows, width = shapes.rows_of(number), shapes.width_of(number, 4096)
        assert number <= rows <= number * 1.25
        assert number <= width <= max(number * 1.125, number + shapes.SHORTEST - 1)
    assert [shapes.rows_of(number) for number in (1, 7, 9, 11, 17, 33, 63)] == [1, 7, 10, 12, 20, 40, 64]
    assert [shapes.width_of(number, 50) for number in (1, 5, 33, 41, 49, 50, 51)] == [4, 8, 36, 44, 50, 50, 51]


def test_what_is_added_is_masked() -> None:
    features = {name: np.arange(9 * 5).reshape(9, 5) + 1 for name in ("input_ids", "attention_mask", "token_type_ids")}
    found = shapes.on_grid(features, 77, 64)
    assert {values.shape for values in found.values()} == {(10, 8)}
    for name, values in found.items():
        np.testing.assert_array_equal(values[:9, :5], features[name])
        np.testing.assert_array_equal(values[9, :5], features[name][0])
        assert (values[:, 5:] == (77 if name == "input_ids" else 0)).all()
    assert shapes.on_grid({"input_ids": np.ones((8, 8))}, 0, 64)["input_ids"].shape == (8, 8)


@pytest.mark.parametrize("backend", ["onnx", "openvino"])
def test_a_text_has_its_vector_in_every_batch(backend: str, tiny_encoder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = TextEncoder(tiny_encoder, backend, device="cpu")
    generator = np.random.default_rng(1)
    texts = [" ".join(generator.choice(WORDS, count)) for count in (1, 3, 5, 9, 14, 20, 31, 33, 40, 70, 4)]
    expected = TextEncoder(tiny_encoder, "torch", device="cpu").encode(texts)
    met = set()
    run = type(encoder._fast.backend).run  # type: ignore[union-attr]

    def noted(self: object, features: dict[str, np.ndarray]) -> np.ndarray:
        met.add(features["input_ids"].shape)
        return run(self, features)  # type: ignore[arg-type]

    monkeypatch.setattr(type(encoder._fast.backend), "run", noted)  # type: ignore[union-attr]
    for count in range(1, len(texts) + 1):
        np.testing.assert_allclose(encoder.encode(texts[-count:]), expected[-count:], atol=1e-5)
        np.testing.assert_allclose(encoder.encode(texts[:count]), expected[:count], atol=1e-5)
    assert met
    assert all((shapes.rows_of(rows), shapes.width_of(width, 64)) == (rows, width) for rows, width in met)


def test_rows_that_run_alone_are_not_padded(tiny_cross_encoder: str) -> None:
    """ONNX Runtime's int8 takes one range for all activations, those of padding too."""
    scorer = PairScorer(tiny_cross_encoder, "onnx-int8", device="cpu")
    assert not scorer._fast.backend.on_grid  # type: ignore[union-attr]


def test_a_long_run_is_padded_in_its_last_batch_alone(tiny_encoder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = TextEncoder(tiny_encoder, "onnx", device="cpu")
    backend: Any = encoder._fast.backend  # type: ignore[union-attr]
    met: list[tuple[int, int]] = []
    run = type(backend).run

    def noted(self: object, features: dict[str, np.ndarray]) -> np.ndarray:
        met.append(features["input_ids"].shape)
        return run(self, features)

    monkeypatch.setattr(type(backend), "run", noted)
    encoder.encode(["the deep river " * 12] * (backend.token_budget // 38 + 11))
    assert [shape for shape in met if shape[0] > 1] == [(backend.token_budget // 38, 38), (12, 40)]
