"""A run of two stages: what it reports, what a change of a stage makes anew, and what it refuses before it starts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import rankdistill
from rankdistill.errors import ConfigError, SpaceMismatchError
from rankdistill.recipe import loading
from rankdistill.recipe.run import plan, run
from rankdistill.recipe.staged.experiment import StagedExperiment
from rankdistill.recipe.staged.run import StagedRun
from rankdistill.recipe.staged.schema import StagedRecipe
from tests.recipe.recorder import Recorder

pytestmark = pytest.mark.usefixtures("torch_alone")

STEPS = {"steps": 2, "batch_size": 4, "eval_steps": 2, "log_steps": 2}


def settings(data: Path, encoder: str, out: Path) -> dict[str, Any]:
    return {
        "kind": "staged",
        "name": "tiny",
        "out": str(out),
        "data": {"source": str(data), "dev": None},
        "texts": {"titles": False, "sentences": False},
        "space": {"model": encoder, "backend": "torch"},
        "student": {"model": encoder, "keep_layers": [0, 2]},
        "align": {**STEPS, "held_out": 8},
        "mine": {"depth": 12},
        "teacher": {"model": encoder},
        "score": {"unit_size": 512, "backend": "torch"},
        "train": {**STEPS, "negatives": 2},
        "variants": {"staged": {}, "contrastive": {"start": "cut", "train": {"loss": "contrastive"}}},
        "evaluate": {"rerank_depth": 5, "latency_queries": 0},
    }


@pytest.fixture
def content(tiny_beir: Path, tiny_encoder: str, tmp_path: Path) -> dict[str, Any]:
    return settings(tiny_beir, tiny_encoder, tmp_path / "run")


@pytest.fixture
def recipe(content: dict[str, Any]) -> StagedRecipe:
    return StagedRecipe.model_validate(content)


def test_queries_that_are_trained_on_are_aligned_whatever_their_split_is_called(content: dict[str, Any]) -> None:
    assert StagedRecipe.model_validate(content).embedded.query_split is None
    content["data"] |= {"train": "gold"}
    assert StagedRecipe.model_validate(content).embedded.query_split == "gold"
    content["texts"] |= {"query_split": "log"}
    assert StagedRecipe.model_validate(content).embedded.query_split == "log"


def test_the_model_of_the_space_stands_for_the_teacher_only_where_it_is_that(
    content: dict[str, Any], tiny_cross_encoder: str, tmp_path: Path
) -> None:
    """A verdict would be about another teacher than the one whose scores were learnt."""
    settings = tmp_path / "teacher.yaml"
    settings.write_text(f"kind: cross_encoder\nmodel: {tiny_cross_encoder}\n")
    for model, same in ((content["teacher"]["model"], True), (str(settings), False), (tiny_cross_encoder, False)):
        content["teacher"] = {"model": model}
        assert StagedRun(StagedRecipe.model_validate(content))._is_of_space() is same, model


def test_a_whole_run_has_both_stages_in_one_report_and_is_not_done_twice(recipe: StagedRecipe) -> None:
    first = Recorder()
    (results,) = run(recipe, progress=first)
    assert [system.name for system in results.systems] == [
        "BM25",
        "student before training",
        "embedding teacher",
        "alignment alone",
        "staged",
        "contrastive",
        "teacher re-ranking BM25's 5",
    ]
    assert {found.baseline for found in results.comparisons} == {"student before training"}
    assert [verdict.student for verdict in results.verdicts] == ["staged", "contrastive"]
    assert [sentence.split(" ")[0] for sentence in results.conclusions] == ["Refuse", "Refuse", "alignment"]
    assert results.conclusions[2].startswith("alignment alone: nDCG@10 ")
    assert "of teacher re-ranking BM25's 5" in results.conclusions[2]
    costs = {system.name: (system.teacher_seconds, system.teacher_pairs) for system in results.systems}
    assert costs["BM25"] == costs["embedding teacher"] == (None, None)
    assert costs["alignment alone"][1] is None
    assert costs["staged"][0] == pytest.approx(costs["contrastive"][0] + costs["alignment alone"][0])
    assert costs["staged"][1] == costs["contrastive"][1] > 0
    written = json.loads((recipe.folder / "results.json").read_text())
    assert written["signature"]["recipe"]["kind"] == "staged"

    again = Recorder()
    run(recipe, progress=again)
    assert again.ran == []

    changed = recipe.model_copy(update={"align": recipe.align.model_copy(update={"learning_rate": 3e-4})})
    third = Recorder()
    run(changed, progress=third)
    assert third.ran == [
        "aligned",
        "index-aligned",
        "student-staged",
        "index-staged",
        "evaluate-test-alignment-alone",
        "evaluate-test-staged",
    ], "what the first stage decides, and nothing else"


def test_a_student_starts_from_the_stage_that_its_variant_names(recipe: StagedRecipe) -> None:
    made = StagedExperiment(recipe)
    (aligned,) = map(made.aligned, recipe.alignments)
    assert [step.name for step in made.scored.student("staged").needs] == ["scores", "aligned"]
    assert [step.name for step in made.scored.student("contrastive").needs] == ["scores", "initial"]
    assert made.start("staged") is not None
    assert made.scored.student("staged").needs[1].key == aligned.key


def test_the_vectors_of_the_first_stage_are_the_batchs_teacher_where_the_recipe_says_so(
    content: dict[str, Any], tmp_path: Path
) -> None:
    word = "embeddings"
    content["variants"] = {
        "margins": {"train": {"in_batch_teacher": word}},
        "in space": {"train": {"alignment_teacher": word, "alignment_weight": 1.0}},
        "labels": {"train": {"in_batch_teacher": word, "loss": "contrastive"}},
    }
    made = StagedExperiment(StagedRecipe.model_validate(content))
    needs = {name: [step.name for step in made.scored.student(name).needs] for name in content["variants"]}
    both = ["scores", "aligned", "embeddings"]
    assert needs == {"margins": both, "in space": both, "labels": ["scores", "aligned"]}, "where they are read"
    moved = StagedExperiment(StagedRecipe.model_validate(content | {"out": str(tmp_path / "elsewhere")}))
    assert moved.scored.student("margins").key == made.scored.student("margins").key
    content["texts"]["limit"] = 10
    with pytest.raises(ConfigError, match=r"texts\.limit"):
        loading.parse(content, "r.yaml")


def test_the_teacher_whose_vectors_there_are_scores_with_these(
    recipe: StagedRecipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def interrupted(data: object, teacher: str, *rest: object, **settings: object) -> None:
        asked.append(teacher)
        raise KeyboardInterrupt

    monkeypatch.setattr("rankdistill.verbs.score.score", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(recipe)
    made = StagedExperiment(recipe)
    assert made.embeddings is not None
    assert asked == [str(made.embeddings.folder)]
    same = made.scored.teacher_settings()
    assert made.holds_vectors_of(recipe.space.model, same)
    for other in ({"backend": "fast"}, {"max_length": 16}, {"kind": "sparse"}):
        assert not made.holds_vectors_of(recipe.space.model, same | other)


@pytest.mark.slow
def test_a_student_that_stays_near_to_the_vectors_of_the_first_stage_keeps_their_space(content: dict[str, Any]) -> None:
    content["variants"] = {"in space": {"train": {"alignment_teacher": "embeddings", "alignment_weight": 1.0}}}
    content["evaluate"] |= {"embedding_teacher": False, "rerank_depth": 0}
    run(content)
    made = StagedExperiment(StagedRecipe.model_validate(content))
    assert rankdistill.open(made.scored.student("in space").folder).log["space"]["kept"]


def test_an_interrupted_run_whose_first_stage_changed_is_made_anew(recipe: StagedRecipe) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(recipe, progress=Recorder(interrupt="student-staged"))
    states = {step.name: (step.done, step.begun) for step in plan(recipe).steps()}
    assert states["aligned"] == (True, False)
    assert states["student-staged"] == (False, True)
    changed = recipe.model_copy(update={"align": recipe.align.model_copy(update={"steps": 4})})
    states = {step.name: (step.done, step.begun) for step in plan(changed).steps()}
    assert states["embeddings"] == states["scores"] == (True, False)
    assert states["aligned"] == states["student-staged"] == (False, False)


@pytest.mark.slow
def test_seeds_train_both_stages_and_each_student_starts_from_the_alignment_of_its_seed(
    content: dict[str, Any],
) -> None:
    content["evaluate"]["rerank_depth"] = 0
    seeded = StagedRecipe.model_validate(content | {"seeds": [13, 14]})
    made = StagedExperiment(seeded)
    assert [made.start(f"staged seed {seed}").name for seed in (13, 14)] == ["aligned-seed-13", "aligned-seed-14"]  # type: ignore[union-attr]
    assert [seeded.align_config(name).seed for name in seeded.alignments] == [13, 14]
    assert made.start("contrastive seed 13") is None
    (results,) = run(seeded, progress=Recorder())
    assert {system.name: system.trainings for system in results.systems if system.trainings > 1} == {
        "alignment alone": 2,
        "staged": 2,
        "contrastive": 2,
    }
    assert len(results.conclusions) == 3
    assert all(" of embedding teacher, " in sentence for sentence in results.conclusions), "none re-ranks"


@pytest.mark.slow
def test_the_baseline_is_whatever_system_the_recipe_names(content: dict[str, Any]) -> None:
    content |= {"baseline": "alignment alone", "variants": {"staged": {}}}
    content["evaluate"] |= {"embedding_teacher": False, "rerank_depth": 0}
    (results,) = run(content)
    assert [system.name for system in results.systems] == [
        "BM25",
        "student before training",
        "alignment alone",
        "staged",
    ]
    assert {found.baseline for found in results.comparisons} == {"alignment alone"}


def test_a_store_of_vectors_that_is_there_is_taken_and_one_of_another_teacher_is_refused(
    content: dict[str, Any], tiny_beir: Path, tiny_encoder: str, tmp_path: Path
) -> None:
    store = rankdistill.embed(tiny_beir, tiny_encoder, tmp_path / "vectors", backend="torch")
    content["space"] = {"model": tiny_encoder, "store": str(store.path)}
    named = StagedRecipe.model_validate(content)
    assert "embeddings" not in {step.name for step in plan(named).steps()}
    before = StagedExperiment(named).aligned("alignment alone").key
    rankdistill.embed(None, tiny_encoder, store.path, texts=_file(tmp_path, "one more text"), backend="torch")
    assert StagedExperiment(named).aligned("alignment alone").key != before

    other = rankdistill.train(tiny_beir, *_scored(tiny_beir, tiny_encoder, tmp_path), tmp_path / "other", **STEPS)
    content["space"] = {"model": str(other.path), "store": str(store.path)}
    recorder = Recorder()
    with pytest.raises(SpaceMismatchError, match=r"as space.model says[\s\S]*other weights"):
        run(content, progress=recorder)
    assert recorder.ran == []
    content["space"]["store"] = str(tmp_path / "none")
    with pytest.raises(rankdistill.errors.RankdistillError, match="none"):
        run(content)


def _file(folder: Path, text: str) -> str:
    (folder / "texts.txt").write_text(f"{text}\n")
    return f"document={folder / 'texts.txt'}"


def _scored(data: Path, encoder: str, folder: Path) -> tuple[Path, str]:
    mined = rankdistill.mine(data, folder / "mined", split="train", depth=12)
    rankdistill.score(data, encoder, mined, folder / "scored", backend="torch")
    return folder / "scored", encoder


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"variants": {}}, "at least one student"),
        ({"variants": {"alignment alone": {}}}, "one folder"),
        ({"variants": {"Embedding teacher": {}}}, "one folder"),
        ({"variants": {"a": {"start": "middle"}}}, "variants.a.start"),
        ({"variants": {"a": {"train": {"los": "x"}}}}, "los"),
        ({"variants": {"a": {"train": {"type": "splade"}}}}, "dense, not splade"),
        ({"variants": {"a": {"start": "cut", "train": {"type": "cross-encoder"}}}}, "no index holds"),
        ({"seeds": [1, 1]}, "each once"),
        ({"seeds": [1, 2], "variants": {"a": {"train": {"seed": 3}}}}, "a seed of its own"),
        ({"baseline": "nobody"}, "no system of this run"),
        ({"student": {"model": "static"}}, "start from a model"),
        ({"align": {"loss": "leef"}}, "align.loss"),
        ({"mine": {"ranks": "1:60"}}, "ranks within the depth 50"),
    ],
)
def test_what_the_run_cannot_have_is_refused_before_it_starts(
    changes: dict[str, Any], said: str, content: dict[str, Any]
) -> None:
    with pytest.raises(ConfigError, match=said):
        loading.parse(content | changes, "r.yaml")
