"""Encoders with a smaller vocabulary: the same vectors for texts of kept tokens, before and after saving."""

from __future__ import annotations

import json
from itertools import islice, pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rankdistill.errors import ConfigError, ModelReferenceError
from rankdistill.inference.saving import save_model
from rankdistill.inference.storage import compress, shipped_bytes
from rankdistill.students import cross_encoder, dense, multi_vector, prune, shapes, sparse
from rankdistill.students.settings import StudentSettings

TEXTS = ["the deep river", "an old planet is bright", "what is the round engine", "harbour 12", "slow bread"]
OTHERS = ["glass violin stone", "small iron", "North sweet sweet ☃ unknown"]


def smaller(model: Any, texts: list[str] = TEXTS) -> Any:
    cutter = prune.opened(model)
    used = set(range(cutter.whole)) & set(np.flatnonzero(prune.counted(model, texts)).tolist())
    prune.prune(model, texts, cutter.smallest + len(used))
    return model


def test_texts_of_kept_tokens_have_the_same_vectors_and_others_still_have_some(
    tiny_encoder: str, tmp_path: Path
) -> None:
    from sentence_transformers import SentenceTransformer

    whole = dense.load(tiny_encoder)
    model = smaller(dense.load(tiny_encoder))
    size = model.transformers_model.config.vocab_size
    assert size == len(model.tokenizer) < len(whole.tokenizer)
    np.testing.assert_allclose(model.encode(TEXTS), whole.encode(TEXTS), atol=1e-5)
    assert (model.tokenizer("violin")["input_ids"].count(model.tokenizer.unk_token_id)) == 0
    save_model(model, tmp_path / "saved")
    loaded = SentenceTransformer(str(tmp_path / "saved"), device="cpu")
    assert loaded.transformers_model.get_input_embeddings().num_embeddings == len(loaded.tokenizer) == size
    assert loaded.max_seq_length == whole.max_seq_length
    np.testing.assert_allclose(loaded.encode(TEXTS), whole.encode(TEXTS), atol=1e-5)
    np.testing.assert_allclose(loaded.encode(OTHERS), model.encode(OTHERS), atol=1e-6)
    assert {path.name for path in (tmp_path / "saved").rglob("vocab.txt")} == set()


def test_an_independent_reading_of_the_table_agrees(tiny_encoder: str) -> None:
    whole, model = dense.load(tiny_encoder), smaller(dense.load(tiny_encoder))
    before = whole.transformers_model.get_input_embeddings().weight.detach().numpy()
    after = model.transformers_model.get_input_embeddings().weight.detach().numpy()
    old = whole.tokenizer.get_vocab()
    for name, number in model.tokenizer.get_vocab().items():
        np.testing.assert_array_equal(after[number], before[old[name]])


def test_a_vocabulary_that_is_large_enough_stays(tiny_encoder: str) -> None:
    model = dense.load(tiny_encoder)
    table = model.transformers_model.get_input_embeddings()
    prune.prune(model, TEXTS, len(model.tokenizer))
    assert model.transformers_model.get_input_embeddings() is table


def test_too_few_tokens_are_refused_and_the_model_stays(tiny_encoder: str) -> None:
    model = dense.load(tiny_encoder)
    with pytest.raises(ConfigError, match="tokens at least"):
        prune.prune(model, TEXTS, 10)
    assert len(model.tokenizer) == model.transformers_model.config.vocab_size


def test_prompts_count_with_every_text(tiny_encoder: str) -> None:
    model = dense.load(tiny_encoder)
    model.prompts = {"query": "violin ", "document": ""}
    counts = prune.counted(model, TEXTS)
    assert counts[model.tokenizer.convert_tokens_to_ids("violin")] == len(TEXTS)


def test_a_head_over_the_vocabulary_is_cut_too(tiny_splade: str, tmp_path: Path) -> None:
    from sentence_transformers import SparseEncoder

    whole, model = sparse.load(tiny_splade), smaller(sparse.load(tiny_splade))
    assert sparse.vocabulary_size(model) == len(model.tokenizer)
    names, old = model.tokenizer.get_vocab(), whole.tokenizer.get_vocab()
    columns = [old[name] for name, _ in sorted(names.items(), key=lambda item: item[1])]
    expected = whole.encode(TEXTS, convert_to_sparse_tensor=False).numpy()[:, columns]
    np.testing.assert_allclose(model.encode(TEXTS, convert_to_sparse_tensor=False).numpy(), expected, atol=1e-5)
    save_model(model, tmp_path / "saved")
    loaded = SparseEncoder(str(tmp_path / "saved"), device="cpu")
    np.testing.assert_allclose(loaded.encode(TEXTS, convert_to_sparse_tensor=False).numpy(), expected, atol=1e-5)


