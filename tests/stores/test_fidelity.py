"""The check of a fast back end before a store is written to."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from rankdistill.errors import BackendFidelityError
from rankdistill.inference.fidelity import SamplePair
from rankdistill.stores.fidelity import FidelityCheck
from rankdistill.stores.sampling import draw
from rankdistill.stores.writer import ScoreWriter
from rankdistill.teachers.base import PairTeacher
from tests.stores.conftest import HashTeacher
from tests.stores.test_writer import contents


class RoughTeacher(HashTeacher):
    """Like the exact one, with errors that depend on the pair."""

    def __init__(self, error: float, fail_after: int | None = None) -> None:
        super().__init__("rough", fail_after=fail_after)
        self.error = error

    def exact(self) -> Callable[[], PairTeacher]:
        return HashTeacher

    def score(self, pairs: Sequence[tuple[str, str]], progress: Callable[[int], object] | None = None) -> np.ndarray:
        errors = [len(query) + sum(map(ord, document)) % 7 - 3 for query, document in pairs]
        return super().score(pairs, progress) + np.array(errors, np.float32) * self.error


MakeWriter = Callable[..., ScoreWriter]


def test_the_figures_are_in_the_manifest_and_the_same_every_time(writer: MakeWriter, tmp_path: Path) -> None:
    writer(RoughTeacher(0.01)).run()
    writer(RoughTeacher(0.01), store="second").run()
    found = json.loads((tmp_path / "store" / "manifest.json").read_text())
    record = found["parameters"]["fidelity"]["rough-0"]
    assert (record["pairs"], record["queries"]) == (160, 16)
    assert record["spearman"] > 0.99
    assert "fidelity/rough-0.json" in found["outputs"]
    assert "fidelity" not in found["parameters"]["teachers"]["rough-0"]
    assert contents(tmp_path / "store") == contents(tmp_path / "second")


def test_an_exact_teacher_is_not_compared(writer: MakeWriter, tmp_path: Path) -> None:
    teacher = HashTeacher()
    writer(teacher).run()
    assert len(teacher.seen) == 300
    assert "fidelity" not in json.loads((tmp_path / "store" / "manifest.json").read_text())["parameters"]


def test_drift_stops_the_run_before_anything_is_written(writer: MakeWriter, tmp_path: Path) -> None:
    with pytest.raises(BackendFidelityError, match="rough-0"):
        writer(RoughTeacher(3.0)).run()
    assert not (tmp_path / "store").exists()


def test_the_check_can_be_left_out(writer: MakeWriter, tmp_path: Path) -> None:
    unchecked = writer(RoughTeacher(3.0))
    unchecked.fidelity = FidelityCheck(least=0.0)
    assert unchecked.run().scored == 300
    assert not (tmp_path / "store" / "fidelity").exists()


def test_a_resumed_run_does_not_compare_again_but_asks_its_own_threshold(writer: MakeWriter, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        writer(RoughTeacher(0.01, fail_after=200)).run()
    resumed = RoughTeacher(0.01)
    strict = writer(RoughTeacher(0.01))
    strict.fidelity = FidelityCheck(least=0.9999999)
    with pytest.raises(BackendFidelityError):
        strict.run()
    writer(resumed).run()
    assert len(resumed.seen) < 300
    writer(RoughTeacher(0.01), store="whole").run()
    assert contents(tmp_path / "store") == contents(tmp_path / "whole")


def test_labels_are_judged_where_there_are_some(writer: MakeWriter, tmp_path: Path) -> None:
    checked = writer(RoughTeacher(0.01))
    judged = []

    def measure(run: object, qrels: object) -> float:
        judged.append((run, qrels))
        return float(len(judged))

    checked.fidelity = FidelityCheck(measure=measure)
    checked.run()
    assert len(judged) == 2
    found = json.loads((tmp_path / "store" / "fidelity" / "rough-0.json").read_text())
    assert found["ndcg_change"] == 1.0


def test_a_sample_has_whole_groups_with_the_labelled_pairs_first(candidates: Path) -> None:
    sample = draw(candidates, pairs=24, pairs_a_query=6)
    assert sample == draw(candidates, pairs=24, pairs_a_query=6)
    by_query: dict[str, list[SamplePair]] = {}
    for pair in sample:
        by_query.setdefault(pair.query_id, []).append(pair)
    assert [len(pairs) for pairs in by_query.values()] == [6] * 4
    assert all([pair.label for pair in pairs] == [1] * 5 + [None] for pairs in by_query.values())
    assert len({(pair.query_id, pair.doc_id) for pair in sample}) == 24
