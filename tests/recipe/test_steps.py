"""Steps: each is done once, and what a kill behind its end left is removed by its verb."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rankdistill.making import CHECKPOINTS, KEPT, making
from rankdistill.manifest import Manifest
from rankdistill.progress import reporter_of
from rankdistill.recipe.steps import Workspace, execute


@pytest.mark.parametrize("kept", [False, True])
def test_a_step_that_was_killed_behind_its_manifest_is_asked_once_more(kept: bool, tmp_path: Path) -> None:
    asked: list[bool] = []

    def work(out: Path, reporter: Any) -> None:
        with making(out, Manifest("student")) as made:
            asked.append(made.current)

    step = Workspace(tmp_path).step("student-a", {"seed": 1}, (), work)
    assert execute([step], reporter_of(False)) == [step]
    assert execute([step], reporter_of(False)) == []
    assert asked == [False]
    (step.folder / CHECKPOINTS / "checkpoint-4").mkdir(parents=True)
    if kept:
        (step.folder / CHECKPOINTS / KEPT).touch()
    assert execute([step], reporter_of(False)) == []
    assert asked == ([False] if kept else [False, True])
