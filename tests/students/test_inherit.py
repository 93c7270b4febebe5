"""Keeping some of an encoder's layers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from rankdistill.errors import ConfigError, ModelReferenceError, StaleOutputError
from rankdistill.students import dense
from rankdistill.students.inherit import inherit, keep

TEXTS = ["the old river", "what is the bright planet"]
SIZES = {"hidden_size": 32, "num_attention_heads": 4, "intermediate_size": 64, "num_hidden_layers": 4, "vocab_size": 97}


def architectures() -> dict[str, Any]:
    import transformers

    small = {**SIZES, "max_position_embeddings": 70}
    return {
        "bert": transformers.BertConfig(**small),
        "roberta": transformers.RobertaConfig(**small, pad_token_id=0),
        "mpnet": transformers.MPNetConfig(**small),
        "electra": transformers.ElectraConfig(**small, embedding_size=32),
        "distilbert": transformers.DistilBertConfig(
            dim=32, n_heads=4, hidden_dim=64, n_layers=4, vocab_size=97, max_position_embeddings=70
        ),
        "modernbert": transformers.ModernBertConfig(**small, pad_token_id=0, cls_token_id=2, sep_token_id=3),
    }


def save_plain(folder: Path, config: Any, tokenizer_from: Path) -> str:
    from transformers import AutoModel, AutoTokenizer

    torch.manual_seed(1)
    AutoModel.from_config(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(tokenizer_from).save_pretrained(folder)
    return str(folder)


def test_the_kept_layers_hold_the_original_weights(tiny_encoder: str, tmp_path: Path) -> None:
    original = SentenceTransformer(tiny_encoder, device="cpu").transformers_model
    small = SentenceTransformer(str(inherit(tiny_encoder, [0, 2], tmp_path / "s")), device="cpu").transformers_model
    assert small.config.num_hidden_layers == len(small.encoder.layer) == 2
    for new, old in ((0, 0), (1, 2)):
        for name, weight in small.encoder.layer[new].state_dict().items():
            torch.testing.assert_close(weight, original.encoder.layer[old].state_dict()[name], rtol=0, atol=0)


def test_keeping_every_layer_changes_no_embedding(tiny_encoder: str, tmp_path: Path) -> None:
    whole = SentenceTransformer(str(inherit(tiny_encoder, [0, 1, 2], tmp_path / "s")), device="cpu")
    np.testing.assert_array_equal(whole.encode(TEXTS), SentenceTransformer(tiny_encoder, device="cpu").encode(TEXTS))


@pytest.mark.parametrize("name", ["bert", "roberta", "mpnet", "electra", "distilbert", "modernbert"])
def test_the_saved_student_embeds_as_the_cut_model_in_memory(name: str, tiny_bert: Path, tmp_path: Path) -> None:
    reference = save_plain(tmp_path / "plain", architectures()[name], tiny_bert)
    in_memory = dense.load(reference)
    keep(in_memory, [0, 3])
    saved = SentenceTransformer(str(inherit(reference, [0, 3], tmp_path / "s")), device="cpu")
    np.testing.assert_allclose(saved.encode(TEXTS), in_memory.encode(TEXTS), atol=1e-6)
    assert not np.allclose(saved.encode(TEXTS), dense.load(reference).encode(TEXTS), atol=1e-3)


def test_layers_that_cannot_move_are_refused_instead_of_loading_other_weights(tiny_bert: Path, tmp_path: Path) -> None:
    reference = save_plain(tmp_path / "plain", architectures()["modernbert"], tiny_bert)
    with pytest.raises(ModelReferenceError, match="keep layer 0"):
        keep(dense.load(reference), [1, 2])


@pytest.mark.parametrize("layers", [[], [0, 0], [2, 0], [-1, 0], [0, 3]])
def test_layers_that_are_missing_doubled_or_out_of_order_are_refused(layers: list[int], tiny_encoder: str) -> None:
    with pytest.raises(ConfigError, match="from 0 to 2"):
        keep(dense.load(tiny_encoder), layers)


def test_an_architecture_that_shares_its_layers_is_refused(tiny_bert: Path, tmp_path: Path) -> None:
    import transformers

    config = transformers.AlbertConfig(**SIZES, embedding_size=32, max_position_embeddings=70)
    with pytest.raises(ModelReferenceError, match="AlbertModel"):
        keep(dense.load(save_plain(tmp_path / "plain", config, tiny_bert)), [0])


def test_the_manifest_names_the_layers_and_the_same_inputs_do_no_work(tiny_encoder: str, tmp_path: Path) -> None:
    out = inherit(tiny_encoder, [0, 2], tmp_path / "s")
    content = json.loads((out / "manifest.json").read_text())
    assert content["artefact"] == "student"
    assert content["parameters"]["keep_layers"] == [0, 2]
    before = (out / "model.safetensors").stat().st_mtime_ns
    inherit(tiny_encoder, [0, 2], out)
    assert (out / "model.safetensors").stat().st_mtime_ns == before
    with pytest.raises(StaleOutputError, match="keep_layers"):
        inherit(tiny_encoder, [0, 1], out)
