"""What is planned and not done is never told to be: not after a kill at any instant, nor where the plan is damaged."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rankdistill import manifest
from rankdistill.stores import missing
from rankdistill.stores.layout import Layout
from rankdistill.stores.reader import ScoreStore
from tests.stores.test_unit_size import Lengths
from tests.stores.test_unit_size import scorer as of_size


class Other(Lengths):
    teacher_id = "other-1"

    @property
    def fingerprint(self) -> dict[str, Any]:
        return {"kind": "other"}


class Stopping(Lengths):
    """Is stopped when it has scored more than 120 pairs."""

    def score(self, pairs: Sequence[tuple[str, str]], progress: Any = None) -> np.ndarray:
        if self.asked > 120:
            raise KeyboardInterrupt
        return super().score(pairs, progress)


scorer = partial(of_size, asked_size=64)


def finished(root: Path) -> set[str]:
    made = manifest.read(root)
    assert made is not None
    return {Path(name).stem for name in made.outputs if name.startswith("teachers/")}


@pytest.fixture
def begun(candidates: Path, tmp_path: Path) -> Path:
    """A store in which one teacher has scored 128 of 300 pairs."""
    with pytest.raises(KeyboardInterrupt):
        scorer(tmp_path / "store", candidates, Stopping()).run()
    return tmp_path / "store"


def flip(plan: Path) -> None:
    content = json.loads((plan / "plan.json").read_text())
    first = content["digests"][0]
    content["digests"][0] = f"{'1' if first[0] == '0' else '0'}{first[1:]}"
    (plan / "plan.json").write_text(json.dumps(content))


def cut(plan: Path) -> None:
    (plan / "plan.json").write_text((plan / "plan.json").read_text()[:40])


def of_before(plan: Path) -> None:
    """As plans were written that had no checksum, and no mark beside them."""
    content = json.loads((plan / "plan.json").read_text())
    del content["check"], content["units"], content["unit_size"]
    (plan / "plan.json").write_text(json.dumps(content))
    (plan / "unfinished").unlink()


def without_units(plan: Path) -> None:
    (plan / "plan.parquet").unlink()


def damaged_units(plan: Path) -> None:
    content = bytearray((plan / "plan.parquet").read_bytes())
    content[len(content) // 3] ^= 4
    (plan / "plan.parquet").write_bytes(bytes(content))


def killed_while_it_was_made_again(plan: Path) -> None:
    for name in ("plan.json", "plan.parquet"):
        (plan / name).unlink()


@pytest.mark.parametrize(
    "harm", [flip, cut, of_before, without_units, damaged_units, killed_while_it_was_made_again, None]
)
def test_another_teacher_that_is_done_does_not_finish_this_one(
    harm: Callable[[Path], None] | None, begun: Path, candidates: Path
) -> None:
    if harm is not None:
        harm(Layout(begun).plan("lengths-1"))
    scorer(begun, candidates, Other()).run()
    assert finished(begun) == {"other-1"}
    teacher = Lengths()
    scorer(begun, candidates, teacher).run()
    assert teacher.asked == 300 - 128, "no shard is made twice"
    assert finished(begun) == {"other-1", "lengths-1"}
    scores = ScoreStore(begun).scan("lengths-1").collect()
    assert scores.height == scores.select("query_id", "doc_id").n_unique() == 300
    assert not (begun / "plans").exists()


def test_a_teacher_whose_first_plan_was_not_made_to_its_end_is_not_finished(candidates: Path, tmp_path: Path) -> None:
    """A process that is killed cleans nothing up: the mark stays."""
    scorer(tmp_path, candidates, Other()).run()
    (tmp_path / "teachers" / "lengths-1.json").write_text('{"kind": "lengths", "score_kind": "logit"}')
    plan = Layout(tmp_path).plan("lengths-1")
    plan.mkdir(parents=True)
    (plan / "unfinished").touch()

    class Third(Other):
        teacher_id = "third-1"

    scorer(tmp_path, candidates, Third()).run()
    assert finished(tmp_path) == {"other-1", "third-1"}


def test_a_plan_that_cannot_be_made_leaves_a_finished_teacher_finished(
    candidates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer(tmp_path, candidates, Lengths()).run()

    def fails(*_: Any) -> Any:
        raise OSError("no space")

    with monkeypatch.context() as patch:
        patch.setattr(missing, "write_units", fails)
        with pytest.raises(OSError, match="no space"):
            scorer(tmp_path, candidates, Lengths()).run()
    scorer(tmp_path, candidates, Other()).run()
    assert finished(tmp_path) == {"other-1", "lengths-1"}
