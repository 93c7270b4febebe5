"""How many pairs or texts a shard has where nobody says so: as many as take half a minute."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rankdistill.stores import unit_size
from rankdistill.stores.layout import Layout
from rankdistill.stores.unit_size import LEAST_UNIT, UNIT_SIZE, measured_size, size_for
from rankdistill.stores.writer import ScoreWriter
from rankdistill.teachers.base import encodes_texts
from rankdistill.teachers.ensemble import EnsembleTeacher
from rankdistill.teachers.rewritten import rewritten
from tests.stores.conftest import DOCUMENTS, QUERIES


class Clock:
    """Time that passes where it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(unit_size.time, "perf_counter", lambda: self.now)

    def work(self, rate: float) -> Any:
        self.counts: list[int] = []

        def work(count: int) -> None:
            self.counts.append(count)
            self.now += count / rate

        return work


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.mark.parametrize(
    ("rate", "size"),
    [(0.01, LEAST_UNIT), (2.0, LEAST_UNIT), (4.2, LEAST_UNIT), (4.3, 128), (35.0, 1024), (273.0, 4096), (1e9, 8192)],
)
def test_a_unit_is_about_half_a_minute_of_work(rate: float, size: int, clock: Clock) -> None:
    assert size_for(rate) == size
    assert measured_size(clock.work(rate), 10_000, "pairs") == size


def test_a_slow_teacher_is_measured_on_few_items_and_a_small_job_on_none(clock: Clock) -> None:
    measured_size(clock.work(1.0), 10_000, "pairs")
    assert clock.counts == [1, 2], "three seconds of a teacher of one pair a second"
    measured_size(clock.work(1000.0), 10_000, "pairs")
    assert clock.counts == [1, 2, 4, 8, 16, 32, 64]
    assert measured_size(clock.work(1.0), 256, "pairs") == UNIT_SIZE
    assert clock.counts == []


class Lengths:
    """Scores by lengths; counts what it is asked."""

    score_kind = "logit"
    teacher_id = "lengths-1"

    def __init__(self) -> None:
        self.asked = 0

    @property
    def fingerprint(self) -> dict[str, Any]:
        return {"kind": "lengths"}

    def score(self, pairs: Sequence[tuple[str, str]], progress: Any = None) -> np.ndarray:
        self.asked += len(pairs)
        if progress is not None:
            progress(len(pairs))
        return np.array([len(query) - len(document) for query, document in pairs], dtype=np.float32)


class Encoder(Lengths):
    encodes_texts = True


def scorer(root: Path, candidates: Path, teacher: Lengths, asked_size: int | None = None) -> ScoreWriter:
    return ScoreWriter(
        root,
        queries=QUERIES,
        documents=DOCUMENTS,
        candidates=candidates,
        teacher=teacher,  # type: ignore[arg-type]
        dataset_fingerprint="f" * 64,
        unit_size=asked_size,
    )


def shards(root: Path) -> list[str]:
    return [path.name for path in Layout(root).shards("lengths-1")]


def test_the_measured_size_is_the_plans_for_all_writers_and_runs(
    candidates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    monkeypatch.setattr(unit_size, "size_for", lambda rate: 128)
    scorer(tmp_path / "whole", candidates, Lengths()).run()
    assert len(shards(tmp_path / "whole")) == 3, "300 pairs"

    class Stopped(Lengths):
        def score(self, pairs: Sequence[tuple[str, str]], progress: Any = None) -> np.ndarray:
            if self.asked > 128 + 100:
                raise KeyboardInterrupt
            return super().score(pairs, progress)

    store = tmp_path / "store"
    with pytest.raises(KeyboardInterrupt):
        scorer(store, candidates, Stopped()).run()
    note = json.loads((Layout(store).plan("lengths-1") / "plan.json").read_text())
    assert (note["unit_size"], note["asked"]["unit_size"]) == (128, None)
    monkeypatch.setattr(unit_size, "size_for", lambda rate: 64)  # a busier hour
    teacher = Lengths()
    scorer(store, candidates, teacher).run()
    assert teacher.asked == 300 - 128, "what is planned is not measured again"
    assert shards(store) == shards(tmp_path / "whole")
    for name in ("manifest.json", *(f"scores/lengths-1/{shard}" for shard in shards(store))):
        one, other = (root / name for root in (store, tmp_path / "whole"))
        assert one.read_bytes() == other.read_bytes(), name
    assert json.loads((store / "manifest.json").read_text())["parameters"]["unit_size"] == 128


def test_what_encodes_each_text_once_a_call_is_not_cut_smaller(
    candidates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unit_size, "size_for", lambda rate: 64)
    encoder = Encoder()
    scorer(tmp_path / "store", candidates, encoder).run()
    assert encoder.asked == 300, "nor measured"
    assert len(shards(tmp_path / "store")) == 1


def test_nothing_is_measured_where_nothing_is_missing_or_others_do_the_work(candidates: Path, tmp_path: Path) -> None:
    scorer(tmp_path / "store", candidates, Lengths()).run()
    teacher = Lengths()
    assert scorer(tmp_path / "store", candidates, teacher).run().scored == 0
    assert teacher.asked == 0
    assert scorer(tmp_path / "other", candidates, teacher)._measured_size(remote=True) == UNIT_SIZE
    assert teacher.asked == 0


def test_a_teacher_made_of_others_encodes_texts_where_one_of_them_does() -> None:
    both = EnsembleTeacher([(Lengths(), 1.0), (Encoder(), 1.0)])  # type: ignore[list-item]
    assert encodes_texts(both)
    assert not encodes_texts(EnsembleTeacher([(Lengths(), 1.0)]))  # type: ignore[list-item]
    assert encodes_texts(rewritten(Encoder(), "human", {}))  # type: ignore[arg-type]
    assert not encodes_texts(rewritten(Lengths(), "human", {}))  # type: ignore[arg-type]


def test_a_size_for_encoders_is_not_taken_of_another_teacher(
    candidates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    """As recipes have it, whose teacher may be another: 65,536 pairs of a slow one would be lost by a kill."""
    monkeypatch.setattr(unit_size, "size_for", lambda rate: 128)

    class Stopped(Lengths):
        def score(self, pairs: Sequence[tuple[str, str]], progress: Any = None) -> np.ndarray:
            if self.asked > 128 + 100:
                raise KeyboardInterrupt
            return super().score(pairs, progress)

    with pytest.raises(KeyboardInterrupt):
        scorer(tmp_path / "store", candidates, Stopped(), 65_536).run()
    assert len(shards(tmp_path / "store")) == 1, "what was done until then is kept"
    monkeypatch.setattr(unit_size, "size_for", lambda rate: 64)  # a busier hour
    teacher = Lengths()
    scorer(tmp_path / "store", candidates, teacher, 65_536).run()
    assert teacher.asked == 300 - 128, "what is planned is not measured again"
    made = json.loads((tmp_path / "store" / "manifest.json").read_text())
    assert made["parameters"]["unit_size"] == 128
    for number, (asked_size, asked) in enumerate([(UNIT_SIZE, Lengths()), (65_536, Encoder())]):
        scorer(tmp_path / f"exact-{number}", candidates, asked, asked_size).run()
        assert asked.asked == 300, "nor measured"
        made = json.loads((tmp_path / f"exact-{number}" / "manifest.json").read_text())
        assert made["parameters"]["unit_size"] == asked_size
