"""Whole runs: the artefact, resuming, the dev test, refusals."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sentence_transformers import SentenceTransformer

from rankdistill import making, manifest
from rankdistill.data import Dataset
from rankdistill.errors import ConfigError, LockedError, StaleOutputError, StoreError
from rankdistill.files import exclusive
from rankdistill.students import dense
from rankdistill.training import checkpoints
from rankdistill.training.columns import text_collator
from rankdistill.training.config import TrainConfig
from rankdistill.training.rows import TrainingRows
from rankdistill.training.run import train
from tests.training.conftest import MemoryStore

SMALL = {
    "batch_size": 4,
    "negatives": 2,
    "eval_steps": 4,
    "log_steps": 2,
    "precision": "float32",
    "learning_rate": 1e-3,
}
TWO_PASSES = 16
"""Steps: the tiny store has fewer than 32 rows, so 64 rows are past the second pass."""

Run = Callable[..., Path]


@pytest.fixture
def run(tiny_data: Dataset, tiny_store: MemoryStore, tiny_encoder: str, tmp_path: Path) -> Run:
    def start(name: str = "student", *, store: MemoryStore = tiny_store, **given: Any) -> Path:
        options = {key: given.pop(key) for key in list(given) if key not in TrainConfig.model_fields}
        settings = {**SMALL, "steps": 8, **given}
        return train(tiny_data, store, tiny_encoder, tmp_path / name, TrainConfig(**settings), **options)

    return start


def log(out: Path) -> dict[str, Any]:
    return json.loads((out / "training_log.json").read_text())


def stop_at(step: int) -> Callable[[int], None]:
    done = 0

    def progress(steps: int) -> None:
        nonlocal done
        done += steps
        if done == step:
            raise KeyboardInterrupt

    return progress


def test_the_student_loads_with_plain_sentence_transformers_and_has_changed(run: Run, tiny_encoder: str) -> None:
    out = run(keep_layers=[0, 2])
    student = SentenceTransformer(str(out), device="cpu")
    before = dense.load(tiny_encoder)
    assert student.transformers_model.config.num_hidden_layers == 2
    assert student.similarity_fn_name == "cosine"
    assert not np.allclose(student.encode("old river"), before.encode("old river"), atol=1e-3)


def test_the_folder_says_what_made_it_and_holds_no_checkpoint(run: Run) -> None:
    out = run(command="rankdistill train")
    made = manifest.expect(out, "student", "train")
    assert made.inputs.keys() == {"student", "scores", "candidates"}
    assert made.parameters["teacher_id"] == "teacher"
    assert "model.safetensors" in made.outputs
    assert not (out / "checkpoints").exists()
    assert len(log(out)["loss"]) == 4


def test_the_loss_falls(run: Run) -> None:
    curve = [point["loss"] for point in log(run(steps=60, eval_steps=60, learning_rate=5e-3))["loss"]]
    assert np.mean(curve[-4:]) < 0.7 * np.mean(curve[:4])


def test_the_same_inputs_give_the_same_bytes(run: Run) -> None:
    one, other = run("one"), run("other")
    for path in one.rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (other / path.relative_to(one)).read_bytes(), path.name


@pytest.mark.parametrize("limit", [0.5, 4.0, 1e6])
def test_the_log_tells_the_share_of_clipped_steps(run: Run, limit: float) -> None:
    told = log(run(log_steps=1, max_gradient_norm=limit))
    norms = np.array([point["grad_norm"] for point in told["loss"]])
    assert len(norms) == told["steps"]
    assert told["clipped_steps"] == np.mean(norms > limit)
    assert (told["clipped_steps"] == 0) == (limit == 1e6)


@pytest.mark.parametrize("step", [3, 13])
def test_an_interrupted_run_repeats_the_uninterrupted_one_also_past_the_first_pass(run: Run, step: int) -> None:
    whole = run("whole", steps=TWO_PASSES, dev_split="dev", patience=9)
    with pytest.raises(KeyboardInterrupt):
        run("broken", steps=TWO_PASSES, dev_split="dev", patience=9, progress=stop_at(step))
    assert manifest.read(whole.parent / "broken") is None
    resumed = run("broken", steps=TWO_PASSES, dev_split="dev", patience=9)
    assert log(resumed)["scale"]["final"] != log(resumed)["scale"]["initial"]
    assert log(resumed) == log(whole)
    assert (resumed / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


def test_a_half_written_checkpoint_is_passed_over(run: Run) -> None:
    whole = run("whole")
    with pytest.raises(KeyboardInterrupt):
        run("broken", progress=stop_at(6))
    half = whole.parent / "broken" / "checkpoints" / "checkpoint-6"
    half.mkdir()
    (half / "trainer_state.json").write_text('{"global_step": ')
    assert log(run("broken")) == log(whole)


def test_resuming_with_other_settings_is_refused(run: Run) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(progress=stop_at(6))
    with pytest.raises(StaleOutputError, match="unfinished run with other"):
        run(seed=99)


def test_progress_counts_every_step_once_over_both_parts(run: Run) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(progress=stop_at(6))
    steps: list[int] = []
    planned: list[int] = []
    run(planned=planned.append, progress=steps.append)
    assert steps == [4, 1, 1, 1, 1]
    assert planned == [sum(steps)]


def test_a_finished_run_is_not_run_again_and_other_inputs_are_refused(run: Run, tiny_store: MemoryStore) -> None:
    out = run()
    run(progress=lambda steps: pytest.fail("trained again"))
    with pytest.raises(StaleOutputError, match="seed"):
        run(seed=99)
    louder = tiny_store.score_frame.with_columns(pl.col("score") * 2)
    other = MemoryStore(louder, tiny_store.candidate_frame, tiny_store.queries, tiny_store.documents)
    with pytest.raises(StaleOutputError, match="scores"):
        run(store=other)
    assert manifest.read(out) is not None


def test_a_second_process_on_the_same_output_is_refused(run: Run, tmp_path: Path) -> None:
    with exclusive(tmp_path / "student"), pytest.raises(LockedError):
        run()


def test_the_best_checkpoint_is_kept_and_the_start_is_measured(run: Run, tiny_data: Dataset) -> None:
    from rankdistill.training import dev

    out = run(steps=16, dev_split="dev")
    measured = {point["step"]: point["value"] for point in log(out)["dev_ndcg_at_10"]}
    assert sorted(measured) == [0, 4, 8, 12, 16]
    best = max(value for step, value in measured.items() if step)
    assert measured[log(out)["best_step"]] == best
    student = dense.load(str(out))
    evaluation = dev.retrieval(student, tiny_data, "dev", 500, 4000)
    assert evaluation.evaluator(student)[evaluation.best] == pytest.approx(best)


@pytest.mark.parametrize(("steps", "points"), [(3, [0, 3]), (6, [0, 4, 6])])
def test_the_last_step_is_measured_also_between_the_intervals(run: Run, steps: int, points: list[int]) -> None:
    out = run(steps=steps, dev_split="dev")
    assert [point["step"] for point in log(out)["dev_ndcg_at_10"]] == points
    assert log(out)["best_step"] in points[1:]
    assert log(out)["loss"][-1]["step"] == steps


def test_training_stops_when_the_dev_score_stays(run: Run) -> None:
    out = run(steps=40, dev_split="dev", patience=2, learning_rate=1e-9)
    assert log(out)["steps"] == 12


def test_patience_without_a_dev_split_is_refused_before_the_first_step(run: Run, tmp_path: Path) -> None:
    """Nothing would end the run early, and nothing would say so."""
    told: list[int] = []
    with pytest.raises(ConfigError, match=r"beside patience[\s\S]*patience 3, and none[\s\S]*leave patience out"):
        run(steps=40, patience=3, progress=told.append)
    assert told == []


def test_one_of_several_teachers_must_be_named(run: Run, tiny_store: MemoryStore) -> None:
    two = tiny_store.with_teachers("a", "b")
    with pytest.raises(StoreError, match="--teacher"):
        run(store=two)
    assert manifest.expect(run(store=two, teacher_id="b"), "student", "train").parameters["teacher_id"] == "b"


def test_training_opens_no_network_connection(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("a network connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert "SentenceTransformer" in (run(dev_split="dev") / "README.md").read_text()


def test_epochs_set_the_steps_where_none_are_given(run: Run) -> None:
    out = run(steps=None, epochs=2.0)
    assert log(out)["steps"] == round(2 * log(out)["view"]["rows"] / 4)


def test_texts_are_read_with_the_prompts_and_lengths_they_are_encoded_with(tiny_encoder: str) -> None:
    student = dense.load(tiny_encoder, max_length=32)
    student.prompts = {"query": "what is ", "document": "the "}
    one = np.zeros((1, 2))
    row = TrainingRows(np.zeros(1, np.int32), one.astype(np.int32), one.astype(np.float32), ["river"], ["old " * 50])
    batch = text_collator(student, row.text_columns, TrainConfig(max_query_length=8))([row[0]])
    decode = student.tokenizer.decode
    assert decode(batch["query_input_ids"][0], skip_special_tokens=True) == "what is river"
    assert decode(batch["positive_input_ids"][0], skip_special_tokens=True).startswith("the old old")
    assert batch["negative_1_input_ids"].shape[1] == 32
    long = TrainingRows(np.zeros(1, np.int32), one.astype(np.int32), one.astype(np.float32), ["river " * 30], ["old"])
    batch = text_collator(student, long.text_columns, TrainConfig(max_query_length=8))([long[0]])
    assert batch["query_input_ids"].shape[1] == 8


def test_bf16_autocast_trains(run: Run) -> None:
    out = run(precision="bf16")
    assert log(out)["precision"] == "bf16"
    assert all(np.isfinite(point["loss"]) for point in log(out)["loss"])


class Killed(BaseException):
    """In place of a kill."""


@pytest.mark.parametrize("keep", [False, True])
def test_checkpoints_that_a_kill_behind_the_manifest_left_are_as_they_were_asked_for(
    keep: bool, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def settle(*given: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(checkpoints, "settle", settle)
        with pytest.raises(Killed):
            run(keep_checkpoints=keep)
    out = tmp_path / "student"
    assert manifest.read(out) is not None
    assert (out / "checkpoints").is_dir()
    assert not making.is_cleared(out)
    run(keep_checkpoints=keep, progress=lambda steps: pytest.fail("trained again"))
    assert (out / "checkpoints").is_dir() is keep
    assert making.is_cleared(out)


def test_what_decides_nothing_and_what_is_chosen_on_what_is_learnt_is_noted(
    run: Run, tiny_encoder: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        run("a", steps=1, loss="contrastive", in_batch_teacher=tiny_encoder)
        run("b", steps=1, in_batch_weight=0, in_batch_teacher=tiny_encoder)
        assert [one for one in caplog.messages if "is not asked" in one and "contrastive goes by labels" in one]
        assert [one for one in caplog.messages if "is not asked" in one and "in_batch_weight is 0" in one]
        caplog.clear()
        run("c", steps=1, dev_split="dev", in_batch_teacher=tiny_encoder)
        run("d", steps=1, dev_split="train", select="last")
        assert not [one for one in caplog.messages if "is not asked" in one or "which is trained on" in one]
        run("e", steps=1, dev_split="train")
        assert [one for one in caplog.messages if "is chosen on train, which is trained on" in one]
