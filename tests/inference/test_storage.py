"""Models stored in fewer bytes load with sentence-transformers alone, and give nearly the same vectors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rankdistill.errors import ModelReferenceError
from rankdistill.evaluation.footprint import footprint
from rankdistill.inference import TextEncoder, storage
from rankdistill.inference.saving import save_model
from rankdistill.inference.storage import STORAGES, Storage, compress, quantise, shipped_bytes

TEXTS = ["the deep river", "an old planet is bright", "what is the round engine", "harbour 12", "", "slow bread ☃"]
LEAST_COSINE = {"float32": 1.0, "float16": 0.99999, "int8": 0.999, "int4": 0.98}


def original(folder: Path | str) -> Any:
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(folder), device="cpu")


def cosines(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    kept = np.linalg.norm(second, axis=1) > 0
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return (first * second).sum(axis=1)[kept] / lengths[kept]


def table_of(rows: int, dimension: int, *more: Any) -> Any:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer, models, pre_tokenizers

    vocabulary = {"[UNK]": 0} | {f"word{number}": number for number in range(1, rows)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    values = np.random.default_rng(5).normal(size=(rows, dimension)).astype(np.float32)
    values *= np.geomspace(1e-3, 10, rows, dtype=np.float32)[:, None]  # frequent tokens have short rows
    return SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_weights=values), *more], device="cpu")


@pytest.mark.parametrize("kind", STORAGES)
def test_a_table_in_fewer_bits_is_that_much_smaller_and_loads_alone(kind: Storage, tmp_path: Path) -> None:
    from sentence_transformers.sentence_transformer.modules import Dense, Normalize

    model = table_of(500, 64, Dense(64, 96, bias=False, activation_function=torch.nn.Identity()), Normalize())
    texts = [f"word{number} word{number + 1} word{number // 2}" for number in range(1, 400, 7)]
    save_model(model, tmp_path)
    whole = (tmp_path / "model.safetensors").stat().st_size
    compress(model, tmp_path, kind)
    weights = tmp_path / ("pytorch_model.bin" if kind == "int4" else "model.safetensors")
    assert weights.stat().st_size < whole * {"float32": 1.01, "float16": 0.53, "int8": 0.29, "int4": 0.17}[kind]
    assert (tmp_path / "model.safetensors").exists() == (kind != "int4")
    loaded = original(tmp_path)
    assert {parameter.dtype for parameter in loaded.parameters()} == {torch.float32}
    assert cosines(loaded.encode(texts), model.encode(texts)).min() >= LEAST_COSINE[kind]
    fast = TextEncoder(str(tmp_path), device="cpu")
    assert fast.backend == "static"
    np.testing.assert_allclose(fast.encode(texts), loaded.encode(texts), atol=3e-7)
    assert fast.encode(texts[:1])[0].tobytes() == fast.encode(texts)[0].tobytes()
    assert footprint(str(tmp_path)).model_bytes is not None


def test_what_is_written_does_not_depend_on_the_time(tmp_path: Path) -> None:
    model = table_of(50, 8)
    for name in ("one", "two"):
        save_model(model, tmp_path / name)
        compress(model, tmp_path / name, "int4")
    assert (tmp_path / "one/pytorch_model.bin").read_bytes() == (tmp_path / "two/pytorch_model.bin").read_bytes()


@pytest.mark.parametrize("kind", ["float16", "int8"])
def test_an_encoder_in_fewer_bits_is_that_much_smaller_and_loads_alone(
    kind: Storage, tiny_encoder: str, tmp_path: Path
) -> None:
    from safetensors.torch import load_file

    model = original(tiny_encoder)
    save_model(model, tmp_path)
    before = {path: path.stat().st_size for path in tmp_path.rglob("*.safetensors")}
    compress(model, tmp_path, kind)
    assert all(path.stat().st_size < 0.7 * size for path, size in before.items())
    (weights,) = before
    dtypes = {name: tensor.dtype for name, tensor in load_file(weights).items()}
    table = next(name for name in dtypes if "word_embeddings" in name)
    assert dtypes[table] == (torch.int8 if kind == "int8" else torch.float16)
    loaded = original(tmp_path)
    assert {parameter.dtype for parameter in loaded.parameters()} == {torch.float32}
    assert cosines(loaded.encode(TEXTS), model.encode(TEXTS)).min() >= LEAST_COSINE[kind]
    np.testing.assert_allclose(TextEncoder(str(tmp_path), device="cpu").encode(TEXTS), loaded.encode(TEXTS), atol=1e-5)


def test_other_readers_of_texts_are_stored_so_too(
    tiny_cross_encoder: str, tiny_multi_vector: str, tmp_path: Path
) -> None:
    from sentence_transformers import CrossEncoder, MultiVectorEncoder

    pairs = [(TEXTS[0], text) for text in TEXTS]
    scorer = CrossEncoder(tiny_cross_encoder, device="cpu")
    save_model(scorer, tmp_path / "scorer")
    compress(scorer, tmp_path / "scorer", "int8")
    found = CrossEncoder(str(tmp_path / "scorer"), device="cpu").predict(pairs)
    np.testing.assert_allclose(found, scorer.predict(pairs), atol=0.03)
    tokens = MultiVectorEncoder(tiny_multi_vector, device="cpu")
    save_model(tokens, tmp_path / "tokens")
    compress(tokens, tmp_path / "tokens", "int8")
    loaded = MultiVectorEncoder(str(tmp_path / "tokens"), device="cpu")
    for after, before in zip(loaded.encode_document(TEXTS[:2]), tokens.encode_document(TEXTS[:2]), strict=True):
        np.testing.assert_allclose(after, before, atol=0.05)


def test_the_least_error_is_found_and_no_number_leaves_its_levels() -> None:
    table = torch.randn(20, 200, generator=torch.Generator().manual_seed(0))
    table[3, 7] = 40.0  # far from the others: cutting it off is no gain
    table[5] = 0.0
    for levels in (7, 127):
        numbers, factors = quantise(table, levels)
        assert int(numbers.abs().max()) <= levels
        told = numbers.float() * factors[:, None]
        plain = table.abs().amax(dim=1, keepdim=True).clamp_min(1e-30) / levels
        simple = (table / plain).round() * plain
        assert ((told - table).square().sum(1) <= (simple - table).square().sum(1) + 1e-6).all()
        assert torch.equal(told[5], torch.zeros(200))


def test_what_would_load_with_other_numbers_is_refused(tiny_encoder: str, tiny_splade: str, tmp_path: Path) -> None:
    from sentence_transformers import SparseEncoder

    with pytest.raises(ModelReferenceError, match="static student"):
        storage.require_storable(original(tiny_encoder), "int4")
    with pytest.raises(ModelReferenceError, match="head over the vocabulary"):
        storage.require_storable(SparseEncoder(tiny_splade, device="cpu"), "int8")
    storage.require_storable(SparseEncoder(tiny_splade, device="cpu"), "float16")


def test_an_encoder_that_sees_the_length_of_its_tokens_is_refused(tiny_encoder: str) -> None:
    model = original(tiny_encoder)
    model.transformers_model.embeddings.LayerNorm = torch.nn.Identity()
    before = model.encode(TEXTS[:2])
    with pytest.raises(ModelReferenceError, match="no layer norm right behind"):
        storage.require_storable(model, "int8")
    np.testing.assert_array_equal(model.encode(TEXTS[:2]), before)


def test_what_tells_of_a_model_is_not_shipped_with_it(tmp_path: Path) -> None:
    for name in (
        "model.safetensors",
        "README.md",
        "manifest.json",
        "checkpoints/a.bin",
        "1_Dense/config.json",
        ".lock",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"12345")
    assert shipped_bytes(tmp_path) == 10
