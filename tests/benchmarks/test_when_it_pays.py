"""The benchmark of objectives and teachers: which cells there are, and as a whole at a tiny size, twice."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import provenance, student_cells, student_sets, when_it_pays
from benchmarks.student_cells import Cell, Cells, settings_of
from benchmarks.student_sets import Bm25Scores, PreparedSet, Teacher
from benchmarks.when_it_pays import OBJECTIVES
from rankdistill import data
from rankdistill.mining.bm25 import Bm25
from rankdistill.verbs.settings import TrainConfig


def cells(tmp_path: Path, **changed: Any) -> Cells:
    asked: dict[str, Any] = {
        "steps": 4,
        "batch_size": 2,
        "negatives": 2,
        "tower_negatives": 2,
        "align_steps": 2,
        "taught_steps": 2,
        "only": None,
        "teachers": ["bm25", "dense", "ensemble"],
    }
    asked |= {"starts": ["cut", "aligned"], "rates": [1e-4, 3e-4], "seeds": (13, 14)}
    prepared = PreparedSet(tmp_path / "none", tmp_path / "work", 9, 3, 2)
    return Cells(prepared, ("test",), argparse.Namespace(**asked | changed), OBJECTIVES)


def test_every_objective_is_trained_by_every_teacher_that_can(tmp_path: Path) -> None:
    found = list(cells(tmp_path).systems())
    assert len(found) == len(set(found)) == 2 * (2 + 3 * 3 + 4 * 2) + 2 * 2 + 1
    assert not [one for one in found if one[2] == "bm25" and OBJECTIVES[one[1]].in_batch]
    assert {teacher for _, name, teacher in found if not OBJECTIVES[name].taught} == {"labels"}
    only = list(cells(tmp_path, only=["kl"], starts=["aligned"], teachers=["dense"]).systems())
    assert only == [("aligned", "kl", "dense"), ("aligned", "kl in batch", "dense")]
    alone = list(cells(tmp_path, only=["=kl"], starts=["aligned"], teachers=["dense"]).systems())
    assert alone == [("aligned", "kl", "dense")]
    names = {Cell(*system, 1e-4, 13).system for system in found}
    assert len(names) == len(found)


@pytest.mark.parametrize("name", [name for name, one in OBJECTIVES.items() if not one.texts])
def test_the_settings_of_an_objective_are_those_of_training(name: str) -> None:
    teacher = Teacher("dense", None, "embedding-1", 0.08, "STORE", "VECTORS")
    found = TrainConfig(**{**student_cells.COMMON, **settings_of(OBJECTIVES[name], teacher)})
    assert found.in_batch_teacher == ("STORE" if OBJECTIVES[name].in_batch else None)
    assert found.alignment_teacher == ("VECTORS" if "alignment" in name else None)
    if found.loss == "kl_div":
        assert found.teacher_temperature == found.student_temperature == 0.04


def test_bm25_scores_pairs_as_it_searches(tiny_beir: Path) -> None:
    dataset = data.load(tiny_beir)
    query, contents = next(iter(dataset.queries("train").values())), dataset.contents
    ids, scores = Bm25(contents).retrieve([query], len(contents))
    expected = dict(zip(ids[0], scores[0].tolist(), strict=True))
    found = Bm25Scores(dataset).score([(query, text) for text in contents.values()])
    assert found.tolist() == [expected.get(doc_id, 0.0) for doc_id in contents]
    assert 0 < sum(found > 0) < len(found)


@pytest.mark.slow
def test_it_ends_and_makes_no_cell_twice(
    tiny_beir: Path, six_layers: str, tiny_splade: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provenance, "RESULTS", tmp_path)
    monkeypatch.setattr(
        student_cells, "ALIGNMENT", {**student_sets.ALIGNMENT, "held_out": 4, "max_document_length": 32}
    )
    for module in (student_sets, student_cells):
        monkeypatch.setattr(module, "DENSE", six_layers)
        monkeypatch.setattr(module, "SPARSE", tiny_splade)
    monkeypatch.setattr(student_sets, "DOCUMENT_TOKENS", 32)
    small = {"batch_size": 4, "held_out": 4, "max_document_length": 32}
    monkeypatch.setattr(student_sets, "ALIGNMENT", {**student_sets.ALIGNMENT, **small})
    rows = {"check": "off", "max_document_length": 32}
    monkeypatch.setattr(student_sets, "TAUGHT", {**student_sets.TAUGHT, **rows, "batch_size": 4})
    monkeypatch.setattr(student_cells, "COMMON", {**student_cells.COMMON, **rows})
    monkeypatch.setattr(student_cells, "DOCUMENT_TOKENS", 32)
    words = ["--data", tiny_beir.parent, "--sets", tiny_beir.name, "--work", tmp_path / "work", "--steps", 2]
    numbers = {"batch-size": 4, "negatives": 2, "align-steps": 2, "taught-steps": 2, "queries": 9, "choice": 4}
    words += [word for name, value in numbers.items() for word in (f"--{name}", value)]
    words += ["--rates", "1e-4,1e-3", "--seeds", "13,14", "--teachers", "dense,ensemble,taught"]
    words += ["--only", "=contrastive,=margin-mse in batch,=kl,=more alignment"]
    monkeypatch.setattr(sys, "argv", ["when_it_pays", *map(str, words)])
    when_it_pays.main()
    found = json.loads((tmp_path / f"when_it_pays_{tiny_beir.name}.json").read_text())
    made = sorted((tmp_path / "work").rglob("cell.json"))
    times = [file.stat().st_mtime_ns for file in made]
    starts = ("cut", "aligned", "queries")
    assert set(found["test"]) == {name for start in starts for name in (start, f"{start}: contrastive")}
    alone = {system["name"]: system["trainings"] for system in found["test"]["queries"]["systems"]}
    assert alone["queries: margin-mse in batch, ensemble"] == alone["queries: more alignment"] == 2
    assert alone["queries"] == 1
    systems = {system["name"]: system["trainings"] for system in found["test"]["aligned"]["systems"]}
    assert systems["aligned: margin-mse in batch, ensemble"] == systems["aligned: margin-mse in batch, taught"] == 2
    assert systems["aligned: more alignment"] == 2
    assert systems["aligned"] == systems["dense"] == systems["taught"] == 1
    assert not list((tmp_path / "work").rglob("cells/*/*/student"))
    monkeypatch.setattr(sys, "argv", ["when_it_pays", *map(str, words), "--report"])
    when_it_pays.main()
    assert [file.stat().st_mtime_ns for file in made] == times
    assert sorted((tmp_path / "work").rglob("cell.json")) == made
