"""The verb `inherit`: the student that `train` starts from, before any training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rankdistill.errors import ConfigError
from rankdistill.students.inherit import inherit as of_students
from rankdistill.verbs.inherit import inherit
from tests.verbs.files import contents


def test_it_writes_what_students_inherit_writes(tiny_encoder: str, tmp_path: Path) -> None:
    made = inherit(tiny_encoder, [0, 2], str(tmp_path / "a"), progress=True)
    of_students(tiny_encoder, [0, 2], tmp_path / "b")
    assert made == tmp_path / "a"
    assert {
        name: held for name, held in contents(tmp_path / "a").items() if not str(name).endswith("manifest.json")
    } == {name: held for name, held in contents(tmp_path / "b").items() if not str(name).endswith("manifest.json")}
    written = (tmp_path / "a" / "manifest.json").stat().st_mtime_ns
    inherit(Path(tiny_encoder), (0, 2), tmp_path / "a")
    assert (tmp_path / "a" / "manifest.json").stat().st_mtime_ns == written


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"keep_layers": "0,2"}, "keep_layers of inherit"),
        ({"keep_layers": [0, 99]}, "99"),
        ({"with_heads": True}, "with_head is meant"),
    ],
)
def test_wrong_arguments_are_errors_before_anything_is_written(
    changed: dict[str, Any], said: str, tiny_encoder: str, tmp_path: Path
) -> None:
    given = {"model": tiny_encoder, "keep_layers": [0], "out": tmp_path / "x"} | changed
    with pytest.raises(ConfigError, match=said):
        inherit(**given)
    assert not (tmp_path / "x" / "manifest.json").exists()
