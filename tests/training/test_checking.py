"""Training runs the gate on what it reads: refusals, the override, what the log says, and what stays the same."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from rankdistill import manifest
from rankdistill.data import Dataset
from rankdistill.errors import GateError
from rankdistill.training import inputs
from rankdistill.training.checking import check
from rankdistill.training.config import TrainConfig
from rankdistill.training.run import train
from tests.training.conftest import MemoryStore

KINDS = {"teacher": "logit"}


@pytest.fixture
def squashed(tiny_store: MemoryStore) -> MemoryStore:
    """The store after a sigmoid."""
    sigmoid = 1 / (1 + (-pl.col("score") * 3).exp())
    return replace(tiny_store, score_frame=tiny_store.score_frame.with_columns(score=sigmoid.cast(pl.Float32)))


def read(dataset: Dataset, store: MemoryStore) -> inputs.Inputs:
    return inputs.read(dataset, store, "train", None)


def test_too_little_data_is_not_refused(tiny_data: Dataset, tiny_store: MemoryStore) -> None:
    log = check(read(tiny_data, tiny_store), KINDS, TrainConfig(), cosine=True)
    assert log["mode"] == "refuse"
    assert log["verdicts"]["positives"]["status"] == "unknown"
    assert log["verdicts"]["finite"] == {"status": "pass", "finding": "all 117 scores are finite"}


def test_broken_scores_are_refused_unless_told(tiny_data: Dataset, squashed: MemoryStore) -> None:
    found = read(tiny_data, squashed)
    with pytest.raises(GateError, match="--no-check"):
        check(found, KINDS, TrainConfig(), cosine=True)
    log = check(found, KINDS, TrainConfig(check="warn"), cosine=True)
    assert (log["status"], log["verdicts"]["saturation"]["status"]) == ("fail", "fail")
    assert check(found, KINDS, TrainConfig(check="off"), cosine=True) == {"mode": "off"}


def test_a_loss_that_reads_no_teacher_score_is_not_checked(tiny_data: Dataset, squashed: MemoryStore) -> None:
    assert check(read(tiny_data, squashed), KINDS, TrainConfig(loss="contrastive"), cosine=True) == {"mode": "off"}


def test_a_refused_run_leaves_no_student_and_a_told_one_does(
    tiny_data: Dataset, squashed: MemoryStore, tiny_encoder: str, tmp_path: Path
) -> None:
    settings = {"batch_size": 4, "negatives": 2, "eval_steps": 2, "log_steps": 2, "steps": 2, "precision": "float32"}
    out = tmp_path / "student"
    with pytest.raises(GateError):
        train(tiny_data, squashed, tiny_encoder, out, TrainConfig(**settings))
    assert manifest.read(out) is None
    train(tiny_data, squashed, tiny_encoder, out, TrainConfig(**settings, check="warn"))
    log = json.loads((out / "training_log.json").read_text())
    assert log["check"]["verdicts"]["saturation"]["status"] == "fail"
    made = manifest.expect(out, "student", "train")
    assert "check" not in made.parameters
    assert train(tiny_data, squashed, tiny_encoder, out, TrainConfig(**settings)) == out  # it is finished
