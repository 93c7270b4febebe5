"""What a folder holds is told from its configuration, as sentence-transformers itself would take it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from rankdistill import models
from rankdistill.errors import ModelReferenceError
from rankdistill.inference.loading import kind_of, load_cross_encoder, load_encoder
from rankdistill.inference.multi_vector_encoder import MultiVectorTextEncoder


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


@pytest.fixture
def early_pylate(tiny_bert: Path, tmp_path: Path) -> Path:
    """The tiny BERT as PyLate saved its models before it wrote a `model_type`."""
    import torch
    from safetensors.torch import save_file

    folder = tmp_path / "early"
    shutil.copytree(tiny_bert, folder)
    (folder / "1_Dense").mkdir()
    modules = [("", "sentence_transformers.models.Transformer"), ("1_Dense", "pylate.models.Dense.Dense")]
    listed = [
        {"idx": place, "name": str(place), "path": path, "type": kind} for place, (path, kind) in enumerate(modules)
    ]
    dense = {"in_features": 32, "out_features": 16, "bias": False}
    settings = {
        "__version__": {"sentence_transformers": "3.0.1"},
        "similarity_fn_name": "MaxSim",
        "query_prefix": "[Q] ",
        "document_prefix": "[D] ",
        "query_length": 16,
        "document_length": 40,
        "attend_to_expansion_tokens": False,
        "skiplist_words": ["!", "."],
    }
    written = {
        "modules.json": listed,
        "1_Dense/config.json": dense | {"activation_function": "torch.nn.modules.linear.Identity"},
        "config_sentence_transformers.json": settings,
    }
    for name, value in written.items():
        (folder / name).write_text(json.dumps(value))
    save_file(
        {"linear.weight": torch.randn(16, 32, generator=torch.Generator().manual_seed(0))},
        folder / "1_Dense/model.safetensors",
    )
    return folder


def test_an_early_pylate_model_gives_the_vectors_of_the_library(early_pylate: Path) -> None:
    from sentence_transformers import MultiVectorEncoder

    assert kind_of(early_pylate) == "multi_vector"
    texts = ["the old river", "a violin."]
    library = MultiVectorEncoder(str(early_pylate), device="cpu")
    encoder = MultiVectorTextEncoder(str(early_pylate))
    for ours, theirs in (
        (encoder.encode_queries(texts), library.encode_query(texts)),
        (encoder.encode_documents(texts), library.encode_document(texts)),
    ):
        for row, other in enumerate(theirs):
            np.testing.assert_allclose(ours[row], np.asarray(other), atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "module", "kind"),
    [
        ({"query_prefix": "[Q] "}, "sentence_transformers.models.Dense", "multi_vector"),
        ({"similarity_fn_name": "MaxSim"}, "sentence_transformers.models.Dense", "multi_vector"),
        ({}, "pylate.models.Dense.Dense", "multi_vector"),
        ({"similarity_fn_name": "cosine", "prompts": {}}, "sentence_transformers.models.Dense", "encoder"),
        ({"model_type": "SentenceTransformer", "query_length": 32}, "sentence_transformers.models.Dense", "encoder"),
    ],
)
def test_what_tells_a_model_of_no_declared_type(
    settings: dict[str, object], module: str, kind: str, tmp_path: Path
) -> None:
    _folder(tmp_path, "BertModel", None, modules=False)
    (tmp_path / "modules.json").write_text(json.dumps([{"idx": 0, "name": "0", "path": "", "type": module}]))
    (tmp_path / "config_sentence_transformers.json").write_text(json.dumps(settings))
    assert kind_of(tmp_path) == kind
