"""The benchmark of sparse students as a whole, at a tiny size: it ends, and a second start encodes nothing again."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import provenance, sparse_students
from rankdistill import data

SMALL = {"batch_size": 2, "negatives": 2, "few_negatives": "repeat", "max_document_length": 32}

pytestmark = pytest.mark.usefixtures("torch_alone")


@pytest.mark.slow
def test_it_ends_and_repeats_nothing(
    tiny_beir: Path, tiny_splade: str, tiny_encoder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(tiny_beir / "qrels/test.tsv", tiny_beir / "qrels/dl19.tsv")
    monkeypatch.setattr(provenance, "RESULTS", tmp_path)
    monkeypatch.setattr(sparse_students, "CHOICE_QUERIES", 3)
    monkeypatch.setattr(sparse_students, "SETTINGS", {**sparse_students.SETTINGS, **SMALL})
    work = tmp_path / "work"
    words = ["--data", str(tiny_beir), "--work", str(work), "--start", tiny_splade, "--teacher", tiny_encoder]
    words += ["--steps", "2", "--weights", "0.01,0.1", "--backends", "exact", "--queries", "6", "--seeds", "13,14"]
    monkeypatch.setattr(sys, "argv", ["sparse_students", *words])
    sparse_students.main()
    made = [*work.rglob("*.safetensors"), *work.rglob("documents.npz")]
    written = {path: path.stat().st_mtime_ns for path in made}
    sparse_students.main()
    assert {path: path.stat().st_mtime_ns for path in written} == written

    whole, split_up = data.load(tiny_beir), data.load(work / "data")
    parts = {split: split_up.qrels(split) for split in ("train", "choice", "held-out")}
    assert {split: len(qrels) for split, qrels in parts.items()} == {"train": 6, "choice": 3, "held-out": 3}
    assert {query: labels for qrels in parts.values() for query, labels in qrels.items()} == whole.qrels("train")
    found = json.loads((tmp_path / "sparse_students.json").read_text())
    assert found["systems"].keys() == {sparse_students.BEFORE, *sparse_students.STUDENTS}
    for name in sparse_students.STUDENTS:
        assert found["ndcg_at_10_of_choice"][name].keys() == {"0.01", "0.1"}
        exact = found["systems"][name]["indexes"]["exact"]
        assert exact["recall_at_10"] == 1
        assert exact["bytes"] > 0
        assert exact["ndcg_at_10"].keys() == {"dl19", "dev", "held-out"}
    for split in found["splits"].values():
        assert [system["trainings"] for system in split["systems"]] == [1, 2, 2, 2]
        assert {row["system"] for row in split["comparisons"]} == set(sparse_students.STUDENTS)


def test_recall_counts_shared_documents() -> None:
    found, truth = (
        np.array([["a", "b", ""], ["c", "d", "e"]], object),
        np.array([["a", "c", "d"], ["e", "d", "c"]], object),
    )
    assert sparse_students.recall_of(found, truth) == pytest.approx((1 / 3 + 1) / 2)
