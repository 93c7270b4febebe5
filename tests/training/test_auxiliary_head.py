"""Dual heads in a run: the loss of the first step from its formula, what is kept of a head, resuming, refusals."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy.special import log_softmax, rel_entr, softmax

from rankdistill import manifest
from rankdistill.data import Dataset
from rankdistill.errors import ConfigError
from rankdistill.training import columns, objectives, types
from rankdistill.training.batch import Start
from rankdistill.training.config import TrainConfig
from rankdistill.training.run import train
from rankdistill.training.sparsity import Sparsity
from tests.training.conftest import MemoryStore
from tests.training.in_batch.test_objective import COLUMNS, ROWS, training_rows
from tests.training.test_run import SMALL, log, stop_at

pytestmark = pytest.mark.usefixtures("torch_alone")

TWO_HEADS = {"loss": "contrastive", "auxiliary_head_weight": 0.5}
Run = Callable[..., Path]


@pytest.fixture
def run(tiny_data: Dataset, tiny_store: MemoryStore, tiny_encoder: str, tmp_path: Path) -> Run:
    def start(name: str = "student", student: str = tiny_encoder, **given: Any) -> Path:
        options = {key: given.pop(key) for key in list(given) if key not in TrainConfig.model_fields}
        settings = {**SMALL, "steps": 8, **TWO_HEADS, **given}
        return train(tiny_data, tiny_store, student, tmp_path / name, TrainConfig(**settings), **options)

    return start


def _built(tiny_encoder: str, teacher: np.ndarray, **given: Any) -> tuple[Any, Any, torch.Tensor]:
    config = TrainConfig(type="dense", **TWO_HEADS, **given)
    kind = types.get("dense")
    model = kind.load(Start(tiny_encoder, config, lambda: iter(()))).eval()
    rows = training_rows(teacher)
    objective = objectives.build(kind, model, config, rows, Sparsity({}, {}))
    batch = kind.collator(model, COLUMNS, config)([rows[at] for at in range(ROWS)])
    return objective, columns.split(batch, COLUMNS), batch["label"]


def test_the_loss_is_labels_for_one_head_and_the_teacher_for_the_other(tiny_encoder: str) -> None:
    """By numpy, with an auxiliary head that is no longer the identity."""
    teacher = np.random.default_rng(1).normal(size=(ROWS, 3)) * 4
    objective, features, labels = _built(tiny_encoder, teacher, scale=3.0, student_temperature=2.0)
    with torch.no_grad():
        objective.head.linear.weight.copy_(torch.eye(len(objective.head.linear.weight)).roll(1, 0) * 0.7)
        found = float(objective(features, labels))
        alone = objective.scorer(objective.model, features)
    weight = objective.head.linear.weight.detach().numpy()
    queries, documents = (one.numpy() for one in alone.embeddings)

    def cosines(left: np.ndarray, right: np.ndarray) -> np.ndarray:
        left, right = (one / np.linalg.norm(one, axis=1, keepdims=True) for one in (left, right))
        return left @ right.T

    own = [slice(3 * row, 3 * row + 3) for row in range(ROWS)]
    auxiliary = 3.0 * np.stack(
        [cosines(queries @ weight.T, documents @ weight.T)[row, place] for row, place in enumerate(own)]
    )
    p, q = softmax(teacher, axis=1), softmax(auxiliary / 2, axis=1)
    of_teacher = rel_entr(p, q).sum(axis=1).mean()
    scores = np.where(alone.candidates.excluded.numpy(), -np.inf, 20 * cosines(queries, documents))
    of_labels = -log_softmax(scores, axis=1)[np.arange(ROWS), np.arange(ROWS) * 3].mean()
    assert found == pytest.approx(of_labels + 0.5 * of_teacher, rel=1e-4)


def test_both_heads_have_the_same_scores_at_the_start(tiny_encoder: str) -> None:
    teacher = np.random.default_rng(1).normal(size=(ROWS, 3)) * 4
    objective, features, _ = _built(tiny_encoder, teacher)
    with torch.no_grad():
        scored = objective.scorer(objective.model, features)
    torch.testing.assert_close(scored.auxiliary, scored.own, rtol=1e-5, atol=1e-6)
    assert objective.scale.log_ratio.requires_grad, "the auxiliary head's scores go to the teacher's unit"


def test_the_teacher_has_a_say_and_its_head_is_left_out(run: Run, tiny_encoder: str) -> None:
    from sentence_transformers import SentenceTransformer

    out = run(keep_checkpoints=True)
    alone = run("alone", auxiliary_head_weight=0.0)
    before, after = SentenceTransformer(tiny_encoder, device="cpu"), SentenceTransformer(str(out), device="cpu")
    assert {name: tuple(one.shape) for name, one in before.state_dict().items()} == {
        name: tuple(one.shape) for name, one in after.state_dict().items()
    }
    assert (out / "model.safetensors").read_bytes() != (alone / "model.safetensors").read_bytes()
    weights = torch.load(next(out.rglob("checkpoint-8/beside.pt")), weights_only=True)["linear.weight"]
    assert 0 < float((weights - torch.eye(len(weights))).abs().max()) < 1
    assert log(out)["check"] != {"mode": "off"}, "the teacher's scores are examined: a head learns from them"
    assert log(alone)["check"] == {"mode": "off"}


def test_an_interrupted_run_goes_on_to_the_same_bytes(run: Run) -> None:
    whole = run("whole")
    with pytest.raises(KeyboardInterrupt):
        run("parts", progress=stop_at(5))
    parts = run("parts")
    assert (parts / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    assert log(parts) == log(whole)


def test_documents_of_a_tower_are_compared_by_both_heads(run: Run, tiny_encoder: str) -> None:
    plain = run("plain", document_tower=tiny_encoder, auxiliary_head_weight=0.0)
    out = run(document_tower=tiny_encoder)
    assert log(out)["document_tower"] == log(plain)["document_tower"]
    assert log(out)["loss"][0]["loss"] > log(plain)["loss"][0]["loss"], "the divergence is added"


def test_one_head_is_the_student_that_it_was(run: Run) -> None:
    settings = manifest.read(run("alone", auxiliary_head_weight=0.0)).parameters
    assert "auxiliary_head_weight" not in settings
    assert manifest.read(run()).parameters["auxiliary_head_weight"] == 0.5


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"loss": "margin_mse"}, "set loss to contrastive"),
        ({"type": "splade"}, "no vector of a text"),
        ({"auxiliary_head_weight": -1.0}, "greater than or equal to 0"),
        ({"auxiliary_head_weight": float("inf")}, "finite"),
    ],
)
def test_what_has_no_second_head_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        TrainConfig(**{**TWO_HEADS, **given})


def test_a_model_of_another_type_is_refused_before_it_is_loaded(run: Run, tiny_multi_vector: str) -> None:
    with pytest.raises(ConfigError, match="a dense student for auxiliary_head_weight"):
        run(student=tiny_multi_vector)