def test_other_readers_of_texts(tiny_cross_encoder: str, tiny_multi_vector: str) -> None:
    pairs = list(pairwise(TEXTS))
    whole, model = cross_encoder.load(tiny_cross_encoder), smaller(cross_encoder.load(tiny_cross_encoder))
    np.testing.assert_allclose(model.predict(pairs), whole.predict(pairs), atol=1e-5)
    tokens, fewer = multi_vector.load(tiny_multi_vector), smaller(multi_vector.load(tiny_multi_vector), [*TEXTS, "of"])
    for before, after in zip(tokens.encode_document(TEXTS), fewer.encode_document(TEXTS), strict=True):
        np.testing.assert_allclose(after, before, atol=1e-5)  # the words that it leaves out have other numbers now


def test_a_token_table_has_fewer_rows(static_student: str) -> None:
    whole, model = dense.load(static_student), smaller(dense.load(static_student))
    assert model[0].embedding.num_embeddings == model.tokenizer.get_vocab_size() < whole.tokenizer.get_vocab_size()
    np.testing.assert_allclose(model.encode(TEXTS), whole.encode(TEXTS), atol=1e-6)


def test_routes_are_left_as_they_are(tiny_splade: str) -> None:
    weights = np.ones(len(sparse.load(tiny_splade).tokenizer), dtype=np.float32)
    routed = sparse.with_static_queries(sparse.load(tiny_splade), weights, learned=True)
    with pytest.raises(ModelReferenceError, match="starts with one transformer"):
        prune.prune(routed, TEXTS, 100)


@pytest.fixture(scope="module")
def many_languages(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An encoder of XLM-RoBERTa's kind with 250,000 pieces of four scripts, tiny otherwise, as transformers has it."""
    import torch
    from transformers import XLMRobertaConfig, XLMRobertaModel

    letters = [chr(code) for start in (0x61, 0x430, 0x5D0, 0x4E00) for code in range(start, start + 26)]
    made = (
        "".join(word)
        for script in range(0, 104, 26)
        for length in (2, 3, 4)
        for word in product(letters[script : script + 26], repeat=length)
    )
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "▁", *letters]
    for word in islice(made, 0, 10**7, 7):
        pieces += [word, f"▁{word}"]
    pieces = pieces[:250_000]
    assert len(pieces) == 250_000
    folder = tmp_path_factory.mktemp("many-languages")
    special = {name: {"content": name, "special": True} for name in pieces[:4]}
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    specification = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": number, **token, **flags} for number, token in enumerate(special.values())],
        "normalizer": {"type": "NFKC"},
        "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True},
        "post_processor": {
            "type": "RobertaProcessing",
            "sep": ["</s>", 2],
            "cls": ["<s>", 0],
            "trim_offsets": True,
            "add_prefix_space": True,
        },
        "decoder": None,
        "model": {
            "type": "Unigram",
            "unk_id": 3,
            "vocab": [[piece, -number * 4e-5 if number > 3 else 0.0] for number, piece in enumerate(pieces)],
            "byte_fallback": False,
        },
    }
    (folder / "tokenizer.json").write_text(json.dumps(specification, ensure_ascii=False))
    names = {"bos": "<s>", "eos": "</s>", "unk": "<unk>", "pad": "<pad>", "cls": "<s>", "sep": "</s>"}
    told = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 64}
    (folder / "tokenizer_config.json").write_text(json.dumps(told | {f"{one}_token": names[one] for one in names}))
    torch.manual_seed(1)
    config = XLMRobertaConfig(
        vocab_size=len(pieces),
        hidden_size=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=70,
        initializer_range=0.3,
        pad_token_id=1,
    )
    XLMRobertaModel(config).save_pretrained(folder)
    return str(folder)


def test_a_size_cuts_a_vocabulary_of_many_languages_to_the_tokens_of_the_texts(
    many_languages: str, tmp_path: Path
) -> None:
    from sentence_transformers import SentenceTransformer

    limit = 120_000
    model = dense.load(many_languages)
    assert len(model.tokenizer) == 250_000
    texts = [
        " ".join(f"{chr(0x430 + number % 26)}{chr(0x430 + number % 7)}б" for number in range(start, start + 5))
        for start in range(40)
    ]
    before = model.encode(texts)
    found = shapes.of_encoder(model, StudentSettings.model_validate({"max_mb": 0.12}), texts, limit, None)
    whole = max(found, key=lambda shape: (shape.layers, shape.width))
    assert whole.coverage == 1.0
    assert whole.vocabulary < 5000
    prune.prune(model, texts, whole.vocabulary)
    np.testing.assert_allclose(model.encode(texts), before, atol=1e-5)
    save_model(model, tmp_path)
    compress(model, tmp_path, whole.storage)
    assert shipped_bytes(tmp_path) <= whole.most_bytes <= limit
    loaded = SentenceTransformer(str(tmp_path), device="cpu")
    assert len(loaded.tokenizer) == loaded.transformers_model.config.vocab_size == whole.vocabulary
    np.testing.assert_allclose(loaded.encode(texts), before, atol=1e-2)
    assert loaded.tokenizer.unk_token_id not in loaded.tokenizer("zyx абв 丁一")["input_ids"]
