"""Trackers get the curves of a run, and change nothing of its student."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import transformers.integrations
from transformers import TrainerCallback
from transformers.integrations import integration_utils

import rankdistill
from rankdistill.data import Dataset
from rankdistill.errors import ConfigError, MissingDependencyError
from rankdistill.names import TRACKERS
from rankdistill.training import config, tracking
from rankdistill.training.alignment.config import AlignConfig
from rankdistill.training.config import TrainConfig
from rankdistill.training.run import train
from tests.conversations import write_tiny_sessions
from tests.training.conftest import MemoryStore
from tests.training.test_run import SMALL

LOGGED: list[dict[str, Any]] = []


class Recorder(TrainerCallback):
    """Keeps what a tracker would show."""

    logging_dir: str | None = os.environ.get(tracking.LOGGING_DIR)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **kwargs: Any) -> None:
        LOGGED.append({"run": args.run_name, "folder": self.logging_dir, "step": state.global_step, **(logs or {})})


@pytest.fixture
def trackers(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Every tracker is installed, and records."""
    LOGGED.clear()
    for name, module in TRACKERS.items():
        monkeypatch.setitem(sys.modules, module, ModuleType(module))
        monkeypatch.setitem(integration_utils.INTEGRATION_TO_CALLBACK, name, Recorder)
    monkeypatch.setattr(transformers.integrations, "TensorBoardCallback", Recorder)
    return LOGGED


def trained(data: Dataset, store: MemoryStore, student: str, out: Path, **given: Any) -> Path:
    settings = TrainConfig(**{**SMALL, "steps": 4, "eval_steps": 2, "log_steps": 2, **given})
    return train(data, store, student, out, settings, dev_split="dev")


def test_trackers_get_the_loss_and_dev_scores_and_the_student_is_the_same(
    trackers: list[dict[str, Any]], tiny_data: Dataset, tiny_store: MemoryStore, tiny_encoder: str, tmp_path: Path
) -> None:
    plain = trained(tiny_data, tiny_store, tiny_encoder, tmp_path / "plain")
    assert trackers == []
    out = trained(tiny_data, tiny_store, tiny_encoder, tmp_path / "out", report_to="mlflow,wandb")
    assert {one["run"] for one in trackers} == {"out"}
    assert sorted(one["step"] for one in trackers if "loss" in one) == [2, 2, 4, 4]
    assert any("eval_dev_cosine_ndcg@10" in one for one in trackers)
    for path in plain.rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (out / path.relative_to(plain)).read_bytes(), path.name
    trained(tiny_data, tiny_store, tiny_encoder, tmp_path / "out")  # is there: the tracker decides nothing


def test_tensorboard_writes_beside_the_student_or_where_its_variable_says(
    trackers: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = tracking.of_run(["tensorboard", "trackio"], tmp_path / "student")
    assert found.report_to == ("trackio",)
    (callback,) = found.callbacks
    assert callback.logging_dir == str(tmp_path / "student.tensorboard")  # type: ignore[attr-defined]
    monkeypatch.setenv(tracking.LOGGING_DIR, "elsewhere")
    (callback,) = tracking.of_run(["tensorboard"], tmp_path / "student").callbacks
    assert callback.logging_dir != str(tmp_path / "student.tensorboard")  # type: ignore[attr-defined]
    assert tracking.of_run([], tmp_path / "student") == tracking.Tracking()


def test_one_that_is_not_installed_is_named_with_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(MissingDependencyError, match="pip install swanlab"):
        tracking.of_run(["swanlab"], tmp_path / "student")


def test_one_that_is_not_installed_is_told_when_settings_are_read(
    tiny_beir: Path, tiny_cross_encoder: str, tiny_encoder: str, tmp_path: Path
) -> None:
    candidates = rankdistill.mine(tiny_beir, tmp_path / "candidates", depth=5)
    store = rankdistill.score(tiny_beir, tiny_cross_encoder, candidates, tmp_path / "store")
    vectors = rankdistill.embed(tiny_beir, tiny_encoder, tmp_path / "vectors")
    sessions = write_tiny_sessions(tiny_beir)
    of_turns = {"sessions": sessions, "teacher": tiny_encoder, "rewrites": "human"}
    for data, read, given in (
        (tiny_beir, store, {}),
        (None, vectors, {}),
        (None, None, {**of_turns, "loss": "leaf"}),
        (None, None, of_turns),
    ):
        with pytest.raises(MissingDependencyError, match="pip install swanlab"):
            rankdistill.train(data, read, "NO MODEL", tmp_path / "out", report_to="swanlab", **given)
    assert not list(tmp_path.glob("out*"))


def test_trackers_decide_nothing_and_are_those_that_the_trainer_knows() -> None:
    assert set(TRACKERS) <= set(integration_utils.INTEGRATION_TO_CALLBACK)
    for kind in (TrainConfig, AlignConfig):
        told = kind.model_validate({"report_to": ["wandb"]})
        assert told.report_to == ("wandb",)
        assert told.decisive() == kind().decisive()
    assert config.read(None, report_to="wandb,mlflow").report_to == ("wandb", "mlflow")
    with pytest.raises(ConfigError, match="report_to"):
        config.read(None, report_to="paper")
