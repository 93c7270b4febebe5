"""Judged queries put aside: by what they say, each once, and nothing else changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from rankdistill import data
from rankdistill.data.dividing import divide, divided
from rankdistill.errors import ConfigError, DataError
from tests.beir_folder import beir_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    queries = {f"q{place}": f"what is {place % 30}" for place in range(40)} | {"t": "a test", "log": "of a log"}
    rows = [(f"q{place}", f"d{place % 7}", 1) for place in range(40)]
    documents = {f"d{place}": f"document {place}" for place in range(7)}
    return beir_folder(tmp_path / "data", documents, queries, {"train": rows, "test": [("t", "d0", 1)]})


def test_queries_are_put_aside_by_what_they_say_and_each_is_in_one_split(folder: Path, tmp_path: Path) -> None:
    dataset = data.load(folder)
    parts = divided(dataset, "train", {"dev": 6, "other": 9})
    everyone = [query_id for ids in parts.values() for query_id in ids]
    assert sorted(everyone) == sorted(dataset.qrels("train"))
    assert 6 <= len(parts["dev"]) <= 7
    assert 9 <= len(parts["other"]) <= 10
    texts = {name: {dataset.query_texts[one] for one in ids} for name, ids in parts.items()}
    assert texts["dev"].isdisjoint(texts["other"] | texts["train"])
    assert (
        divided(dataset, "train", {"dev": 4})["dev"]
        == parts["dev"][: len(divided(dataset, "train", {"dev": 4})["dev"])]
    )

    assert divide(dataset, tmp_path / "out", "train", {"dev": 6, "other": 9})
    made = data.load(tmp_path / "out")
    assert {name: sorted(made.qrels(name)) for name in parts} == {name: sorted(ids) for name, ids in parts.items()}
    assert made.qrels("test") == dataset.qrels("test")
    assert dict(made.unjudged) == {"log": "of a log"}
    assert made.contents == dataset.contents
    assert not divide(dataset, tmp_path / "out", "train", {"dev": 6, "other": 9})


def test_what_cannot_be_put_aside_is_refused(folder: Path, tmp_path: Path) -> None:
    dataset = data.load(folder)
    with pytest.raises(ConfigError, match="'test', which it has"):
        divided(dataset, "train", {"test": 2})
    with pytest.raises(DataError, match="more than 40"):
        divide(dataset, tmp_path / "out", "train", {"dev": 40})
    with pytest.raises(DataError, match="a split"):
        divided(dataset, "absent", {"dev": 1})
    assert not (tmp_path / "out").exists()
