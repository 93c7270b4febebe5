"""Weights that are no single step's: what they are, what is told of them, and that no interruption changes them."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.evaluation import SentenceEvaluator

from rankdistill.data import Dataset
from rankdistill.errors import ConfigError, DamagedError
from rankdistill.training import averaging, dev, settings
from rankdistill.training.alignment import config as aligning
from rankdistill.training.averaging import MeanOfLast, MovingAverage
from rankdistill.training.config import TrainConfig
from rankdistill.training.evaluation import Evaluation
from rankdistill.training.run import train
from rankdistill.training.student import Student
from tests.training.conftest import MemoryStore
from tests.training.test_interrupted_runs import Steps, files_of, send

SETTINGS = {
    "batch_size": 4,
    "negatives": 2,
    "eval_steps": 4,
    "log_steps": 2,
    "precision": "float32",
    "learning_rate": 1e-3,
    "steps": 14,
}
"""Evaluations at 4, 8, 12 and 14."""

Run = Callable[..., Path]


@pytest.fixture
def run(tiny_data: Dataset, tiny_store: MemoryStore, tiny_encoder: str, tmp_path: Path) -> Run:
    def start(name: str, progress: Callable[[int], object] | None = None, **given: Any) -> Path:
        dev_split = given.pop("dev_split", "dev")
        config = TrainConfig(**SETTINGS | given)
        return train(
            tiny_data, tiny_store, tiny_encoder, tmp_path / name, config, dev_split=dev_split, progress=progress
        )

    return start


def log(out: Path) -> dict[str, Any]:
    return json.loads((out / "training_log.json").read_text())


def weights(out: Path) -> dict[str, np.ndarray]:
    return load_file(out / "model.safetensors")


def checkpoints(out: Path) -> dict[int, dict[str, np.ndarray]]:
    return {int(path.name.rpartition("-")[2]): weights(path) for path in (out / "checkpoints").glob("checkpoint-*")}


def measured(out: Path, data: Dataset) -> float:
    student = SentenceTransformer(str(out), device="cpu")
    evaluation = dev.retrieval(student, data, "dev", 500, 4000)
    assert evaluation.best is not None
    return float(evaluation.evaluator(student)[evaluation.best])


def test_the_mean_is_that_of_the_last_checkpoints_and_its_dev_score_is_told(run: Run, tiny_data: Dataset) -> None:
    out = run("mean", select="mean", average=3, keep_checkpoints=True)
    found = checkpoints(out)
    assert sorted(found) == [4, 8, 12, 14]
    for name, one in weights(out).items():
        wanted = np.mean([found[step][name].astype(np.float64) for step in (8, 12, 14)], axis=0)
        np.testing.assert_array_equal(one, wanted.astype(np.float32))
    told = log(out)
    assert told["averaged"]["steps"] == [8, 12, 14]
    assert told["averaged"]["value"] == pytest.approx(measured(out, tiny_data))
    assert (told["best_step"], told["steps"]) == (14, 14)
    assert "mean of steps 8, 12, 14" in repr(Student(out).lines())


def test_the_moving_average_is_that_of_every_step_and_is_what_is_evaluated(run: Run, tiny_data: Dataset) -> None:
    out = run("ema", select="ema", ema_decay=0.5, eval_steps=1, log_steps=1, steps=9, keep_checkpoints=True)
    found = checkpoints(out)
    average = {name: one.astype(np.float64) for name, one in found[1].items()}
    for step in range(2, 10):
        kept = min(0.5, step / (9 + step))
        average = {name: kept * one + (1 - kept) * found[step][name] for name, one in average.items()}
    for name, one in weights(out).items():
        np.testing.assert_allclose(one, average[name], atol=1e-6)
        assert "position_ids" in name or not np.array_equal(one, found[9][name]) or np.array_equal(one, found[8][name])
    points = log(out)["dev_ndcg_at_10"]
    assert points[-1]["value"] == pytest.approx(measured(out, tiny_data))
    assert log(out)["averaged"] == {"decay": 0.5}


def test_without_a_dev_split_both_work_and_tell_no_measure(run: Run) -> None:
    given = {"dev_split": None, "steps": 6}
    mean, default = run("mean", select="mean", **given), run("default", **given)
    assert log(mean)["averaged"] == {"steps": [4, 6]}
    assert weights(mean).keys() == weights(default).keys()
    assert any((weights(mean)[name] != one).any() for name, one in weights(default).items())
    assert log(default)["best_step"] == 6


class Falling(SentenceEvaluator):
    """A dev test whose every value is below the last."""

    def __init__(self) -> None:
        super().__init__()
        self.value = 1.0

    def __call__(self, model: Any, *args: Any, **kwargs: Any) -> dict[str, float]:
        self.value /= 2
        return {"value": self.value}


def test_the_last_step_is_kept_where_an_early_one_is_better_on_dev(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dev, "retrieval", lambda *given: Evaluation(Falling(), "value"))
    given = {"steps": 6, "keep_checkpoints": True}
    for select, step in (("best", 4), ("last", 6)):
        out = run(select, select=select, **given)
        assert log(out)["best_step"] == step
        for name, one in checkpoints(out)[step].items():
            np.testing.assert_array_equal(weights(out)[name], one)
        assert f"at step {step}" in repr(Student(out).lines())


@pytest.mark.parametrize(
    ("step", "given"),
    [
        pytest.param(13, {"select": "mean", "average": 2, "dev_split": None}, marks=pytest.mark.slow),
        (6, {"select": "ema", "patience": 9}),
        pytest.param(5, {"select": "mean", "average": 2}, marks=pytest.mark.slow),
        pytest.param(14, {"select": "ema"}, marks=pytest.mark.slow),
        pytest.param(14, {"select": "mean"}, marks=pytest.mark.slow),
        pytest.param(3, {"select": "last"}, marks=pytest.mark.slow),
    ],
)
def test_an_interrupted_run_ends_with_the_same_bytes(step: int, given: dict[str, Any], run: Run) -> None:
    whole = run("whole", **given)
    with pytest.raises(KeyboardInterrupt):
        run("broken", Steps(step, send(signal.SIGTERM)), **given)
    assert files_of(run("broken", **given)) == files_of(whole)


@pytest.mark.parametrize("select", ["mean", pytest.param("ema", marks=pytest.mark.slow)])
def test_a_run_that_was_killed_behind_an_evaluation_repeats_it(select: str, run: Run) -> None:
    """The weights of step 8 are there when the kill comes, the checkpoint is not: its step is done again."""

    def die() -> None:
        raise KeyboardInterrupt

    given = {"select": select, "average": 2, "dev_split": None}
    whole = run("whole", **given)
    with pytest.raises(KeyboardInterrupt):
        run("broken", Steps(8, die), **given)
    broken = whole.parent / "broken"
    assert {path.name for path in (broken / "checkpoints").glob("checkpoint-*")} == {"checkpoint-4"}
    if select == "mean":
        assert MeanOfLast(torch.nn.Linear(1, 1), broken / "checkpoints", 2, 4).steps == [4, 8]
    assert files_of(run("broken", **given)) == files_of(whole)


@pytest.mark.slow
@pytest.mark.parametrize("select", ["ema", "mean"])
def test_a_run_that_stops_early_ends_with_its_average_also_when_it_is_told_to_stop_there(select: str, run: Run) -> None:
    given = {"patience": 1, "learning_rate": 1e-9, "eval_steps": 3, "log_steps": 3, "steps": 12, "select": select}
    whole = run("whole", **given)
    assert log(whole)["steps"] == 6
    with pytest.raises(KeyboardInterrupt):
        run("broken", Steps(6, send(signal.SIGTERM)), **given)
    assert files_of(run("broken", **given)) == files_of(whole)


def test_buffers_and_tied_weights_are_the_students_own() -> None:
    class Tied(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.other = torch.nn.Linear(2, 2, bias=False), torch.nn.Linear(2, 2, bias=False)
            self.other.weight = self.one.weight
            self.register_buffer("steps", torch.zeros(()))

    model = Tied()
    average = averaging.build(model, settings.RunSettings(select="ema", ema_decay=0.5), Path())
    assert isinstance(average, MovingAverage)
    for value in (1.0, 3.0):
        with torch.no_grad():
            model.one.weight.fill_(value)
            model.steps += 1
        average.on_step_end(None, None, None)
    with average.shown():
        expected = 1.0 + (1 - 2 / 11) * 2.0
        torch.testing.assert_close(model.other.weight, torch.full((2, 2), expected))
        assert model.steps == 2
    torch.testing.assert_close(model.one.weight, torch.full((2, 2), 3.0))
    assert model.other.weight is model.one.weight


def test_only_what_has_an_effect_decides_the_student() -> None:
    plain = TrainConfig().decisive()
    assert not plain.keys() & {"select", "average", "ema_decay"}
    assert TrainConfig(average=5, ema_decay=0.9).decisive() == plain
    assert TrainConfig(select="last").decisive() == plain | {"select": "last"}
    assert TrainConfig(select="mean").decisive() == plain | {"select": "mean", "average": 3}
    assert TrainConfig(select="ema").decisive() == plain | {"select": "ema", "ema_decay": 0.99}
    assert aligning.read(None).decisive()["select"] == "best"
    assert not aligning.read(None, average=5).decisive().keys() & {"average", "ema_decay"}


@pytest.mark.parametrize(
    "wrong",
    [{"select": "worst"}, {"average": 1}, {"ema_decay": 1.0}, {"ema_decay": 0}, {"select": "last", "patience": 2}],
)
@pytest.mark.parametrize("kind", [TrainConfig, aligning.AlignConfig])
def test_what_would_keep_no_weights_is_refused(wrong: dict[str, Any], kind: type[settings.RunSettings]) -> None:
    with pytest.raises(ConfigError, match=[*wrong][-1]):
        settings.read(kind, None, **wrong)


@pytest.mark.parametrize("lost", [False, True])
def test_damaged_weights_of_an_evaluation_are_no_part_of_the_mean(lost: bool, run: Run, tmp_path: Path) -> None:
    given = {"select": "mean", "average": 3, "dev_split": None}
    with pytest.raises(KeyboardInterrupt):
        run("broken", Steps(9, send(signal.SIGTERM)), **given)
    (path,) = (one for one in (tmp_path / "broken" / "checkpoints").glob("weights/*") if one.stem == "000000004")
    whole = path.read_bytes()
    path.unlink()
    if not lost:
        path.write_bytes(whole[:-3] + bytes([whole[-3] ^ 1]) + whole[-2:])
    with pytest.raises(DamagedError, match="the weights of step 4") as caught:
        run("broken", **given)
    assert "begins anew" in caught.value.remedy
