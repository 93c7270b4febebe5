"""A recipe whose training queries are made of the documents."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rankdistill.data import load
from rankdistill.errors import ConfigError
from rankdistill.recipe import loading
from rankdistill.recipe.run import run
from rankdistill.recipe.scores.experiment import Experiment
from rankdistill.recipe.scores.schema import Recipe
from tests.recipe.recorder import Recorder

pytestmark = pytest.mark.usefixtures("torch_alone")


@pytest.fixture
def settings(tiny_beir: Path, tiny_encoder: str, tmp_path: Path) -> dict[str, Any]:
    return {
        "name": "tiny",
        "out": str(tmp_path / "run"),
        "data": {"source": str(tiny_beir)},
        "queries": {"generators": ["titles", {"kind": "spans", "longest": 5}], "per_document": 1},
        "mine": {"sources": ["bm25", f"dense:{tiny_encoder}"], "depth": 8},
        "teacher": {"model": tiny_encoder},
        "score": {"backend": "torch"},
        "student": {"model": tiny_encoder, "keep_layers": [0, 2]},
        "train": {"steps": 2, "negatives": 2, "batch_size": 4, "eval_steps": 2, "log_steps": 2, "check": "off"},
        "variants": {"distilled": {}},
        "evaluate": {"rerank_depth": 0, "latency_queries": 0},
    }


def test_a_run_trains_on_generated_queries_and_reports_on_the_collections_own(
    settings: dict[str, Any], tiny_beir: Path
) -> None:
    recorder = Recorder()
    recipe = Recipe.model_validate(settings)
    (results,) = run(recipe, progress=recorder)
    assert recorder.ran.index("queries") < recorder.ran.index("candidates")
    assert results.queries == len(load(tiny_beir).qrels("test"))
    experiment = Experiment(recipe)
    assert experiment.dataset.qrels("test") == load(tiny_beir).qrels("test")
    assert all(one.startswith("generated-") for one in experiment.dataset.qrels("train"))
    again = Recorder()
    run(recipe, progress=again)
    assert again.ran == []


def test_what_decides_the_queries_decides_the_steps_that_follow(settings: dict[str, Any], tiny_beir: Path) -> None:
    def keys(**queries: Any) -> dict[str, str]:
        recipe = Recipe.model_validate(settings | {"queries": settings["queries"] | queries})
        return {step.name: step.key for step in Experiment(recipe).steps}

    first = keys()
    assert keys() == first
    for changed in ({"per_document": 2}, {"round_trip": 3}, {"teacher": "bm25:words"}, {"generators": ["titles"]}):
        other = keys(**changed)
        assert {name for name, key in other.items() if key == first[name]} == {"initial"}
    qrels = tiny_beir / "qrels" / "train.tsv"
    qrels.write_text("".join(qrels.read_text().splitlines(keepends=True)[:-1]))
    assert keys() == first
    qrels = tiny_beir / "qrels" / "dev.tsv"
    qrels.write_text("".join(qrels.read_text().splitlines(keepends=True)[:-1]))
    assert keys() != first


def test_a_recipe_without_queries_has_the_steps_that_it_had(settings: dict[str, Any], tiny_beir: Path) -> None:
    experiment = Experiment(Recipe.model_validate(settings | {"queries": None}))
    assert [step.name for step in experiment.steps] == [
        "candidates",
        "scores",
        "initial",
        "index-initial",
        "student-distilled",
        "index-distilled",
    ]
    assert experiment.dataset.path == tiny_beir


@pytest.mark.parametrize("wrong", [{"generators": ["no_such"]}, {"shortest": 9, "longest": 3}, {"no_such": 1}])
def test_settings_that_no_generator_takes_are_refused_when_the_recipe_is_read(
    settings: dict[str, Any], wrong: dict[str, Any]
) -> None:
    with pytest.raises(ConfigError, match="queries"):
        loading.parse(settings | {"queries": wrong}, "here")


def test_the_shipped_recipe_is_read() -> None:
    recipe = loading.expect(loading.load("gpl"), Recipe)
    assert recipe.queries is not None
    assert len(recipe.mine.sources) == 2
