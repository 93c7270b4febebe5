"""Queries that are kept apart for a benchmark."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.apart import CHOICE, HELD_OUT, TRAIN, kept_apart
from rankdistill import data
from rankdistill.data import Dataset
from tests.beir_folder import beir_folder


@pytest.fixture
def collection(tmp_path: Path) -> Dataset:
    queries = {f"q{number}": f"query {number}" for number in range(10)}
    qrels = {"train": [(query_id, "d0", 1) for query_id in queries]}
    return data.load(beir_folder(tmp_path / "c", {"d0": "a text"}, queries, qrels))


def test_splits_do_not_overlap_and_are_kept(collection: Dataset, tmp_path: Path) -> None:
    found = kept_apart(collection, 5, 3, tmp_path / "apart")
    parts = [set(found.queries(split)) for split in (TRAIN, CHOICE, HELD_OUT)]
    assert [len(part) for part in parts] == [5, 3, 2]
    assert set.union(*parts) == set(collection.queries(TRAIN))
    again = kept_apart(collection, 5, 3, tmp_path / "apart")
    assert [set(again.queries(split)) for split in (TRAIN, CHOICE, HELD_OUT)] == parts


def test_another_number_of_queries_than_the_folder_has_is_refused(collection: Dataset, tmp_path: Path) -> None:
    kept_apart(collection, 5, 3, tmp_path / "apart")
    with pytest.raises(SystemExit, match="has 5 training queries and 3 to choose on, where 7 and 3"):
        kept_apart(collection, 7, 3, tmp_path / "apart")


def test_more_than_there_are_is_all_of_them(collection: Dataset, tmp_path: Path) -> None:
    found = kept_apart(collection, 20, 3, tmp_path / "apart")
    assert found.judgements.keys() == {TRAIN}
    assert len(found.queries(TRAIN)) == 10
    kept_apart(collection, 20, 3, tmp_path / "apart")
