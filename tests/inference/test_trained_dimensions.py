"""Which shorter lengths a model was trained for: told beside it, by its publisher, or by its training's manifest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rankdistill.errors import DataError
from rankdistill.inference import trained_dimensions
from rankdistill.manifest import Manifest


def test_a_model_of_which_nothing_is_told_has_its_whole_length_alone(tmp_path: Path) -> None:
    trained_dimensions.write(tmp_path, [])
    assert not list(tmp_path.iterdir())
    assert trained_dimensions.of(tmp_path, 384) == (384,)


def test_what_is_told_is_found_longest_first(tmp_path: Path) -> None:
    trained_dimensions.write(tmp_path, [64, 128, 64])
    assert trained_dimensions.of(tmp_path, 384) == (384, 128, 64)
    assert trained_dimensions.of(tmp_path, 128) == (128, 64)


def test_publishers_tell_it_in_their_configuration(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"matryoshka_dimensions": [32, 64, 1024]}))
    assert trained_dimensions.of(tmp_path, 1024) == (1024, 64, 32)


def test_older_students_tell_it_in_their_manifest(tmp_path: Path) -> None:
    Manifest("student", parameters={"matryoshka": [16, 8]}).write(tmp_path)
    assert trained_dimensions.of(tmp_path, 32) == (32, 16, 8)


@pytest.mark.parametrize("content", ['{"trained": ["64"]}', '{"trained": [0]}', '{"trained": 64}', "[64]", "{"])
def test_a_damaged_file_is_told(tmp_path: Path, content: str) -> None:
    (tmp_path / trained_dimensions.FILE_NAME).write_text(content)
    with pytest.raises(DataError, match="whole numbers"):
        trained_dimensions.of(tmp_path, 384)
