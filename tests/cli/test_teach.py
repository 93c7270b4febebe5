"""`rankdistill teach` from data to a teacher, and its errors."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rankdistill import manifest
from rankdistill.cli.main import build_app
from rankdistill.errors import ConfigError, DataError
from rankdistill.inference import PairScorer


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
    shown = _run("teach", *flags)
    assert "dev nDCG@10" in shown
    assert "nDCG@10 of the candidates of 6 queries of dev: teacher 0." in shown
    assert ", bm25 0." in shown
    assert ", the base as an encoder 0." in shown
    found = json.loads((out / "training_log.json").read_text())["dev_beside"]
    better = max(found["sources"]["bm25"], found["base"]["value"]) > found["teacher"]
    assert ("the taught teacher ranks these candidates worse than" in shown) == better
    assert (out / "manifest.json").is_file()
    assert "is up to date" in _run("teach", *flags).replace("\n", " ").replace("  ", " ")


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
