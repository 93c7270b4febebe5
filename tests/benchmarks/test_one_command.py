"""What the timed runs of `distill` are given."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from benchmarks import one_command
from rankdistill import data
from rankdistill.data import Dataset
from tests.beir_folder import beir_folder


@pytest.fixture
def collection(tmp_path: Path) -> Dataset:
    documents = {f"d{number}": f'text {number}, "quoted"\nand a line' for number in range(6)}
    queries = {"a": "asked in training", "b": "asked in the test"}
    qrels = {"train": [("a", "d0", 1)], "test": [("b", "d5", 1)]}
    return data.load(beir_folder(tmp_path / "c", documents, queries, qrels))


def test_files_hold_what_the_test_asks_for_first(
    collection: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(one_command, "FILES", 3)
    folder, told = one_command.CASES["files"].prepare(collection, tmp_path)
    assert sorted(path.name for path in folder.iterdir()) == ["d0.txt", "d1.txt", "d5.txt"]
    assert not told


def test_a_table_and_its_log_say_the_same_and_no_test_query(collection: Dataset, tmp_path: Path) -> None:
    table, told = one_command.CASES["table"].prepare(collection, tmp_path)
    with table.open(newline="", encoding="utf-8") as file:
        rows = {row["sku"]: row["description"] for row in csv.DictReader(file)}
    assert rows == {document.doc_id: document.text for document in collection.documents()}
    asked = [json.loads(line)["query"] for line in told["queries"].read_text().splitlines()]
    assert asked == ["asked in training"]


def test_a_step_is_found_by_its_name_alone(tmp_path: Path) -> None:
    for name in ("aligned-1a", "index-aligned-2b", "index-space-3c"):
        (tmp_path / name).mkdir()
    assert one_command._step(tmp_path, "aligned").name == "aligned-1a"
    assert one_command._step(tmp_path, "index-aligned").name == "index-aligned-2b"
