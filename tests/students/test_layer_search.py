"""Choosing which layers a student inherits."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from rankdistill.errors import ConfigError, ModelReferenceError
from rankdistill.students import dense, inherit, layer_search
from rankdistill.students.targets import Targets, encode

TEXTS = [f"the {a} {b}" for a in ("old", "deep", "slow", "iron") for b in ("river", "bread", "engine", "harbour")]


def targets_of(model: SentenceTransformer) -> Targets:
    return Targets(TEXTS, np.zeros(len(TEXTS), dtype=bool), model.encode(TEXTS))


def with_an_idle_layer(reference: str, idle: int) -> SentenceTransformer:
    """A model whose layer `idle` passes on almost what it is given."""
    model = dense.load(reference)
    layer = model.transformers_model.encoder.layer[idle]
    with torch.no_grad():
        for module in (layer.attention.output.dense, layer.output.dense):
            module.weight.mul_(1e-3)
            module.bias.mul_(1e-3)
    return model


@pytest.mark.parametrize(("rule", "expected"), [("first", [0, 1, 2]), ("last", [3, 4, 5]), ("even", [0, 2, 5])])
def test_rules(rule: str, expected: list[int]) -> None:
    assert layer_search.by_rule(rule, 6, 3) == expected  # type: ignore[arg-type]


def test_even_layers_are_different_and_reach_both_ends() -> None:
    for total in range(1, 14):
        for count in range(2, total + 1):
            chosen = layer_search.by_rule("even", total, count)
            assert len(set(chosen)) == count
            assert (chosen[0], chosen[-1]) == (0, total - 1)


@pytest.mark.parametrize("count", [0, 7])
def test_more_layers_than_there_are_are_refused(count: int) -> None:
    with pytest.raises(ConfigError, match="1 to 6"):
        layer_search.by_rule("first", 6, count)


@pytest.mark.parametrize("idle", [0, 1, 2])
@pytest.mark.parametrize("exhaustive", [0, 70])
def test_the_layer_that_does_nothing_is_left_out(
    idle: int, exhaustive: int, tiny_encoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layer_search, "EXHAUSTIVE", exhaustive)
    model = with_an_idle_layer(tiny_encoder, idle)
    targets = targets_of(model)
    assert layer_search.search(model, targets, 2) == [layer for layer in range(3) if layer != idle]
    np.testing.assert_array_equal(model.encode(TEXTS), targets.vectors)


def test_a_search_needs_texts_to_compare_and_layers(tiny_encoder: str, tiny_bert: str) -> None:
    model = dense.load(tiny_encoder)
    with pytest.raises(ConfigError, match="three texts"):
        layer_search.search(model, targets_of(model).thinned(2), 2)
    with pytest.raises(ConfigError, match="1 to 3"):
        layer_search.search(model, targets_of(model), 4)


def test_a_model_without_layers_is_refused() -> None:
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel

    tokenizer = Tokenizer(WordLevel({"a": 0}, unk_token="a"))
    static = SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=4)], device="cpu")
    with pytest.raises(ModelReferenceError, match="list of layers"):
        inherit.layer_count(static)


def test_all_layers_are_back_after_an_error(tiny_encoder: str) -> None:
    model = dense.load(tiny_encoder)
    with pytest.raises(RuntimeError, match="inside"), inherit.only(model, [0]):
        raise RuntimeError("inside")
    assert inherit.layer_count(model) == 3


def test_cka_is_that_of_centred_gram_matrices_and_ignores_rotation_and_scale() -> None:
    generator = np.random.default_rng(2)
    X, Y = generator.normal(size=(20, 5)), generator.normal(size=(20, 3))
    centring = np.eye(20) - 1 / 20
    K, M = centring @ (X @ X.T) @ centring, centring @ (Y @ Y.T) @ centring
    expected = np.trace(K @ M) / np.sqrt(np.trace(K @ K) * np.trace(M @ M))
    assert layer_search.linear_cka(X, Y) == pytest.approx(expected)
    rotation = np.linalg.qr(generator.normal(size=(5, 5)))[0]
    assert layer_search.linear_cka(X, 3 * X @ rotation + 1) == pytest.approx(1.0)
    assert layer_search.linear_cka(X, np.ones((20, 4))) == 0.0


def test_queries_and_documents_get_their_own_prompts(tiny_encoder: str) -> None:
    model = dense.load(tiny_encoder)
    model.prompts = {"query": "what is ", "document": "the "}
    targets = Targets(["river", "bread", "river"], np.array([True, False, False]), np.zeros((3, 32)))
    expected = dense.load(tiny_encoder).encode(["what is river", "the bread", "the river"])
    np.testing.assert_allclose(encode(model, targets), expected, atol=1e-6)
