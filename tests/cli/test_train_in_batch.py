"""`train --in-batch-teacher`, as a user types it: the whole batch, topics, large batches, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import rankdistill
from rankdistill.cli.main import main
from rankdistill.cli.train import train
from tests.cli.test_train import store, words
from tests.cli.verb import run_verb

__all__ = ["store", "words"]  # fixtures

pytestmark = pytest.mark.usefixtures("torch_alone")


def test_all_of_it_at_once(words: list[object], tiny_beir: Path, tiny_encoder: str, tmp_path: Path) -> None:
    rankdistill.embed(tiny_beir, tiny_encoder, tmp_path / "vectors")
    words += ["--in-batch-teacher", tmp_path / "vectors", "--in-batch-weight", 0.5, "--topics", 2]
    words += ["--gradient-cache", 2, "--steps", 3, "--batch-size", 2]
    assert "student: " in run_verb(train, *words).stdout
    assert "up to date" in run_verb(train, *words).stderr
    made = json.loads((tmp_path / "student" / "manifest.json").read_text())
    assert {name: made["parameters"][name] for name in ("in_batch_weight", "topics", "gradient_cache")} == {
        "in_batch_weight": 0.5,
        "topics": 2,
        "gradient_cache": 2,
    }
    assert json.loads((tmp_path / "student" / "training_log.json").read_text())["in_batch_unit"] > 0


def ends(given: list[object], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> tuple[Any, str]:
    """The status and what the whole command line said."""
    monkeypatch.setattr("sys.argv", ["rankdistill", "train", *map(str, given)])
    with pytest.raises(SystemExit) as stop:
        main()
    return stop.value.code, " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["--in-batch-teacher", "SOME"], "lacks"),
        (["--in-batch-teacher", "PAIRS"], "a teacher of the kind cross_encoder"),
        (["--in-batch-teacher", "NONE"], "NONE"),
        (["--in-batch-teacher", "VECTORS", "--topics", "400"], "400 different queries or more"),
        (["--in-batch-teacher", "VECTORS", "--batch-size", "1"], "batch_size of 1"),
        (["--in-batch-teacher", "VECTORS", "--type", "pair-head"], "leave it out"),
        (["--topics", "4"], "in_batch_teacher"),
        (["--gradient-cache", "0"], "gradient_cache"),
    ],
)
def test_what_cannot_be_is_said_without_a_traceback(
    given: list[str],
    says: str,
    words: list[object],
    tiny_beir: Path,
    tiny_encoder: str,
    tiny_cross_encoder: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    places: dict[str, str] = {"PAIRS": tiny_cross_encoder, "NONE": str(tmp_path / "NONE")}
    if {"SOME", "VECTORS"} & {*given}:
        limit = 3 if "SOME" in given else None
        places["SOME"] = places["VECTORS"] = str(tmp_path / "vectors")
        rankdistill.embed(tiny_beir, tiny_encoder, tmp_path / "vectors", limit=limit)
    capsys.readouterr()
    status, said = ends([*words, *(places.get(word, word) for word in given)], monkeypatch, capsys)
    assert status == 1
    assert says in said
    assert "remedy" in said
    assert "Traceback" not in said
    assert not (tmp_path / "student" / "manifest.json").exists()
