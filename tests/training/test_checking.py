"""Training runs the gate on what it reads: refusals, the override, what the log says, and what stays the same."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from rankdistill import manifest
from rankdistill.data import Dataset, load
from rankdistill.errors import GateError
from rankdistill.training import inputs
from rankdistill.training.checking import check
from rankdistill.training.config import TrainConfig
from rankdistill.training.run import train
from tests import arguana
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
    log = check(read(tiny_data, tiny_store), KINDS, TrainConfig(), bounded=True)
    assert log["mode"] == "refuse"
    assert log["verdicts"]["positives"]["status"] == "unknown"
    assert log["verdicts"]["finite"] == {"status": "pass", "finding": "all 117 scores are finite"}


def test_broken_scores_are_refused_unless_told(tiny_data: Dataset, squashed: MemoryStore) -> None:
    found = read(tiny_data, squashed)
    with pytest.raises(GateError, match="--no-check"):
        check(found, KINDS, TrainConfig(), bounded=True)
    log = check(found, KINDS, TrainConfig(check="warn"), bounded=True)
    assert (log["status"], log["verdicts"]["saturation"]["status"]) == ("fail", "fail")
    assert check(found, KINDS, TrainConfig(check="off"), bounded=True) == {"mode": "off"}


def test_a_loss_that_reads_no_teacher_score_is_not_checked(tiny_data: Dataset, squashed: MemoryStore) -> None:
    assert check(read(tiny_data, squashed), KINDS, TrainConfig(loss="contrastive"), bounded=True) == {"mode": "off"}


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


def test_the_querys_own_document_is_no_negative(tmp_path: Path) -> None:
    """A store that others filled may hold it, scored highest of all."""
    folder = arguana.write(tmp_path / "arguana")
    dataset, kept = load(folder), load(folder, ignore_identical_ids=False)
    pairs = [("pro00", "pro00", 9.0, None), ("pro00", "con00", 5.0, 1), ("pro00", "pro01", 1.0, None)]
    rows = pl.DataFrame(pairs, ["query_id", "doc_id", "score", "label"], orient="row")
    store = MemoryStore(
        rows.select("query_id", "doc_id", "score"),
        rows.select("query_id", "doc_id", pl.lit("s").alias("source"), pl.col("label").cast(pl.Int32)),
        dataset.queries(),
        dataset.contents,
    )
    found, every = (inputs.read(one, store, "test", None) for one in (dataset, kept))
    assert found.candidates["doc_id"].to_list() == found.scores["doc_id"].to_list() == ["con00", "pro01"]
    assert every.candidates["doc_id"].to_list() == ["pro00", "con00", "pro01"]
    assert found.hashes() != every.hashes()
