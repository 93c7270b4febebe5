"""The benchmark of multi-vector students as a whole, at a tiny size: it ends, and a second start repeats nothing."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import multi_vector_students, provenance
from benchmarks.held_vectors import HeldPairs
from rankdistill import data, teachers
from tests.cli.test_train import store

__all__ = ["store"]  # a fixture

SMALL = ("batch_size=2", "negatives=2", "max_document_length=32", "few_negatives=repeat", "token_dimension=8")
SYSTEMS = {
    "dense, exact",
    "multi-vector, exact",
    "multi-vector, token-ivf",
    "BM25",
    *(f"{one} on {first}" for one in ("multi-vector", "cross-encoder", "pair-head") for first in ("BM25", "dense")),
}


@pytest.fixture
def start(tiny_beir: Path, store: Path, tiny_encoder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the command line says."""
    shutil.copy(tiny_beir / "qrels/test.tsv", tiny_beir / "qrels/dl19.tsv")
    monkeypatch.setattr(provenance, "RESULTS", tmp_path)
    monkeypatch.setattr(multi_vector_students, "LATENCY_QUERIES", 2)
    words = ["--data", str(tiny_beir), "--store", str(store), "--work", str(tmp_path / "work"), "--steps", "2"]
    words += ["--seeds", "13"]
    settings = [f"student.model={tiny_encoder}", "student.keep_layers=[0, 2]", *(f"train.{one}" for one in SMALL)]
    words += [word for one in settings for word in ("--set", one)]
    monkeypatch.setattr(sys, "argv", ["multi_vector_students", *words])


@pytest.mark.usefixtures("start")
@pytest.mark.slow
def test_it_ends_and_goes_on_where_it_was_stopped(
    tmp_path: Path, tiny_beir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    multi_vector_students.main()
    first = json.loads((tmp_path / "multi_vector_students.json").read_text())
    shown = capsys.readouterr().out
    for split in ("dl19", "dev"):
        assert {system["name"] for system in first["splits"][split]["systems"]} == SYSTEMS
        assert len({row["system"] for row in first["splits"][split]["comparisons"]}) == len(SYSTEMS) - 1
        assert {system["trainings"] for system in first["splits"][split]["systems"]} == {1}
        assert f"{split}, 6 queries" in shown
    assert min(min(found) for found in first["recall_at_100_of_token-ivf"].values()) > 0.8

    shutil.rmtree(tmp_path / "work/seed-13/evaluations/dev/BM25")
    multi_vector_students.main()
    again = json.loads((tmp_path / "multi_vector_students.json").read_text())
    assert again["splits"]["dl19"] == first["splits"]["dl19"]

    held_vectors_score_as_texts_do(tmp_path / "work/seed-13", tiny_beir)


def held_vectors_score_as_texts_do(work: Path, folder: Path) -> None:
    """The pair head gives the same over the vectors of the index as over texts that it encodes."""
    dataset, head = data.load(folder), work / "students/pair-head"
    pairs = [("what is the old river", text) for text in list(dataset.contents.values())[:5]]
    held = HeldPairs(head, work / "indexes/dense-exact", dataset).score(pairs)
    np.testing.assert_allclose(held, teachers.load(str(head)).score(pairs), rtol=1e-3, atol=1e-3)
