"""A recipe with several teachers: each ranks the dev candidates, the best one scores, and the report says so."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml

import rankdistill as rd
from rankdistill.recipe.run import plan, run
from rankdistill.recipe.scores import choice
from rankdistill.recipe.scores.experiment import Experiment
from rankdistill.recipe.scores.schema import Recipe
from rankdistill.training.in_batch import reference
from tests.recipe.recorder import Recorder

pytestmark = pytest.mark.usefixtures("torch_alone")

TEACH = {"steps": 2, "negatives": 2, "batch_size": 4, "max_length": 32}


@pytest.fixture
def content(tiny_beir: Path, tiny_encoder: str, tiny_splade: str, tmp_path: Path) -> dict[str, Any]:
    both = {"members": ["dense", "sparse"]}
    return {
        "name": "tiny",
        "out": str(tmp_path / "run"),
        "data": {"source": str(tiny_beir)},
        "mine": {"depth": 12, "sample": 6},
        "teacher": {
            "candidates": {"dense": tiny_encoder, "sparse": tiny_splade, "both": both},
            "dev_depth": 9,
            "dev_queries": 5,
        },
        "score": {"unit_size": 64, "backend": "torch"},
        "student": {"model": tiny_encoder, "keep_layers": [0, 2]},
        "train": {"steps": 2, "negatives": 2, "batch_size": 4, "eval_steps": 2, "log_steps": 2, "check": "warn"},
        "variants": {"distilled": {}},
        "evaluate": {"rerank_depth": 5, "latency_queries": 2},
    }


def changed(content: dict[str, Any], **teacher: Any) -> Recipe:
    return Recipe.model_validate(content | {"teacher": content["teacher"] | teacher})


def test_the_best_on_dev_scores_the_candidates_and_the_report_tells_all_figures(content: dict[str, Any]) -> None:
    recipe, first = Recipe.model_validate(content), Recorder()
    (results,) = run(recipe, progress=first)
    made = Experiment(recipe)
    assert made.choice is not None
    chosen = made.choice.chosen
    assert list(chosen.values) == ["dense", "sparse", "both"]
    assert chosen.name == max(chosen.values, key=lambda name: chosen.values[name])
    assert (chosen.queries, chosen.split) == (5, "dev")
    choice = next(step for step in made.steps if step.name == "teacher-choice")
    store = rd.open(choice.folder / "scores")
    ids = {name: store.teacher(name) for name in ("dense", "sparse")}
    for name, members in {"dense": ["dense"], "sparse": ["sparse"], "both": ["dense", "sparse"]}.items():
        expected = ndcg(store, [ids[one] for one in members], made.dataset.qrels("dev"))
        assert chosen.values[name] == pytest.approx(expected, abs=1e-6), name
    scored = rd.open(made.scores.folder)
    (teacher,) = scored.teacher_ids
    fingerprint = scored.fingerprint(teacher)
    assert fingerprint["kind"] == {"dense": "embedding", "sparse": "sparse", "both": "ensemble"}[chosen.name]
    assert results.systems[-1].name == f"teacher {chosen.name} re-ranking BM25's 5"
    assert results.conclusions[-1] == chosen.sentence()
    for name, value in chosen.values.items():
        assert f"{name}" in chosen.sentence()
        assert f"{value:.4f}" in chosen.sentence()
    within = store.scores(ids["dense"]).group_by("query_id").agg(pl.col("score").std(ddof=0))["score"].mean()
    assert chosen.deviations["dense"] == pytest.approx(within, rel=1e-4)
    assert chosen.sentence() in (recipe.folder / "report.html").read_text().replace("&#39;", "'")
    again = Recorder()
    run(recipe, progress=again)
    assert again.ran == []


def ndcg(store: Any, teachers: list[str], qrels: dict[str, dict[str, int]]) -> float:
    """Of all documents of each query that the store has, ties by document id downwards as trec_eval's."""
    tables = [store.scores(one) for one in teachers]
    values = []
    for query_id in sorted(set(tables[0]["query_id"])):
        rows = [
            dict(table.filter(table["query_id"] == query_id).select("doc_id", "score").iter_rows()) for table in tables
        ]
        documents = sorted(rows[0])
        scores = np.zeros(len(documents))
        for row in rows:
            own = np.array([row[doc_id] for doc_id in documents])
            scores += (own - own.mean()) / own.std() / len(rows)
        order = sorted(range(len(documents)), key=lambda place: (-scores[place], documents[place]))
        gains = np.array([float(qrels[query_id].get(documents[place], 0)) for place in order])
        ideal = np.sort([float(label) for label in qrels[query_id].values()])[::-1]
        values.append(dcg(gains) / dcg(ideal))
    return float(np.mean(values))


