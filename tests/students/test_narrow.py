"""Encoders of a smaller hidden size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from transformers import AutoModel, AutoTokenizer, DistilBertConfig, RobertaConfig

from rankdistill.errors import ConfigError, ModelReferenceError
from rankdistill.students import dense, projection
from rankdistill.students.narrow import narrow
from rankdistill.students.targets import Targets

TEXTS = [f"the {a} {b}" for a in ("old", "deep", "slow", "iron") for b in ("river", "bread", "engine", "harbour")]


def likeness(student: np.ndarray, wide: np.ndarray) -> float:
    """Share of the wide vectors' variance that a linear map of the student's explains."""
    X, Y = student - student.mean(axis=0), wide - wide.mean(axis=0)
    residual = Y - X @ np.linalg.lstsq(X, Y, rcond=None)[0]
    return 1 - float((residual**2).sum() / (Y**2).sum())


@pytest.mark.parametrize("how", ["rotate", "prune"])
def test_the_sizes_shrink_together_and_the_saved_model_is_plain(how: str, tiny_encoder: str, tmp_path: Path) -> None:
    model = dense.load(tiny_encoder)
    narrow(model, 16, TEXTS, how)  # type: ignore[arg-type]
    config = model.transformers_model.config
    assert (config.hidden_size, config.num_attention_heads, config.intermediate_size) == (16, 2, 32)
    expected = model.encode(TEXTS)
    assert expected.shape == (16, 16)
    model.save(str(tmp_path / "s"), create_model_card=False)
    np.testing.assert_allclose(SentenceTransformer(str(tmp_path / "s")).encode(TEXTS), expected, atol=1e-6)


@pytest.mark.parametrize("how", ["rotate", "prune"])
def test_units_that_carry_nothing_are_dropped_without_loss(how: str, tiny_encoder: str) -> None:
    """Of an encoder padded with idle units, heads and feed-forward units, the working ones are found."""
    torch.manual_seed(0)
    model = dense.load(tiny_encoder)
    encoder = model.transformers_model
    with torch.no_grad():
        norms = [encoder.embeddings.LayerNorm]
        for layer in encoder.encoder.layer:
            norms += [layer.attention.output.LayerNorm, layer.output.LayerNorm]
            layer.attention.output.dense.weight[:, 16:] = 0.0
            layer.output.dense.weight[:, 32:] = 0.0
        for norm in norms:
            norm.weight[16:] = 0.0
    projection.set_normalisation(model, normalise=False)
    wide = model.encode(TEXTS)
    narrow(model, 16, TEXTS, how)  # type: ignore[arg-type]
    assert likeness(model.encode(TEXTS), wide[:, :16]) > 0.9


def test_a_projection_brings_it_back_to_the_teachers_dimension(tiny_encoder: str) -> None:
    model = dense.load(tiny_encoder)
    wide = model.encode(TEXTS)
    narrow(model, 24, TEXTS, "rotate")
    layer = projection.project(model, 32, normalise=True)
    projection.fit_model(model, layer, Targets(TEXTS, np.zeros(len(TEXTS), dtype=bool), wide), ridge=1e-4)
    assert (model.encode(TEXTS) * wide).sum(axis=1).mean() > 0.9


def test_roberta_too(tiny_bert: Path, tmp_path: Path) -> None:
    config = RobertaConfig(
        hidden_size=32,
        num_attention_heads=4,
        intermediate_size=64,
        num_hidden_layers=2,
        vocab_size=97,
        max_position_embeddings=70,
        pad_token_id=0,
    )
    AutoModel.from_config(config).save_pretrained(tmp_path / "r")
    AutoTokenizer.from_pretrained(tiny_bert).save_pretrained(tmp_path / "r")
    model = dense.load(str(tmp_path / "r"))
    narrow(model, 16, TEXTS, "rotate")
    assert model.encode(TEXTS).shape == (16, 16)


@pytest.mark.parametrize("size", [0, 12, 32, 40])
def test_sizes_that_cannot_be_reached_are_refused(size: int, tiny_encoder: str) -> None:
    with pytest.raises(ConfigError, match="multiple of 8"):
        narrow(dense.load(tiny_encoder), size, TEXTS, "rotate")


def test_no_text_is_refused(tiny_encoder: str) -> None:
    with pytest.raises(ConfigError, match="no text"):
        narrow(dense.load(tiny_encoder), 16, [], "rotate")


def test_other_architectures_and_modules_are_refused_and_left_whole(
    tiny_bert: Path, tiny_encoder: str, tmp_path: Path
) -> None:
    config = DistilBertConfig(dim=32, n_heads=4, hidden_dim=64, n_layers=2, vocab_size=97, max_position_embeddings=70)
    AutoModel.from_config(config).save_pretrained(tmp_path / "d")
    AutoTokenizer.from_pretrained(tiny_bert).save_pretrained(tmp_path / "d")
    with pytest.raises(ModelReferenceError, match="DistilBertModel"):
        narrow(dense.load(str(tmp_path / "d")), 16, TEXTS, "rotate")
    model = dense.load(tiny_encoder)
    projection.project(model, 8, normalise=True)
    with pytest.raises(ModelReferenceError, match="Dense"):
        narrow(model, 16, TEXTS, "rotate")
    assert model.encode(TEXTS).shape == (16, 8)
