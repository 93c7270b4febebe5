"""What is an artefact under a folder, and what is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rankdistill.manifest import Manifest
from rankdistill.provenance.found import at, find


def made(folder: Path, kind: str) -> Path:
    folder.mkdir(parents=True)
    Manifest(kind, {"a": "b"}).write(folder)
    return folder


def kinds(folder: Path) -> dict[str, str]:
    return {one.path.relative_to(folder).as_posix(): one.kind for one in find(folder)}


def test_artefacts_are_found_at_any_depth_in_the_order_of_their_paths(tmp_path: Path) -> None:
    made(tmp_path / "b" / "deep" / "student", "student")
    made(tmp_path / "a", "scores")
    assert list(kinds(tmp_path).items()) == [("a", "scores"), ("b/deep/student", "student")]


def test_parts_of_an_artefact_are_none_but_what_lies_in_a_run_or_a_collection_is(tmp_path: Path) -> None:
    made(tmp_path / "index" / "shard-00000", "index shard")
    Manifest("index").write(tmp_path / "index")
    made(tmp_path / "run" / "steps" / "student-1", "student")
    Manifest("run").write(tmp_path / "run")
    made(tmp_path / "data" / "OUT", "candidates")
    (tmp_path / "data" / "corpus.jsonl").write_text("")
    assert kinds(tmp_path) == {
        "data": "dataset",
        "data/OUT": "candidates",
        "index": "index",
        "run": "run",
        "run/steps/student-1": "student",
    }


@pytest.mark.parametrize("name", [".git", "__pycache__", "node_modules", "checkpoints"])
def test_folders_of_other_programs_are_passed(tmp_path: Path, name: str) -> None:
    made(tmp_path / name / "student", "student")
    assert kinds(tmp_path) == {}


def test_a_link_to_a_folder_is_not_followed(tmp_path: Path) -> None:
    made(tmp_path / "a" / "student", "student")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert kinds(tmp_path) == {"a/student": "student"}


@pytest.mark.parametrize("content", ["[]", '{"name": "an extension", "manifest_version": 3}', "no JSON", ""])
def test_a_manifest_of_another_program_is_none_of_ours(tmp_path: Path, content: str) -> None:
    (tmp_path / "manifest.json").write_text(content)
    assert at(tmp_path) is None


def test_a_manifest_of_ours_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    made(tmp_path / "other", "student")
    content = json.loads((tmp_path / "other" / "manifest.json").read_text()) | {"format": 99}
    (tmp_path / "other" / "manifest.json").write_text(json.dumps(content))
    made(tmp_path / "cut", "student")
    whole = (tmp_path / "cut" / "manifest.json").read_bytes()
    (tmp_path / "cut" / "manifest.json").write_bytes(whole[:-20])
    assert kinds(tmp_path) == {"cut": "damaged", "other": "damaged"}


def test_what_is_unfinished_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "run" / "steps" / "scores-0123456789").mkdir(parents=True)
    (tmp_path / "run" / "times.json").write_text("{}")
    (tmp_path / "store" / "teachers").mkdir(parents=True)
    (tmp_path / "store" / "teachers" / "some-teacher.json").write_text("{}")
    (tmp_path / "student" / "checkpoints").mkdir(parents=True)
    (tmp_path / "student" / "checkpoints" / "run.json").write_text("{}")
    assert kinds(tmp_path) == {
        "run": "run",
        "run/steps/scores-0123456789": "unfinished",
        "store": "unfinished",
        "student": "unfinished",
    }


def test_an_empty_folder_and_one_of_a_user_hold_nothing(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "results.json").write_text("{}")
    assert kinds(tmp_path) == {}
