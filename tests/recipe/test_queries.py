"""A recipe whose training queries are made of the documents."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import rankdistill
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


@pytest.mark.parametrize("judged", [(), ("dev", "test")], ids=["log alone", "judged beside"])
def test_a_run_trains_on_the_queries_of_a_log_and_reports_on_others(
    judged: tuple[str, ...], settings: dict[str, Any], tiny_beir: Path
) -> None:
    log = set(load(tiny_beir).queries("train"))
    for split in {"train", "dev", "test"} - {*judged}:
        (tiny_beir / "qrels" / f"{split}.tsv").unlink()
    wanted = log if judged else set(load(tiny_beir).query_texts)
    settings["data"] |= {"train": "unjudged", "dev": None}
    settings["train"] |= {"unlabelled": "top"}
    if judged:
        del settings["queries"]
    else:
        settings["queries"] |= {"test": 6}
    recipe = Recipe.model_validate(settings)
    (results,) = run(recipe)
    made = Experiment(recipe)
    candidates = rankdistill.open(made.candidates.folder)
    assert set(candidates.to_polars()["query_id"]) == wanted
    assert {one.startswith("generated-") for one in made.dataset.qrels("test")} == {not judged}
    assert results.queries == len(made.dataset.qrels("test"))
    student = rankdistill.open(made.student("distilled").folder)
    assert student.log["view"]["declared_positives"] > 0
    (tiny_beir / "queries.jsonl").write_text(
        (tiny_beir / "queries.jsonl").read_text() + '{"_id": "new", "text": "a"}\n'
    )
    changed = Experiment(recipe)
    assert changed.candidates.key != made.candidates.key


def test_judged_queries_are_put_aside_and_nothing_is_trained_on_them(settings: dict[str, Any], tiny_beir: Path) -> None:
    for split in ("dev", "test"):
        (tiny_beir / "qrels" / f"{split}.tsv").unlink()
    del settings["queries"]
    settings["data"] |= {"hold_out": {"dev": 3, "test": 4}}
    recipe = Recipe.model_validate(settings)
    (results,) = run(recipe)
    made = Experiment(recipe)
    parts = {split: set(made.dataset.qrels(split)) for split in ("train", "dev", "test")}
    assert {split: len(ids) for split, ids in parts.items()} == {"train": 5, "dev": 3, "test": 4}
    assert set.union(*parts.values()) == set(load(tiny_beir).qrels("train"))
    assert results.queries == 4
    assert set(rankdistill.open(made.candidates.folder).to_polars()["query_id"]) == parts["train"]
    again = Recorder()
    run(recipe, progress=again)
    assert again.ran == []
    settings["data"]["hold_out"] = {"dev": 3, "test": 5}
    assert Experiment(Recipe.model_validate(settings)).candidates.key != made.candidates.key


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"train": "unjudged", "hold_out": {"dev": 1}}, "no judgements"),
        ({"dev": None, "hold_out": {"dev": 1}}, "name data.dev"),
        ({"train": "test", "hold_out": {"test": 1}}, "put aside of itself"),
    ],
)
def test_what_cannot_be_put_aside_is_refused_when_the_recipe_is_read(
    data: dict[str, Any], said: str, settings: dict[str, Any]
) -> None:
    with pytest.raises(ConfigError, match=said):
        loading.parse(settings | {"data": settings["data"] | data}, "r.yaml")
