"""The settings of alignment."""

from __future__ import annotations

import subprocess
import sys

import pytest

from rankdistill.errors import ConfigError
from rankdistill.losses import ALIGNMENTS
from rankdistill.training.alignment.config import AlignConfig, AlignmentName, read


def test_every_setting_is_described() -> None:
    assert all(field.description for field in AlignConfig.model_fields.values())


def test_every_alignment_loss_can_be_named() -> None:
    assert set(AlignmentName.__args__) == ALIGNMENTS.keys()


def test_the_defaults_are_the_papers() -> None:
    config = read(None)
    assert (config.loss, config.batch_size, config.cycles, config.epochs) == ("leaf", 32, 3, 10.0)
    assert (config.learning_rate, config.learning_rate * config.final_share) == (1e-4, pytest.approx(1e-5))


def test_static_students_have_defaults_of_their_own_which_given_settings_win_over() -> None:
    assert read(None).for_static().learning_rate == 1e-3
    assert read(None, learning_rate=5e-5).for_static().learning_rate == 5e-5


@pytest.mark.parametrize(
    "wrong",
    [
        {"loss": "kl_div"},
        {"extra": {"hinge": 1.0}},
        {"extra": {"cosine": -1.0}},
        {"matryoshka": [0]},
        {"query_share": 2},
        {"cycles": 0},
        {"preparation": {"narrower": 3}},
    ],
)
def test_an_invalid_setting_is_refused_by_name(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        read(None, **wrong)


def test_reading_settings_loads_no_torch() -> None:
    code = "import sys, rankdistill.training.alignment.config; assert not {'torch', 'transformers'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_settings_of_a_size_that_are_not_given_are_no_part_of_the_identity() -> None:
    plain = AlignConfig().decisive()["preparation"]
    sized = {"vocabulary", "storage", "max_mb", "size_candidates", "size_share"}
    assert not plain.keys() & sized
    assert "dimension" not in plain["static"]
    given = AlignConfig.model_validate({"preparation": {"max_mb": 20, "vocabulary": 9, "static": {"dimension": 8}}})
    found = given.decisive()["preparation"]
    assert found.keys() - plain.keys() == sized - {"storage"}
    assert found["static"]["dimension"] == 8