def dcg(gains: np.ndarray) -> float:
    return float((gains[:10] / np.log2(np.arange(2, len(gains[:10]) + 2))).sum())


def test_the_one_that_was_taken_scores_the_pairs_of_the_batch(
    content: dict[str, Any], tiny_encoder: str, tiny_splade: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever it is: a model as it is named, an ensemble in a file with its members' deviations."""
    recipe = Recipe.model_validate(content | {"variants": {"distilled": {"in_batch_teacher": "teacher"}}})
    seen: list[str] = []

    def refer(name: str) -> Any:
        seen.append(name)
        return real(name)

    real = reference.refer
    monkeypatch.setattr(reference, "refer", refer)
    for name, expected in (("sparse", tiny_splade), ("both", str(recipe.folder / "in_batch_teacher.yaml"))):
        monkeypatch.setattr(choice.Choice, "_best", lambda self, store, ids, name=name: taken(name, store, ids))
        shutil.rmtree(recipe.folder, ignore_errors=True)
        run(recipe)
        assert seen[0] == expected
        seen.clear()
    settings = yaml.safe_load((recipe.folder / "in_batch_teacher.yaml").read_text())
    assert settings["members"] == [tiny_encoder, tiny_splade]
    assert settings["deviations"] == [0.5, 2.0]
    log = json.loads((Experiment(recipe).student("distilled").folder / "training_log.json").read_text())
    assert log["in_batch_teacher"].startswith("ensemble-")
    assert log["in_batch_unit"] > 0


def taken(name: str, store: Any, ids: dict[str, str]) -> choice.Chosen:
    """A choice that dev did not make."""
    return choice.Chosen(name, {"dense": 0.1, "sparse": 0.2, "both": 0.3}, 5, "dev", {"dense": 0.5, "sparse": 2.0})


@pytest.mark.parametrize(
    ("teacher", "says"),
    [
        ({"candidates": {"dense": "m", "new": "taught"}}, "reads each pair"),
        ({"candidates": None}, "reads each pair"),
        ({"choose": "both"}, "measured only where `choose` is `best`"),
    ],
)
def test_a_teacher_that_knows_no_other_pairs_cannot_be_that_of_the_batch(
    content: dict[str, Any], teacher: dict[str, Any], says: str
) -> None:
    asking = {"variants": {"distilled": {"in_batch_teacher": "teacher"}}, "teacher": content["teacher"] | teacher}
    with pytest.raises(ValueError, match=says):
        Recipe.model_validate(content | asking)


@pytest.mark.parametrize("name", ["dense", "sparse", "both"])
def test_whichever_is_taken_scores_and_re_ranks(content: dict[str, Any], name: str) -> None:
    """Named, nothing is judged: no dev split is needed."""
    recipe = Recipe.model_validate(
        changed(content, choose=name).model_dump() | {"data": content["data"] | {"dev": None}}
    )
    recorder = Recorder()
    (results,) = run(recipe, progress=recorder)
    assert not {"dev-candidates", "teacher-choice"} & set(recorder.ran)
    scored = rd.open(Experiment(recipe).scores.folder)
    (teacher,) = scored.teacher_ids
    assert scored.fingerprint(teacher)["kind"] == {"dense": "embedding", "both": "ensemble"}.get(name, name)
    assert results.systems[-1].name == f"teacher {name} re-ranking BM25's 5"
    assert results.conclusions[-1] == f"The teacher is {name}, as the recipe says."


def test_a_cross_encoder_is_taught_where_a_candidate_uses_it(content: dict[str, Any], tiny_encoder: str) -> None:
    candidates = {"dense": tiny_encoder, "new": "taught", "sum": {"members": ["dense", "new"], "weights": [2, 1]}}
    recipe = changed(content, candidates=candidates, base=tiny_encoder, teach=TEACH)
    recorder = Recorder()
    run(recipe, progress=recorder)
    assert recorder.ran.index("teacher") < recorder.ran.index("teacher-choice")
    made = Experiment(recipe)
    assert made.choice is not None
    assert set(made.choice.chosen.values) == set(candidates)
    names = {
        name: [step.name for step in plan(changed(content, candidates=candidates, choose=name)).steps()]
        for name in candidates
    }
    assert ["teacher" in steps for steps in names.values()] == [False, True, True]


def test_what_decides_the_choice_decides_what_follows(
    content: dict[str, Any], tiny_encoder: str, tmp_path: Path
) -> None:
    def key(**teacher: Any) -> str:
        return Experiment(changed(content, **teacher)).scores.key

    (tmp_path / "moved").symlink_to(tiny_encoder)
    candidates = content["teacher"]["candidates"]
    assert key(candidates=candidates | {"dense": str(tmp_path / "moved")}) == key()
    both = {"members": ["dense", "sparse"], "weights": [1.0, 2.0]}
    keys = [
        key(),
        key(dev_depth=8),
        key(dev_queries=4),
        key(choose="both"),
        key(choose="dense"),
        key(candidates=candidates | {"both": both}),
        key(candidates={"dense": tiny_encoder}),
    ]
    assert len(set(keys)) == len(keys)


def test_an_interrupted_choice_goes_on(content: dict[str, Any]) -> None:
    recipe = Recipe.model_validate(content)
    with pytest.raises(KeyboardInterrupt):
        run(recipe, progress=Recorder(interrupt="teacher-choice"))
    states = {step.name: (step.done, step.begun) for step in plan(recipe).steps()}
    assert states["dev-candidates"] == (True, False)
    assert states["teacher-choice"] == (False, True)
    second = Recorder()
    run(recipe, progress=second)
    assert second.ran[0] == "teacher-choice"
    choice = next(step for step in Experiment(recipe).steps if step.name == "teacher-choice")
    assert json.loads((choice.folder / "choice.json").read_text())["queries"] == 5


@pytest.mark.parametrize(
    ("teacher", "says"),
    [
        ({"model": "m"}, "leave one of the two out"),
        ({"candidates": None, "choose": "dense"}, "name `candidates`"),
        ({"choose": "other"}, "`best`, or one of dense, sparse, both"),
        ({"candidates": {"best": "m"}}, "call it something else"),
        ({"candidates": {"../a": "m"}}, "no name"),
        ({"candidates": {"a": "m", "b": {"members": ["a", "c"]}}}, "'c' is none of the single ones"),
        ({"candidates": {"a": "m", "b": {"members": ["a", "a"]}}}, "each member once"),
        ({"candidates": {"a": "m", "b": {"members": ["a"]}}}, "at least 2"),
        ({"candidates": {"a": "m", "c": "n", "b": {"members": ["a", "c"], "weights": [1]}}}, "so 2"),
        ({"candidates": {"a": "m", "c": "n", "b": {"members": ["a", "c"], "weights": [1, 0]}}}, "above 0"),
        ({"dev_depth": 0}, "dev_depth"),
    ],
)
def test_candidates_that_cannot_be_are_refused(content: dict[str, Any], teacher: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        changed(content, **teacher)


def test_the_best_needs_a_dev_split(content: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"judged on data\.dev"):
        Recipe.model_validate(content | {"data": content["data"] | {"dev": None}})
