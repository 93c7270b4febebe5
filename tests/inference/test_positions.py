"""How many tokens models have positions for, and that a longer length is refused wherever it can be named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from rankdistill.errors import ConfigError
from rankdistill.inference import PairScorer, TextEncoder
from rankdistill.inference.multi_vector_encoder import MultiVectorTextEncoder
from rankdistill.inference.positions import limit_of, positions_of
from rankdistill.inference.sparse_encoder import SparseTextEncoder
from rankdistill.students import cross_encoder, dense, multi_vector, sparse
from tests.inference.conftest import FAMILIES, POSITIONS

SIZES: dict[str, Any] = {
    "vocab_size": 50,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "pad_token_id": 1,
    "bos_token_id": 0,
    "eos_token_id": 2,
}
GPT: dict[str, Any] = {"vocab_size": 50, "n_embd": 32, "n_layer": 2, "n_head": 4, "bos_token_id": 0, "eos_token_id": 2}
SEQ: dict[str, Any] = {f"{side}_{name}": 2 for side in ("encoder", "decoder") for name in ("layers", "attention_heads")}
T5: dict[str, Any] = {"vocab_size": 50, "d_model": 32, "d_ff": 64, "num_layers": 2, "num_heads": 4, "d_kv": 8}
MODERN: dict[str, Any] = {"cls_token_id": 0, "sep_token_id": 2}

TABLES: dict[str, tuple[dict[str, Any], int]] = {
    "Bert": (SIZES, 40),
    "Electra": (SIZES, 40),
    "Albert": (SIZES | {"embedding_size": 16}, 40),
    "DistilBert": ({"vocab_size": 50, "dim": 32, "n_heads": 4, "hidden_dim": 64, "n_layers": 2}, 40),
    "MobileBert": (SIZES | {"embedding_size": 32, "intra_bottleneck_size": 32}, 40),
    "Nystromformer": (SIZES, 40),
    "BigBird": (SIZES | {"sep_token_id": 2}, 40),
    "Roberta": (SIZES, 38),
    "XLMRoberta": (SIZES, 38),
    "Camembert": (SIZES, 38),
    "MPNet": (SIZES, 38),
    "Data2VecText": (SIZES, 38),
    "Longformer": (SIZES | {"attention_window": 4, "sep_token_id": 2}, 38),
    "GPT2": (GPT, 40),
    "OPT": (SIZES | {"ffn_dim": 64, "word_embed_proj_dim": 16}, 40),
    "Bart": ({"vocab_size": 50, "d_model": 32, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64} | SEQ, 40),
    "DebertaV2": (SIZES | {"position_biased_input": True}, 40),
}
"""Family -> settings, and the tokens that 40 `max_position_embeddings` are positions for."""

NO_TABLES: dict[str, dict[str, Any]] = {
    "DebertaV2": SIZES | {"position_biased_input": False, "relative_attention": True},
    "ModernBert": SIZES | MODERN,
    "Qwen3": SIZES | {"head_dim": 8, "num_key_value_heads": 2},
    "T5": T5 | {"decoder_start_token_id": 0},
    "Bloom": {"vocab_size": 50, "hidden_size": 32, "n_layer": 2, "n_head": 4},
}


def _model(family: str, settings: dict[str, Any], **more: Any) -> Any:
    transformers.logging.set_verbosity_error()
    name = "Model" if hasattr(transformers, f"{family}Model") else "ForCausalLM"
    return getattr(transformers, family + name)(getattr(transformers, f"{family}Config")(**settings, **more))


@pytest.mark.parametrize("family", TABLES)
def test_the_table_ends_where_the_model_fails(family: str) -> None:
    settings, expected = TABLES[family]
    model = _model(family, settings, max_position_embeddings=40).eval()
    assert positions_of(model) == expected
    if family in ("Longformer", "Bart"):  # these pad, or read a second row of tokens
        return
    ids = torch.full((1, expected + 1), 7)
    with torch.inference_mode():
        model(input_ids=ids[:, 1:])
        with pytest.raises((IndexError, RuntimeError)):
            model(input_ids=ids)


@pytest.mark.parametrize("family", NO_TABLES)
def test_relative_and_rotary_positions_have_no_end(family: str) -> None:
    assert positions_of(_model(family, NO_TABLES[family])) is None


def test_looking_changes_nothing() -> None:
    """No random number is drawn, a module in training stays there, and BigBird keeps its sparse attention."""
    model = _model("BigBird", SIZES | {"sep_token_id": 2}, max_position_embeddings=4096)
    model.train()
    model.encoder.layer[0].eval()
    before, training = torch.get_rng_state(), [module.training for module in model.modules()]
    assert positions_of(model) == 4096
    assert torch.equal(torch.get_rng_state(), before)
    assert [module.training for module in model.modules()] == training
    assert model.attention_type == "block_sparse"


@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_without_a_maximum_of_its_own_is_cut_at_its_table(family: str, ending: Callable[..., str]) -> None:
    encoder = TextEncoder(ending(family), "torch")
    scorer = PairScorer(ending(family, "ForSequenceClassification"), "torch")
    assert (encoder.max_length, scorer.max_length) == (POSITIONS, POSITIONS)
    assert (encoder.fingerprint["max_length"], scorer.fingerprint["max_length"]) == (POSITIONS, POSITIONS)
    assert encoder.space.max_length == POSITIONS
    assert SparseTextEncoder(ending(family, "ForMaskedLM")).max_length == POSITIONS
    lengths = ["wing " * words for words in range(1, 40)]
    assert encoder.is_cut(lengths).tolist() == [words + 2 > POSITIONS for words in range(1, 40)]


@pytest.mark.parametrize("family", FAMILIES)
def test_students_are_cut_there_and_saved_so(family: str, ending: Callable[..., str], tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer

    loaded = [
        dense.load(ending(family)),
        cross_encoder.load(ending(family)),
        cross_encoder.load(ending(family, "ForSequenceClassification")),
        sparse.load(ending(family, "ForMaskedLM")),
        multi_vector.load(ending(family)),
    ]
    assert [student.max_seq_length for student in loaded] == [POSITIONS] * 5
    assert [limit_of(student) for student in loaded] == [POSITIONS] * 5
    loaded[0].save_pretrained(str(tmp_path), create_model_card=False)
    assert SentenceTransformer(str(tmp_path), device="cpu").max_seq_length == POSITIONS


@pytest.mark.parametrize("family", FAMILIES)
def test_a_named_length_beyond_the_table_is_refused_by_every_loader(family: str, ending: Callable[..., str]) -> None:
    heads = {
        TextEncoder: "Model",
        PairScorer: "ForSequenceClassification",
        SparseTextEncoder: "ForMaskedLM",
    }
    for kind, head in heads.items():
        assert kind(ending(family, head), "torch", POSITIONS).max_length == POSITIONS
        with pytest.raises(ConfigError, match=rf"max_length of at most {POSITIONS}[\s\S]*got: {POSITIONS + 1}"):
            kind(ending(family, head), "torch", POSITIONS + 1)
    with pytest.raises(ConfigError, match="at most 32"):
        dense.load(ending(family), max_length=64)


def test_the_lengths_of_a_multi_vector_model_end_there_too(
    ending: Callable[..., str], tiny_multi_vector: str, tmp_path: Path
) -> None:
    student = multi_vector.load(ending("XLMRoberta"))
    student[0].document_length, student[0].query_length = 300, 31
    student.save_pretrained(str(tmp_path), create_model_card=False)
    encoder = MultiVectorTextEncoder(str(tmp_path))
    assert encoder.space.max_length == POSITIONS
    assert encoder.fingerprint["document_length"] == POSITIONS
    long, cut = encoder.encode_documents(["wing " * 90, "wing " * (POSITIONS - 2)])
    assert (long.shape, abs(long - cut).max() < 1e-5) == (cut.shape, True)
    assert encoder.query_tensors(["wing " * 90])[0].shape[0] == 31
    with pytest.raises(ConfigError, match="at most 64"):
        MultiVectorTextEncoder(tiny_multi_vector, max_length=65)
