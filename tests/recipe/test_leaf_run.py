"""A run on embeddings does what is stale, once, goes on where it was interrupted, and reports the triangle."""

from __future__ import annotations

import json
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from rankdistill.recipe.leaf import triangle
from rankdistill.recipe.leaf.schema import LeafRecipe, TextsPart
from rankdistill.recipe.run import plan, run
from tests.recipe.recorder import Recorder


def settings(data: Path, encoder: str, out: Path) -> dict[str, Any]:
    return {
        "kind": "leaf",
        "name": "tiny",
        "out": str(out),
        "data": {"tiny": {"source": str(data), "dev": "dev", "test": ["test"]}},
        "texts": {"limit": 40},
        "teacher": {"model": encoder, "backend": "torch"},
        "train": {"steps": 4, "batch_size": 8, "eval_steps": 2, "log_steps": 2, "held_out": 8},
        "students": {
            "two layers": {"model": encoder, "keep_layers": [0, 2]},
            "static": {"model": "static", "train": {"steps": 2}},
        },
        "bundle": {"onnx": False},
        "evaluate": {"latency_queries": 2},
    }


@pytest.fixture
def recipe(tiny_beir: Path, tiny_encoder: str, tmp_path: Path) -> LeafRecipe:
    return LeafRecipe.model_validate(settings(tiny_beir, tiny_encoder, tmp_path / "run"))


def test_a_whole_run_reports_the_triangle_and_is_not_done_twice(recipe: LeafRecipe) -> None:
    first = Recorder()
    (results,) = run(recipe, progress=first)
    assert [system.name for system in results.systems] == [
        "teacher",
        "BM25",
        "two layers before training",
        "static before training",
        "two layers",
        "two layers asymmetric",
        "static",
        "static asymmetric",
    ]
    assert {found.baseline for found in results.comparisons} == {"teacher"}
    measured = {system.name: system.measures["ndcg_at_10"] for system in results.systems}
    found = {one.student: one for one in triangle.read(recipe.folder)}
    assert found["static"].asymmetric == measured["static asymmetric"]
    assert found["static"].retention["standard"] == pytest.approx(measured["static"] / measured["teacher"])
    students = ["two layers", "two layers asymmetric", "static", "static asymmetric"]
    assert [verdict.student for verdict in results.verdicts] == students
    assert results.conclusions == [verdict.sentence for verdict in results.verdicts]
    for verdict in results.verdicts:
        start = f"{verdict.student.removesuffix(' asymmetric')} before training"
        by_check = {one.check: one for one in verdict.findings}
        assert by_check["bm25"].figures["bm25"] == measured["BM25"]
        assert by_check["untrained"].figures["untrained"] == measured[start]
        assert by_check["teacher"].figures["share"] == pytest.approx(measured[verdict.student] / measured["teacher"])
        assert not verdict.ship, "a handful of queries show nothing"
    page = unescape((recipe.folder / "report.html").read_text())
    assert "<html" in page
    assert page.index("</h1>") < page.index(results.verdicts[0].sentence) < page.index('class="lead"')
    assert json.loads((recipe.folder / "results.json").read_text())["signature"]["recipe"]["kind"] == "leaf"

    again = Recorder()
    run(recipe, progress=again)
    assert again.ran == []

    students = recipe.students | {"static": recipe.students["static"].model_copy(update={"train": {"steps": 3}})}
    third = Recorder()
    run(recipe.model_copy(update={"students": students}), progress=third)
    assert third.ran == [
        "student-static",
        "bundle-static",
        "index-tiny-static",
        "evaluate-tiny-test-static",
        "evaluate-tiny-test-static-asymmetric",
    ]


def test_a_limit_of_documents_that_is_not_given_changes_no_identity() -> None:
    def texts(**given: object) -> dict[str, object]:
        return TextsPart.model_validate(given).decisive()

    assert texts(limit=5) == {"query_split": None, "titles": True, "sentences": True, "limit": 5}
    assert texts(document_limit=0) != texts()


@pytest.mark.usefixtures("torch_alone")
def test_an_interrupted_run_goes_on_with_the_step_it_was_in(recipe: LeafRecipe) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(recipe, progress=Recorder(interrupt="student-two-layers"))
    states = {step.name: (step.done, step.begun) for step in plan(recipe).steps()}
    assert states["embeddings"] == (True, False)
    assert states["student-two-layers"] == (False, True)
    assert states["student-static"] == (False, False)
    second = Recorder()
    run(recipe, progress=second)
    assert second.ran[0] == "student-two-layers"


@pytest.mark.usefixtures("torch_alone")
def test_seeds_train_each_student_several_times_and_the_triangle_has_their_means(recipe: LeafRecipe) -> None:
    seeded = LeafRecipe.model_validate(recipe.model_dump() | {"seeds": [13, 14]})
    recorder = Recorder()
    (results,) = run(seeded, progress=recorder)
    assert [(system.name, system.trainings) for system in results.systems] == [
        ("teacher", 1),
        ("BM25", 1),
        ("two layers before training", 1),
        ("static before training", 1),
        ("two layers", 2),
        ("two layers asymmetric", 2),
        ("static", 2),
        ("static asymmetric", 2),
    ]
    assert {"student-two-layers-seed-13", "student-two-layers-seed-14"} <= {*recorder.ran}
    assert [name for name in recorder.ran if name.startswith("bundle")] == [
        "bundle-two-layers-seed-13",
        "bundle-static-seed-13",
    ]
    measured = {system.name: system.measures["ndcg_at_10"] for system in results.systems}
    found = {one.student: one for one in triangle.read(seeded.folder)}
    assert found["two layers"].asymmetric == measured["two layers asymmetric"]


def test_students_of_one_start_are_one_system_before_training(recipe: LeafRecipe) -> None:
    students = recipe.students | {"longer": recipe.students["two layers"].model_copy(update={"train": {"steps": 3}})}
    more = recipe.model_copy(update={"students": students})
    assert more.starts == {"two layers": "two layers", "static": "static", "longer": "two layers"}
    initial = [step.name for step in plan(more).steps() if step.name.startswith("initial")]
    assert initial == ["initial-two-layers", "initial-static"]


@pytest.mark.parametrize(("named", "said"), [("dense:MODEL", "expected bm25 or"), ("bm25:klingon", "a tokeniser")])
def test_bm25_of_a_recipe_is_looked_at_before_anything_is_run(recipe: LeafRecipe, named: str, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        LeafRecipe.model_validate(recipe.model_dump() | {"evaluate": {"bm25": named}})


def test_no_student_is_called_as_another_system(recipe: LeafRecipe) -> None:
    students = {"a": {"model": "static"}, "A before training": {"model": "static"}}
    with pytest.raises(ValidationError, match="one folder"):
        LeafRecipe.model_validate(recipe.model_dump() | {"students": students})
