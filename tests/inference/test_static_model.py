"""A static model as a table gives the vectors of sentence-transformers, one by one and in batches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rankdistill.errors import ConfigError
from rankdistill.inference import TextEncoder
from rankdistill.inference.static_model import FEW, accelerate_static

TEXTS = [
    "what is the deep river",
    "",
    "   ",
    "Río grande, 7 [SEP] stones!",
    "old\tbread\nnorth",
    "unknown☃snow",
    "iron " * 300,
    "a_b-c don't",
    "planet 42: the engine?",
    "北 river",
]

Make = Callable[..., str]


@pytest.fixture
def make(tiny_bert: Path, tmp_path: Path) -> Make:
    """Saves a static model of random rows; gives its folder."""

    def save(*more: Any, change: Callable[[Any], object] = lambda tokenizer: None, **options: Any) -> str:
        from sentence_transformers import SentenceTransformer
        from sentence_transformers.sentence_transformer.modules import StaticEmbedding
        from tokenizers import Tokenizer
        from transformers import AutoTokenizer

        tokenizer = Tokenizer.from_str(AutoTokenizer.from_pretrained(tiny_bert).backend_tokenizer.to_str())
        tokenizer.no_truncation()
        change(tokenizer)
        table = np.random.default_rng(2).normal(size=(tokenizer.get_vocab_size(), 12)).astype(np.float32)
        static = StaticEmbedding(tokenizer, embedding_weights=table)
        folder = str(tmp_path / "static")
        SentenceTransformer(modules=[static, *more], device="cpu", **options).save(folder, create_model_card=False)
        return folder

    return save


def original(model: str) -> Any:
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(model, device="cpu")


@pytest.mark.parametrize("normalise", [False, True])
def test_the_vectors_are_the_original_ones(normalise: bool, make: Make) -> None:
    from sentence_transformers.sentence_transformer.modules import Normalize

    model = make(*([Normalize()] if normalise else []))
    encoder = TextEncoder(model, device="cpu")
    assert encoder.backend == "static"
    done: list[int] = []
    found = encoder.encode(TEXTS, progress=done.append)
    assert found.dtype == np.float32
    assert sum(done) == len(TEXTS)
    np.testing.assert_allclose(found, original(model).encode(TEXTS), atol=2e-7)
    assert not found[1].any()


def test_one_text_has_the_same_bytes_as_in_a_batch(make: Make) -> None:
    from sentence_transformers.sentence_transformer.modules import Normalize

    encoder = TextEncoder(make(Normalize()), device="cpu")
    assert len(TEXTS) > FEW
    together = encoder.encode(TEXTS)
    for text, vector in zip(TEXTS, together, strict=True):
        assert encoder.encode([text])[0].tobytes() == vector.tobytes()
    assert encoder.encode([]).shape == (0, 12)


def test_prompts_and_a_truncated_dimension_are_kept(make: Make) -> None:
    model = make(prompts={"query": "what is ", "document": ""}, truncate_dim=5)
    encoder, reference = TextEncoder(model, device="cpu"), original(model)
    np.testing.assert_allclose(encoder.encode_queries(TEXTS), reference.encode_query(TEXTS), atol=2e-7)
    np.testing.assert_allclose(encoder.encode_documents(TEXTS), reference.encode_document(TEXTS), atol=2e-7)
    assert encoder.encode_queries(TEXTS).shape == (len(TEXTS), 5)


def test_a_tokeniser_that_cuts_texts_cuts_them_here_too(make: Make) -> None:
    model = make(change=lambda tokenizer: tokenizer.enable_truncation(7))
    np.testing.assert_allclose(TextEncoder(model, device="cpu").encode(TEXTS), original(model).encode(TEXTS), atol=2e-7)


def test_a_maximum_length_is_that_of_the_tokeniser(make: Make) -> None:
    model = make()
    whole, cut = TextEncoder(model, device="cpu"), TextEncoder(model, device="cpu", max_length=3)
    assert (whole.max_length, cut.max_length) == (None, 3)
    assert whole.space != cut.space
    np.testing.assert_array_equal(cut.encode(["iron stone river bread"]), whole.encode(["iron stone river"]))


def test_slabs_join(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    from rankdistill.inference import static_model

    encoder = TextEncoder(make(), device="cpu")
    whole = encoder.encode(TEXTS)
    monkeypatch.setattr(static_model, "SLAB", 3)
    np.testing.assert_array_equal(encoder.encode(TEXTS), whole)


def test_other_models_are_left_to_others(make: Make, tiny_encoder: str) -> None:
    from sentence_transformers.sentence_transformer.modules import Dense

    assert accelerate_static(original(tiny_encoder), "auto", "cpu") is None
    model = make(Dense(12, 4))
    encoder = TextEncoder(model, device="cpu")
    assert encoder.backend == "sentence-transformers"
    np.testing.assert_allclose(encoder.encode(TEXTS), original(model).encode(TEXTS), atol=1e-6)


def test_a_back_end_is_checked_and_makes_no_difference(make: Make) -> None:
    model = make()
    assert TextEncoder(model, backend="torch", device="cpu").backend == "static"
    with pytest.raises(ConfigError, match="quick"):
        TextEncoder(model, backend="quick", device="cpu")


def test_a_table_in_half_precision_is_left_to_sentence_transformers(make: Make) -> None:
    assert accelerate_static(original(make()).half(), "auto", "cpu") is None
