"""The YAML files shown in the documentation are valid settings of their kinds, and every kind is shown."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from rankdistill import plain_yaml
from rankdistill.teachers import TEACHERS

TEXT = (Path(__file__).parents[2] / "docs" / "teachers.md").read_text(encoding="utf-8")
SHOWN: list[dict[str, Any]] = [plain_yaml.load(block) for block in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)]


@pytest.mark.parametrize("settings", SHOWN, ids=lambda settings: settings["kind"])
def test_the_settings_shown_are_valid(settings: dict[str, Any]) -> None:
    module = import_module(TEACHERS[settings["kind"]])
    module.Settings.model_validate({name: value for name, value in settings.items() if name != "kind"})


def test_yes_and_no_are_texts() -> None:
    text = "yes: no\nNo: [on, OFF, y]\nflags: [true, False]\nnumbers: [1, 2.5, null]"
    assert plain_yaml.load(text) == {
        "yes": "no",
        "No": ["on", "OFF", "y"],
        "flags": [True, False],
        "numbers": [1, 2.5, None],
    }


def test_every_kind_is_in_the_table() -> None:
    assert set(re.findall(r"^\| `(\w+)` \| .* \| .* \|$", TEXT, re.MULTILINE)) >= set(TEACHERS)
