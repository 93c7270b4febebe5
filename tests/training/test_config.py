"""The settings of a run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rankdistill.errors import ConfigError
from rankdistill.training import settings
from rankdistill.training.alignment.config import AlignConfig
from rankdistill.training.config import TrainConfig, read
from rankdistill.training.objectives import without_effect
from rankdistill.training.settings import RunSettings, steps_of


def test_every_setting_is_described() -> None:
    assert all(field.description for field in TrainConfig.model_fields.values())


def test_a_file_is_read_and_given_values_win_over_it(tmp_path: Path) -> None:
    (tmp_path / "train.yaml").write_text("loss: kl_div\nsteps: 7\nscale: 12\n")
    config = read(tmp_path / "train.yaml", steps=9, seed=None)
    assert (config.loss, config.steps, config.scale, config.seed) == ("kl_div", 9, 12.0, 13)


@pytest.mark.parametrize(("given", "scale"), [("learned", "learned"), ("auto", "auto"), ("20.5", 20.5)])
def test_a_scale_is_a_word_or_a_number_also_as_typed(given: str, scale: str | float) -> None:
    assert read(None, scale=given).scale == scale


@pytest.mark.parametrize(
    "wrong",
    [
        {"loss": "hinge"},
        {"stepps": 3},
        {"scale": -1},
        {"scale": "big"},
        {"negatives": 0},
        {"student_temperature": 0},
        {"log_steps": 7, "eval_steps": 100},
    ],
)
def test_an_invalid_setting_is_refused_by_name(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        read(None, **wrong)


@pytest.mark.parametrize("content", ["- 1\n", "loss: [\n"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "train.yaml").write_text(content)
    with pytest.raises(ConfigError, match="nothing was trained"):
        read(tmp_path / "train.yaml")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read(tmp_path / "none.yaml")


def test_the_remedy_names_the_settings_only_where_a_name_is_unknown() -> None:
    with pytest.raises(ConfigError, match=r"'margin_mse'(.|\n)*remedy: give each") as wrong_value:
        read(None, loss="nosuch")
    assert "weight_decay" not in str(wrong_value.value)
    with pytest.raises(ConfigError, match=r"remedy: settings are .*weight_decay"):
        read(None, losses="kl")


def test_reading_settings_loads_no_torch() -> None:
    code = "import sys, rankdistill.training.config; assert not {'torch', 'transformers'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("kind", [TrainConfig, AlignConfig])
@pytest.mark.parametrize("name", ["epochs", "learning_rate", "weight_decay", "max_gradient_norm"])
@pytest.mark.parametrize("value", ["inf", float("inf"), float("nan")])
def test_a_number_without_end_is_refused(kind: type[RunSettings], name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=name):
        settings.read(kind, None, **{name: value})


def test_more_rows_than_can_be_drawn_are_refused() -> None:
    assert steps_of(TrainConfig(), 100.0, 32) == 3
    assert steps_of(TrainConfig(), 1.0, 32) == 1
    assert steps_of(TrainConfig(steps=7), 1e300, 32) == 7
    for given, rows in (({}, 1e300), ({}, float("inf")), ({"steps": 10**18}, 1.0), ({"steps": 2}, 1.0)):
        with pytest.raises(ConfigError, match="4,294,967,296 rows"):
            steps_of(TrainConfig(**given), rows, 10**13)


@pytest.mark.parametrize(
    "given",
    [
        {"loss": "disco", "kl_weight": 0},
        {"loss": "splade_v3", "kl_weight": 0, "margin_weight": 0},
        {"loss": "sinkd", "kl_weight": 0, "sinkhorn_weight": 0},
    ],
)
def test_a_loss_without_weight_is_refused_before_anything_runs(given: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="learns nothing of the teacher"):
        read(None, **given)
    assert read(None, loss="splade_v3", kl_weight=0).terms["margin_mse"] > 0


def test_sinkhorn_has_its_sources_temperature_where_none_is_given() -> None:
    assert read(None, loss="sinkhorn").teacher_temperature == 2.0
    assert read(None, loss="sinkhorn", teacher_temperature=3).student_temperature == 2.0
    assert read(None, loss="sinkd").teacher_temperature == 1.0


def test_what_a_loss_does_not_read_is_known() -> None:
    wanted_of = {
        "pld": {"teacher_temperature"},
        "kl_div": {"student_temperature", "teacher_temperature"},
        "disco": {"kl_weight", "student_temperature", "teacher_temperature", "contrastive_scale"},
        "splade_v3": {"kl_weight", "margin_weight", "student_temperature", "teacher_temperature"},
        "contrastive": {"contrastive_scale"},
    }
    of_losses = {"kl_weight", "margin_weight", "sinkhorn_weight", "student_temperature", "teacher_temperature"}
    for loss, wanted in wanted_of.items():
        assert without_effect(read(None, loss=loss)) == (of_losses | {"contrastive_scale"}) - wanted, loss
    both = read(None, loss="contrastive", auxiliary_head_weight=1.0)
    assert not without_effect(both) & {"student_temperature", "teacher_temperature"}
