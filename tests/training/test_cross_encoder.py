"""Cross-encoder students: pairs while training, the head, whole runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rankdistill.data import Dataset
from rankdistill.errors import ConfigError, ModelReferenceError
from rankdistill.students import cross_encoder
from rankdistill.training import columns
from rankdistill.training.columns import PairCollator
from rankdistill.training.config import TrainConfig
from rankdistill.training.pair_scores import PairScores
from rankdistill.training.run import train
from tests.training.conftest import MemoryStore
from tests.training.test_multi_vector import ROWS, TEXTS
from tests.training.test_run import SMALL, log, stop_at

Run = Callable[..., Path]


@pytest.fixture
def run(tiny_data: Dataset, tiny_store: MemoryStore, tiny_cross_encoder: str, tmp_path: Path) -> Run:
    def start(name: str = "student", student: str = tiny_cross_encoder, **given: Any) -> Path:
        options = {key: given.pop(key) for key in list(given) if key not in TrainConfig.model_fields}
        settings = {**SMALL, "steps": 8, **given}
        return train(tiny_data, tiny_store, student, tmp_path / name, TrainConfig(**settings), **options)

    return start


def test_scores_in_training_are_logits(tiny_cross_encoder: str) -> None:
    student = cross_encoder.load(tiny_cross_encoder).eval()
    batch = PairCollator(student, None)(ROWS)
    assert [name for name in batch if name.startswith("query")] == []
    with torch.no_grad():
        scored = PairScores(columns.pad_token(student), True)(student, columns.split(batch, TEXTS))
    pairs = [(row["query"], row[name]) for row in ROWS for name in TEXTS[1:]]
    expected = student.predict(pairs, activation_fn=torch.nn.Identity(), show_progress_bar=False).reshape(4, 3)
    np.testing.assert_allclose(scored.own.numpy(), expected, rtol=1e-4, atol=1e-5)
    assert scored.candidates is not None
    assert scored.candidates.positives.tolist() == [0, 0, 0, 0]


def test_pairs_are_cut_to_the_length_in_training(tiny_cross_encoder: str) -> None:
    batch = PairCollator(cross_encoder.load(tiny_cross_encoder), 12)(ROWS)
    assert batch["negative_1_input_ids"].shape == (4, 12)


def test_the_student_predicts_logits_and_has_changed(run: Run, tiny_cross_encoder: str) -> None:
    from sentence_transformers import CrossEncoder

    out = run(keep_layers=[0, 2], dev_split="dev")
    student = CrossEncoder(str(out), device="cpu")
    assert student.transformers_model.config.num_hidden_layers == 2
    pairs = [(row["query"], row["negative_1"]) for row in ROWS]
    logits = student.predict(pairs, activation_fn=torch.nn.Identity(), show_progress_bar=False)
    np.testing.assert_array_equal(student.predict(pairs, show_progress_bar=False), logits)
    before = cross_encoder.load(tiny_cross_encoder).predict(pairs, show_progress_bar=False)
    assert not np.allclose(logits, before, atol=1e-3)
    assert log(out)["type"] == "cross-encoder"
    assert {point["step"] for point in log(out)["dev_ndcg_at_10"]} == {0, 4, 8}


def test_it_scores_as_a_teacher_does(run: Run) -> None:
    from rankdistill import teachers

    assert teachers.load(str(run())).score([("what is the river", "the river is deep")]).shape == (1,)


@pytest.mark.parametrize("loss", ["margin_mse", "kl", "contrastive"])
def test_it_learns_by(run: Run, loss: str) -> None:
    points = log(run(loss=loss, steps=24))["loss"]
    curve = [point["loss"] for point in points]
    assert np.isfinite(curve).all()
    assert np.mean(curve[-3:]) < np.mean(curve[:3])


def test_an_encoder_gets_a_head_of_its_seed(tiny_encoder: str) -> None:
    heads = [cross_encoder.load(tiny_encoder, seed=seed).transformers_model.classifier.weight for seed in (1, 1, 2)]
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])


def test_a_killed_run_goes_on_to_the_same_student(run: Run, tiny_encoder: str) -> None:
    whole = run("whole", tiny_encoder, type="cross-encoder", steps=16)
    with pytest.raises(KeyboardInterrupt):
        run("killed", tiny_encoder, type="cross-encoder", steps=16, progress=stop_at(10))
    killed = run("killed", tiny_encoder, type="cross-encoder", steps=16)
    assert json.dumps(log(whole)) == json.dumps(log(killed))
    for path in whole.rglob("*.safetensors"):
        assert path.read_bytes() == (killed / path.relative_to(whole)).read_bytes()


def test_what_reads_no_pairs_is_refused(run: Run, tiny_multi_vector: str, tiny_bert: Path, tmp_path: Path) -> None:
    from sentence_transformers import CrossEncoder

    with pytest.raises(ModelReferenceError, match="multi_vector"):
        run(student=tiny_multi_vector, type="cross-encoder")
    three = tmp_path / "three"
    CrossEncoder(str(tiny_bert), num_labels=3, device="cpu").save_pretrained(str(three), create_model_card=False)
    with pytest.raises(ModelReferenceError, match="3 outputs"):
        run(student=str(three))
    with pytest.raises(ConfigError, match="regulariser"):
        run(document_regulariser="flops", document_regulariser_weight=0.1)
