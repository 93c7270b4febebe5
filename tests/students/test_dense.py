"""Loading dense students."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from rankdistill.errors import ModelReferenceError
from rankdistill.students import dense


def test_a_sentence_transformers_folder_keeps_its_own_modules(tiny_encoder: str) -> None:
    student = dense.load(tiny_encoder)
    assert [type(module).__name__ for module in student] == ["Transformer", "Pooling", "Normalize"]
    assert dense.similarity_of(student) == "cosine"


def test_a_plain_encoder_is_mean_pooled_over_its_real_tokens(tiny_bert: Path) -> None:
    from transformers import AutoModel, AutoTokenizer

    texts = ["river", "the old violin is small and round"]
    batch = AutoTokenizer.from_pretrained(tiny_bert)(texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        states = AutoModel.from_pretrained(tiny_bert).eval()(**batch).last_hidden_state
    mask = batch["attention_mask"][..., None]
    expected = (states * mask).sum(dim=1) / mask.sum(dim=1)
    np.testing.assert_allclose(dense.load(str(tiny_bert)).encode(texts), expected.numpy(), atol=1e-5)


def test_a_plain_encoder_takes_the_chosen_pooling(tiny_bert: Path) -> None:
    mean, cls = (dense.load(str(tiny_bert), pooling=pooling).encode("old river") for pooling in ("mean", "cls"))
    assert not np.allclose(mean, cls)


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
def test_the_similarity_is_saved_with_the_student(tiny_bert: Path, tmp_path: Path, similarity: str) -> None:
    from sentence_transformers import SentenceTransformer

    dense.load(str(tiny_bert), similarity=similarity).save_pretrained(str(tmp_path / "s"), create_model_card=False)
    assert SentenceTransformer(str(tmp_path / "s"), device="cpu").similarity_fn_name == similarity


def test_dot_products_of_normalised_vectors_count_as_bounded(tiny_encoder: str, tiny_bert: Path) -> None:
    assert dense.is_bounded(dense.load(tiny_encoder, similarity="dot"))
    assert not dense.is_bounded(dense.load(str(tiny_bert), similarity="dot"))


def test_max_length_cuts_texts(tiny_encoder: str) -> None:
    student = dense.load(tiny_encoder, max_length=8)
    assert student.preprocess(["river " * 30])["input_ids"].shape[1] == 8


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelReferenceError, match="no student was loaded"):
        dense.load(str(tmp_path))
