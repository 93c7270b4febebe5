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
from rankdistill.errors import ConfigError, WorseTeacherError
from rankdistill.recipe.run import plan, run
from rankdistill.recipe.scores import choice
from rankdistill.recipe.scores.experiment import Experiment
from rankdistill.recipe.scores.schema import Recipe
from rankdistill.recipe.steps import execute, present
from rankdistill.teachers.teaching import beside
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


def trained(recipe: Recipe) -> Experiment:
    """The steps of a recipe up to its first student, done."""
    made = Experiment(recipe)
    execute(
        [made.candidates, *made.teaching, made.scores, *present(made.initial), made.student("distilled")], Recorder()
    )
    return made


@pytest.mark.parametrize("name", ["sparse", "both"])
def test_the_teacher_of_the_batch_reads_as_much_as_the_one_that_scored(
    content: dict[str, Any], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """One of the candidates, or an ensemble of some: its scores of a batch are those that the store would have."""
    score = content["score"] | {"max_length": 8}
    given = content | {"score": score, "variants": {"distilled": {"in_batch_teacher": "teacher"}}}
    recipe = Recipe.model_validate(given)
    monkeypatch.setattr(choice.Choice, "_best", lambda self, store, ids: taken(name, store, ids))
    made = trained(recipe)
    file = recipe.folder / "in_batch_teacher.yaml"
    assert yaml.safe_load(file.read_text())["max_length"] == 8
    queries, documents = list(made.dataset.queries("train").values())[:3], list(made.dataset.contents.values())[:4]
    assert max(len(text.split()) for text in documents) > 8, "the length cuts"
    found = reference.refer(str(file)).open(recipe.folder / "kept")
    found.know(queries, "query")
    found.know(documents, "document")
    scored = rd.open(made.scores.folder)
    if name == "sparse":
        (teacher,) = scored.teacher_ids
        assert found.teacher_id == teacher
        log = json.loads((made.student("distilled").folder / "training_log.json").read_text())
        assert log["in_batch_teacher"] == teacher
        assert log["in_batch_unit"] == pytest.approx(1, rel=1e-6)
    pairs = [(query, document) for query in queries for document in documents]
    wanted, factors = np.zeros(12), {"dense": 0.5 / 0.5, "sparse": 0.5 / 2.0} if name == "both" else {"sparse": 1.0}
    for one, factor in factors.items():
        short = rd.teachers.load(content["teacher"]["candidates"][one], backend="torch", max_length=8)
        wanted += factor * short.score(pairs)
    np.testing.assert_allclose(found.scores(queries, documents).ravel(), wanted, rtol=1e-4, atol=1e-5)
    whole = Experiment(Recipe.model_validate(given | {"score": content["score"]})).student("distilled")
    assert whole.settings["in_batch_teacher"] != made.student("distilled").settings["in_batch_teacher"]


def test_a_single_ready_teacher_of_the_batch_has_the_kind_and_length_of_the_one_that_scored(
    content: dict[str, Any], tiny_splade: str
) -> None:
    """A masked language model looks sparse, and may be asked for as another kind."""
    teacher = {"model": tiny_splade, "kind": "embedding"}
    given = content | {"teacher": teacher, "score": content["score"] | {"max_length": 8}}
    recipe = Recipe.model_validate(given | {"variants": {"distilled": {"in_batch_teacher": "teacher"}}})
    made = trained(recipe)
    settings = yaml.safe_load((recipe.folder / "in_batch_teacher.yaml").read_text())
    assert settings == {"kind": "embedding", "model": tiny_splade, "backend": "torch", "max_length": 8}
    log = json.loads((made.student("distilled").folder / "training_log.json").read_text())
    assert [log["in_batch_teacher"]] == list(rd.open(made.scores.folder).teacher_ids)
    assert log["in_batch_unit"] == pytest.approx(1, rel=1e-6)


@pytest.mark.parametrize(
    "teacher",
    [
        {"model": "CROSS"},
        {"candidates": {"dense": "DENSE", "pairs": "CROSS"}},
        {"candidates": {"dense": "DENSE", "pairs": "CROSS"}, "choose": "pairs"},
        {"candidates": {"dense": "DENSE", "pairs": "CROSS", "both": {"members": ["dense", "pairs"]}}},
        {"model": "DENSE", "kind": "cross_encoder"},
        {"model": "FILE"},
    ],
)
def test_a_ready_teacher_that_reads_pairs_is_refused_as_that_of_the_batch_before_the_first_step(
    content: dict[str, Any], tiny_encoder: str, tiny_cross_encoder: str, tmp_path: Path, teacher: dict[str, Any]
) -> None:
    (tmp_path / "file.yaml").write_text(f"kind: cross_encoder\nmodel: {tiny_cross_encoder}\n")
    names = {"CROSS": tiny_cross_encoder, "DENSE": tiny_encoder, "FILE": str(tmp_path / "file.yaml")}
    text = json.dumps(content | {"variants": {"distilled": {"in_batch_teacher": "teacher"}}, "teacher": teacher})
    for name, value in names.items():
        text = text.replace(f'"{name}"', json.dumps(value))
    recipe, recorder = Recipe.model_validate(json.loads(text)), Recorder()
    with pytest.raises(ConfigError, match="a teacher of the kind cross_encoder"):
        run(recipe, progress=recorder)
    assert recorder.ran == []
    plain = json.loads(text) | {"variants": {"distilled": {}}}
    assert plan(Recipe.model_validate(plain)).steps(), "as a teacher of the stored scores it may be any"


def test_a_candidate_that_reads_pairs_and_cannot_be_taken_is_no_fault(
    content: dict[str, Any], tiny_encoder: str, tiny_cross_encoder: str
) -> None:
    candidates = {"dense": tiny_encoder, "pairs": tiny_cross_encoder}
    recipe = changed(content, candidates=candidates, choose="dense")
    asking = recipe.model_dump() | {"variants": {"distilled": {"in_batch_teacher": "teacher"}}}
    assert plan(Recipe.model_validate(asking)).steps()


@pytest.mark.parametrize("named", [False, True])
def test_a_taught_teacher_that_dev_shows_to_be_worse_ends_the_run_before_it_scores_and_is_kept(
    content: dict[str, Any], tiny_encoder: str, monkeypatch: pytest.MonkeyPatch, named: bool
) -> None:
    """Only what was measured is replaced: what a tiny model is worth is chance."""
    beside_it = {"sources": {"bm25": 0.774}, "base": {"as": "an encoder", "value": 0.5}}
    asked: list[tuple[Any, ...]] = []

    def measure(*given: Any) -> dict[str, Any]:
        asked.append(given)
        return {"split": "dev", "queries": 5, "teacher": 0.219, **beside_it}

    monkeypatch.setattr(beside, "measure", measure)
    candidates = {"candidates": {"dense": tiny_encoder, "new": "taught"}, "choose": "new"} if named else {}
    teacher: dict[str, Any] = {"base": tiny_encoder, "teach": TEACH, "dev_depth": 9, "dev_queries": 5} | candidates
    first, again, after = Recorder(), Recorder(), Recorder()
    for recorder in (first, again):
        with pytest.raises(WorseTeacherError, match=r"worse than bm25 \(0\.7740\)[\s\S]*teacher\.allow_worse"):
            run(Recipe.model_validate(content | {"teacher": teacher}), progress=recorder)
    assert first.ran == ["candidates", "dev-candidates", "teacher"]
    assert again.ran == [], "the teacher is kept, and so is what was found of it"
    _, dataset, split, ranked, limit, _ = asked[0]
    assert (split, limit) == ("dev", 100)
    assert set(ranked["query_id"]) < set(dataset.queries("dev"))
    assert ranked["query_id"].n_unique() == 5
    made = Experiment(Recipe.model_validate(content | {"teacher": teacher | {"allow_worse": True}}))
    execute([made.candidates, *made.teaching, made.scores], after)
    assert after.ran == ["scores"]
    assert len(asked) == 1


def test_a_taught_candidate_that_is_not_taken_may_be_worse(
    content: dict[str, Any], tiny_encoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = {"split": "dev", "queries": 5, "teacher": 0.2, "sources": {"bm25": 0.7}, "base": {"as": "an encoder"}}
    monkeypatch.setattr(beside, "measure", lambda *given: measured)
    recipe = changed(
        content, candidates={"dense": tiny_encoder, "new": "taught"}, choose="best", base=tiny_encoder, teach=TEACH
    )
    for name in ("new", "dense"):
        found = choice.Chosen(name, {"dense": 0.3, "new": 0.2}, 5, "dev", {"dense": 1.0, "new": 1.0})
        monkeypatch.setattr(choice.Choice, "_best", lambda self, store, ids, found=found: found)
        made = Experiment(recipe)
        if name == "new":
            with pytest.raises(WorseTeacherError):
                execute(made.steps, Recorder())
            assert made.choice is not None
            shutil.rmtree(made.choice.steps[0].folder)
        else:
            execute([*made.teaching, made.scores], Recorder())
            assert made.scores.done


def test_without_a_dev_split_a_taught_teacher_is_compared_with_nothing(
    content: dict[str, Any], tiny_encoder: str
) -> None:
    teacher = {"base": tiny_encoder, "teach": TEACH}
    recipe = Recipe.model_validate(content | {"teacher": teacher, "data": content["data"] | {"dev": None}})
    assert [step.name for step in Experiment(recipe).teaching] == ["teacher"]
    ready = Recipe.model_validate(content | {"teacher": {"model": tiny_encoder}})
    assert Experiment(ready).teaching == [], "nor is a ready one"


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
    recipe = changed(content, candidates=candidates, base=tiny_encoder, teach=TEACH, allow_worse=True)
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
        ({"kind": "sparse"}, "kind of its own is a YAML file"),
    ],
)
def test_candidates_that_cannot_be_are_refused(content: dict[str, Any], teacher: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        changed(content, **teacher)


def test_the_best_needs_a_dev_split(content: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"judged on data\.dev"):
        Recipe.model_validate(content | {"data": content["data"] | {"dev": None}})
