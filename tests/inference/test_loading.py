"""What a folder holds is told from its configuration, as sentence-transformers itself would take it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from rankdistill import models
from rankdistill.errors import ModelReferenceError
from rankdistill.inference.loading import kind_of, load_cross_encoder, load_encoder


def _folder(root: Path, architecture: str | None, model_type: str | None, modules: bool) -> Path:
    (root / "config.json").write_text(json.dumps({"architectures": [architecture] if architecture else None}))
    if model_type:
        (root / "config_sentence_transformers.json").write_text(json.dumps({"model_type": model_type}))
    if modules:
        (root / "modules.json").write_text("[]")
    return root


@pytest.mark.parametrize(
    ("architecture", "model_type", "modules", "kind"),
    [
        ("BertForSequenceClassification", None, False, "cross_encoder"),
        ("BertModel", None, False, "encoder"),
        (None, None, False, "encoder"),
        ("BertForMaskedLM", None, False, "sparse"),
        ("BertForMaskedLM", None, True, "encoder"),
        ("BertForMaskedLM", "SparseEncoder", True, "sparse"),
        ("BertModel", "MultiVectorEncoder", True, "multi_vector"),
        ("BertModel", "ColBERT", True, "multi_vector"),
        ("HF_ColBERT", None, False, "multi_vector"),
        ("ColQwen2ForRetrieval", None, False, "multi_vector"),
        ("Qwen3ForCausalLM", None, False, "causal_lm"),
        ("GPT2LMHeadModel", None, False, "causal_lm"),
        ("Qwen3ForCausalLM", "SentenceTransformer", True, "encoder"),
        ("Qwen3ForCausalLM", "CrossEncoder", True, "cross_encoder"),
    ],
)
def test_kinds(architecture: str | None, model_type: str | None, modules: bool, kind: str, tmp_path: Path) -> None:
    assert kind_of(_folder(tmp_path, architecture, model_type, modules)) == kind


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "modules.json"])
def test_a_file_that_was_cut_off_is_an_error_that_names_the_model(tiny_encoder: str, tmp_path: Path, name: str) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(tiny_encoder, copy)
    whole = (copy / name).read_bytes()
    (copy / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelReferenceError, match="no model was loaded"):
        load_encoder(models.resolve(str(copy)), "cpu", None)


def test_a_tokeniser_that_is_gone_is_not_made_up(tiny_cross_encoder: str, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(tiny_cross_encoder, copy)
    for name in ("tokenizer.json", "vocab.txt"):
        (copy / name).unlink(missing_ok=True)
    with pytest.raises(ModelReferenceError, match="none of them a word"):
        load_cross_encoder(models.resolve(str(copy)), "cpu", None)
