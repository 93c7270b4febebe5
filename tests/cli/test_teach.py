"""`rankdistill teach` from data to a teacher, and its errors."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

import rankdistill
from rankdistill import manifest
from rankdistill.cli.main import build_app, main
from rankdistill.errors import ConfigError, DataError, WorseTeacherError
from rankdistill.inference import PairScorer
from rankdistill.teachers.taught import TaughtTeacher
from rankdistill.teachers.teaching import beside


def _run(*words: object) -> str:
    done = CliRunner().invoke(build_app(), [str(word) for word in words], catch_exceptions=False)
    return done.output


def test_teach_makes_a_teacher_and_says_how_good_it_is(tiny_beir: Path, tiny_encoder: str, tmp_path: Path) -> None:
    out = tmp_path / "teacher"
    for split in ("train", "dev"):
        _run("mine", "--data", tiny_beir, "--split", split, "--depth", 10, "--out", tmp_path / split)
    flags = ["--data", tiny_beir, "--candidates", tmp_path / "train", "--base", tiny_encoder, "--out", out]
    flags += ["--steps", 2, "--batch-size", 4, "--negatives", 2, "--max-length", 32, "--no-bf16"]
    flags += ["--dev-candidates", tmp_path / "dev"]
    shown = _run("teach", *flags, "--allow-worse")
    assert "dev nDCG@10" in shown
    assert "dev: 6 queries, each ranking their candidates" in shown
    for system in ("the taught teacher", "bm25", "the base as an encoder"):
        assert re.search(rf"{system} +[01]\.\d{{4}}", shown), system
    assert (out / "manifest.json").is_file()
    again = _run("teach", *flags, "--allow-worse")
    assert "is up to date" in again.replace("\n", " ").replace("  ", " ")


@pytest.mark.parametrize("teacher", [0.6, 0.9])
def test_a_teacher_that_is_worse_than_something_beside_it_ends_with_1_and_is_kept(
    tiny_beir: Path, tiny_encoder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, teacher: float
) -> None:
    """Only what was measured is replaced: what a tiny model is worth is chance."""
    beside_it = {"sources": {"bm25": 0.774}, "base": {"as": "an encoder", "value": 0.5}}
    measured = {"split": "dev", "queries": 6, "teacher": teacher, **beside_it}
    monkeypatch.setattr(beside, "measure", lambda *given: measured)
    for split in ("train", "dev"):
        rankdistill.mine(tiny_beir, tmp_path / split, split=split, depth=10)
    flags = ["--data", tiny_beir, "--candidates", tmp_path / "train", "--base", tiny_encoder, "--out", tmp_path / "t"]
    flags += ["--steps", 1, "--batch-size", 4, "--negatives", 2, "--no-bf16", "--dev-candidates", tmp_path / "dev"]
    monkeypatch.setattr("sys.argv", ["rankdistill", "teach", *map(str, flags)])
    if teacher < 0.774:
        for words in ([], ["--json"]):  # the second time it is there already, and as bad
            monkeypatch.setattr("sys.argv", ["rankdistill", "teach", *map(str, flags), *words])
            with pytest.raises(SystemExit) as stop:
                main()
            assert stop.value.code == 1
        assert (tmp_path / "t" / "manifest.json").is_file()
        with pytest.raises(WorseTeacherError, match=r"worse than bm25 \(0\.7740\)\.[\s\S]*--allow-worse"):
            _run("teach", *flags)
        assert "ranks these candidates worse than bm25 (0.7740)." in _run("teach", *flags, "--allow-worse")
    else:
        assert "no worse than anything beside it; the best of that is bm25 (0.7740)." in _run("teach", *flags)
    taught = TaughtTeacher(tmp_path / "t")
    assert taught.is_worse == taught.to_json()["is_worse"] == (teacher < 0.774)


def test_wrong_settings_and_inputs_are_refused(tiny_beir: Path, tiny_encoder: str, tmp_path: Path) -> None:
    flags = ["--data", tiny_beir, "--candidates", tmp_path, "--base", tiny_encoder, "--out", tmp_path / "teacher"]
    with pytest.raises(ConfigError, match="hinge"):
        _run("teach", *flags, "--loss", "hinge")
    with pytest.raises(DataError, match="rankdistill mine"):
        _run("teach", *flags)
    assert not (tmp_path / "teacher" / "manifest.json").exists()


def test_a_length_beyond_the_positions_of_the_base_is_refused_and_the_default_is_cut(
    tiny_beir: Path, tiny_encoder: str, tmp_path: Path
) -> None:
    _run("mine", "--data", tiny_beir, "--split", "train", "--depth", 10, "--out", tmp_path / "train")
    flags = ["--data", tiny_beir, "--candidates", tmp_path / "train", "--base", tiny_encoder, "--out", tmp_path / "t"]
    flags += ["--steps", 1, "--batch-size", 4, "--negatives", 2, "--no-bf16"]
    with pytest.raises(ConfigError, match=r"max_length of at most 64[\s\S]*got: 65"):
        _run("teach", *flags, "--max-length", 65)
    assert not (tmp_path / "t" / "manifest.json").exists()
    _run("teach", *flags)
    assert PairScorer(str(tmp_path / "t"), "torch").max_length == 64
    assert manifest.read(tmp_path / "t").parameters["max_length"] == 256
