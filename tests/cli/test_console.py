"""The command line as it goes into manifests, and notes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from rankdistill.cli import console
from rankdistill.cli.run import _note_clipping
from rankdistill.recipe.steps import Workspace


@pytest.mark.parametrize("words", [["--out", "/some/where", "--k", "3"], ["--out=/some/where", "--k", "3"]])
def test_the_output_folder_is_not_part_of_the_command(monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/rankdistill", "score", *words])
    assert console.command().replace("=", " ") == "rankdistill score --out . --k 3"


@pytest.mark.parametrize("words", [["--shard", "1/3", "--k", "3"], ["--k", "3", "--shard=1/3"], ["--k", "3"]])
def test_flags_that_say_who_works_are_not_part_of_the_command(
    monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/rankdistill", "score", *words])
    assert console.command(("--shard", "--workers")) == "rankdistill score --k 3"


def test_a_recipe_tells_which_of_its_trainings_were_mostly_clipped(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    steps = [Workspace(tmp_path).step(name, "steps", {}, [], lambda out, progress: None) for name in ("a", "b", "c")]
    for step, share in zip(steps, (0.9, 0.5), strict=False):
        step.folder.mkdir(parents=True)
        (step.folder / "training_log.json").write_text(json.dumps({"clipped_steps": share}))
    _note_clipping(steps)
    shown = " ".join(capfd.readouterr().err.split())
    assert "note: a: gradients were clipped in 90% of the steps" in shown
    assert shown.count("note:") == 1
