"""`rankdistill teach` from data to a teacher, and its errors."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from rankdistill.cli.main import build_app
from rankdistill.errors import ConfigError, DataError


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
    assert (out / "manifest.json").is_file()
    assert "is up to date" in _run("teach", *flags).replace("\n", " ").replace("  ", " ")


def test_wrong_settings_and_inputs_are_refused(tiny_beir: Path, tiny_encoder: str, tmp_path: Path) -> None:
    flags = ["--data", tiny_beir, "--candidates", tmp_path, "--base", tiny_encoder, "--out", tmp_path / "teacher"]
    with pytest.raises(ConfigError, match="hinge"):
        _run("teach", *flags, "--loss", "hinge")
    with pytest.raises(DataError, match="rankdistill mine"):
        _run("teach", *flags)
    assert not (tmp_path / "teacher" / "manifest.json").exists()
