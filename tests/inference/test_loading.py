"""What a folder holds is told from its configuration, as sentence-transformers itself would take it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rankdistill.inference.loading import kind_of


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
