"""Manifests: equal inputs are recognised, changed ones refuse to resume, broken ones are reported."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rankdistill import manifest
from rankdistill.errors import DataError, StaleOutputError
from rankdistill.manifest import Manifest

MADE = Manifest("candidates", {"data": "aa"}, {"depth": 50}, {"bm25s": "1"}, "rankdistill mine", {"x.parquet": "bb"})


def test_a_manifest_comes_back_as_it_was_written(tmp_path: Path) -> None:
    MADE.write(tmp_path)
    assert manifest.read(tmp_path) == MADE


def test_versions_commands_and_outputs_do_not_make_a_result_stale(tmp_path: Path) -> None:
    MADE.write(tmp_path)
    assert manifest.is_current(tmp_path, replace(MADE, versions={}, command="", outputs={}))


def test_an_empty_folder_is_not_current(tmp_path: Path) -> None:
    assert not manifest.is_current(tmp_path, MADE)
    assert not manifest.is_current(tmp_path / "absent", MADE)


def test_changed_inputs_refuse_and_are_named(tmp_path: Path) -> None:
    MADE.write(tmp_path)
    changed = replace(MADE, inputs={"data": "cc"}, parameters={"depth": 100})
    with pytest.raises(StaleOutputError, match="input 'data' was 'aa', is now 'cc'; parameter 'depth' was 50"):
        manifest.is_current(tmp_path, changed)


@pytest.mark.parametrize("content", ["{", "[]", '{"format": 99}', '{"format": 1}'])
def test_a_broken_manifest_is_reported(tmp_path: Path, content: str) -> None:
    (tmp_path / manifest.FILE_NAME).write_text(content)
    with pytest.raises(DataError, match=r"manifest\.json"):
        manifest.read(tmp_path)


def test_expect_names_the_verb_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        manifest.expect(tmp_path / "absent", "scores", "score")
    with pytest.raises(DataError, match="no manifest"):
        manifest.expect(tmp_path, "scores", "score")
    MADE.write(tmp_path)
    with pytest.raises(DataError, match="it holds 'candidates'") as caught:
        manifest.expect(tmp_path, "scores", "score")
    assert "rankdistill score" in caught.value.remedy
    assert manifest.expect(tmp_path, "candidates", "mine") == MADE
