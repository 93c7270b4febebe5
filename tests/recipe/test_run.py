"""A run does what is stale, once; it goes on where it was interrupted; a changed setting redoes what follows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sentence_transformers import SparseEncoder

import rankdistill
from rankdistill import manifest
from rankdistill.errors import ConfigError
from rankdistill.indexing import load
from rankdistill.indexing.recipes import IndexRecipe
from rankdistill.recipe.run import plan, run
from rankdistill.recipe.scores.experiment import Experiment
from rankdistill.recipe.scores.schema import Recipe
from tests.recipe.recorder import Recorder

pytestmark = pytest.mark.usefixtures("torch_alone")


@pytest.fixture
def recipe(tiny_beir: Path, tiny_encoder: str, tmp_path: Path) -> Recipe:
    return Recipe.model_validate(
        {
            "name": "tiny",
            "out": str(tmp_path / "run"),
            "data": {"source": str(tiny_beir)},
            "mine": {"depth": 12},
            "teacher": {
                "base": tiny_encoder,
                "teach": {"steps": 2, "negatives": 2, "batch_size": 4, "max_length": 32},
                "allow_worse": True,  # what a tiny model is worth is chance
            },
            "score": {"unit_size": 32, "backend": "torch"},
            "student": {"model": tiny_encoder, "keep_layers": [0, 2]},
            "train": {"steps": 4, "negatives": 2, "batch_size": 4, "eval_steps": 2, "log_steps": 2},
            "variants": {"distilled": {}, "contrastive": {"loss": "contrastive"}},
            "evaluate": {"rerank_depth": 5, "latency_queries": 2},
        }
    )


def test_a_whole_run_reports_every_system_and_is_not_done_twice(recipe: Recipe) -> None:
    first = Recorder()
    reports = run(recipe, progress=first)
    (results,) = reports
    assert [system.name for system in results.systems] == [
        "BM25",
        "student before training",
        "distilled",
        "contrastive",
        "teacher re-ranking BM25's 5",
    ]
    assert all(0 <= system.measures["ndcg_at_10"] <= 1 for system in results.systems)
    assert {found.baseline for found in results.comparisons} == {"student before training"}
    assert results.tables()[1].title == "nDCG@10 minus that of student before training"
    assert "against student before training" in repr(results)
    distilled = results.systems[2]
    assert distilled.teacher_pairs
    assert distilled.teacher_seconds is not None
    assert results.systems[1].teacher_pairs is None
    (distilled_sentence, contrastive_sentence) = results.conclusions
    value = distilled.measures["ndcg_at_10"]
    assert distilled_sentence.startswith("Refuse distilled, which 6 judged queries cannot show")
    assert f": nDCG@10 {value:.3f}, " in distilled_sentence
    assert " of teacher re-ranking BM25's 5, " in distilled_sentence
    assert " a query (" in distilled_sentence
    assert " MB of weights" in distilled_sentence
    assert contrastive_sentence.startswith("Refuse contrastive, which ")
    assert [verdict.student for verdict in results.verdicts] == ["distilled", "contrastive"]
    assert all(verdict.finding("teacher").judged for verdict in results.verdicts)
    assert reports.lines() == [distilled_sentence, contrastive_sentence, str(recipe.folder / "report.html")]
    written = json.loads((recipe.folder / "results.json").read_text())
    assert written["conclusions"] == results.conclusions
    assert written["signature"]["recipe"]["name"] == "tiny"
    assert "<html" in (recipe.folder / "report.html").read_text()

    again = Recorder()
    run(recipe, progress=again)
    assert again.ran == []

    changed = recipe.model_copy(update={"train": recipe.train.model_copy(update={"steps": 6})})
    third = Recorder()
    run(changed, progress=third)
    assert "candidates" not in third.ran
    assert "scores" not in third.ran
    assert {"student-distilled", "index-distilled", "evaluate-test-distilled"} <= set(third.ran)


def test_an_index_that_nothing_can_build_is_refused_before_the_first_step(recipe: Recipe) -> None:
    recorder = Recorder()
    with pytest.raises(ConfigError, match="HNWS"):
        run(recipe.model_copy(update={"index": IndexRecipe(factory="HNWS32")}), progress=recorder)
    assert recorder.ran == []
    assert not recipe.folder.exists()


def test_build_parameters_of_the_index_count_and_unknown_ones_are_refused_before_the_first_step(
    recipe: Recipe, tiny_splade: str
) -> None:
    recorder = Recorder()
    with pytest.raises(ConfigError, match="build parameters of 'exact'"):
        run(recipe.model_copy(update={"index": IndexRecipe(build_parameters={"k1": 1})}), progress=recorder)
    assert recorder.ran == []
    index = {"factory": "seismic", "build_parameters": {"n_postings": 7}}
    settings = recipe.model_dump() | {"student": {"model": tiny_splade}, "index": index}
    sparse = Recipe.model_validate(settings | {"variants": {"sparse": {"type": "splade", "loss": "kl"}}})
    run(sparse)
    built = manifest.read(Experiment(sparse).index("sparse").folder)
    assert built is not None
    assert built.parameters["build_parameters"]["n_postings"] == 7


def test_a_teacher_may_be_a_file_of_settings(
    recipe: Recipe, tiny_cross_encoder: str, tiny_beir: Path, tmp_path: Path
) -> None:
    file = tmp_path / "teacher.yaml"
    file.write_text(f"kind: cross_encoder\nmodel: {tiny_cross_encoder}\nmax_length: 32\n")
    named = Recipe.model_validate(recipe.model_dump() | {"teacher": {"model": str(file)}, "variants": {"one": {}}})
    (results,) = run(named)
    store = rankdistill.open(Experiment(named).scores.folder)
    (teacher,) = store.teacher_ids
    assert store.fingerprint(teacher)["max_length"] == 32
    assert results.systems[-1].name == "teacher re-ranking BM25's 5"

    table = tmp_path / "table.yaml"
    table.write_text(
        f"kind: table\npath: {store.path}\ndata: {tiny_beir}\nname: stored\nscore_kind: logit\nteacher: {teacher}\n"
    )
    evaluate = recipe.evaluate.model_dump() | {"rerank_depth": 0}
    settings = named.model_dump() | {"out": str(tmp_path / "again"), "evaluate": evaluate}
    stored = Recipe.model_validate(settings | {"teacher": {"model": str(table)}})
    (again,) = run(stored)
    assert [system.name for system in again.systems] == ["BM25", "student before training", "one"]
    copied = rankdistill.open(Experiment(stored).scores.folder)
    assert copied.scores().equals(store.scores())
    key = Experiment(stored).scores.key
    table.write_text(table.read_text().replace("name: stored", "name: others"))
    assert Experiment(stored).scores.key != key


def test_a_floor_of_fidelity_is_no_part_of_the_scores_identity(recipe: Recipe) -> None:
    lower = recipe.model_copy(update={"score": recipe.score.model_copy(update={"min_fidelity": 0.5})})
    assert Experiment(lower).scores.key == Experiment(recipe).scores.key


def test_an_interrupted_run_goes_on_with_the_step_it_was_in(recipe: Recipe) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(recipe, progress=Recorder(interrupt="scores"))
    states = {step.name: (step.done, step.begun) for step in plan(recipe).steps()}
    assert states["teacher"] == (True, False)
    assert states["scores"] == (False, True)
    assert states["student-distilled"] == (False, False)
    second = Recorder()
    run(recipe, progress=second)
    assert second.ran[0] == "scores"


def test_a_sparse_student_is_indexed_as_such_beside_a_dense_one(recipe: Recipe, tiny_splade: str) -> None:
    settings = recipe.model_dump()
    settings["student"] = {"model": tiny_splade}
    settings["variants"] = {"sparse": {"type": "splade", "loss": "kl"}, "dense": {"type": "dense"}}
    sparse = Recipe.model_validate(settings)
    (results,) = run(sparse, progress=Recorder())
    assert [system.name for system in results.systems[1:4]] == ["student before training", "sparse", "dense"]
    experiment = Experiment(sparse)
    kinds = [load(step.folder).kind.name for step in map(experiment.index, ("sparse", "dense"))]
    assert kinds == ["sparse", "dense"]
    assert load(experiment.initial_index.folder).kind.name == "sparse"


@pytest.mark.parametrize(
    ("variants", "message"),
    [
        ({"pairs": {"type": "cross-encoder"}}, "no index holds"),
        ({"one": {"type": "splade"}, "two": {}}, "keep_layers"),
    ],
)
def test_students_that_the_run_cannot_have_are_refused(
    variants: dict[str, dict[str, str]], message: str, recipe: Recipe
) -> None:
    with pytest.raises(ValueError, match=message):
        Recipe.model_validate(recipe.model_dump() | {"variants": variants})


def test_seeds_train_each_student_several_times_and_report_it_once(recipe: Recipe) -> None:
    seeded = Recipe.model_validate(recipe.model_dump() | {"seeds": [13, 14]})
    assert list(seeded.trainings) == [
        "distilled seed 13",
        "distilled seed 14",
        "contrastive seed 13",
        "contrastive seed 14",
    ]
    assert [seeded.train_config(name).seed for name in seeded.trainings] == [13, 14, 13, 14]
    assert seeded.train_config("contrastive seed 14").loss == "contrastive"
    (results,) = run(seeded, progress=Recorder())
    assert [(system.name, system.trainings) for system in results.systems] == [
        ("BM25", 1),
        ("student before training", 1),
        ("distilled", 2),
        ("contrastive", 2),
        ("teacher re-ranking BM25's 5", 1),
    ]
    assert all(system.teacher_pairs for system in results.systems[2:4])
    made = Experiment(seeded)
    hashes = {name: json.loads((made.student(name).folder / "manifest.json").read_text()) for name in seeded.trainings}
    assert len({str(found["outputs"]) for found in hashes.values()}) == 4
    again = Recorder()
    run(seeded, progress=again)
    assert again.ran == []


def test_one_seed_names_no_training_and_the_default_trains_the_same(recipe: Recipe) -> None:
    once = Recipe.model_validate(recipe.model_dump() | {"seeds": [recipe.train.seed]})
    assert list(once.trainings) == list(recipe.trainings) == ["distilled", "contrastive"]
    assert once.train_config("distilled") == recipe.train_config("distilled")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeds": [13, 13]}, "each once"),
        ({"seeds": []}, "at least 1"),
        ({"seeds": [13, 14], "variants": {"a": {"seed": 3}}}, "a seed of its own"),
        ({"seeds": [-1, 14]}, "greater than or equal to 0"),
        ({"seeds": [13, 2**32]}, "less than or equal to 4294967295"),
        ({"seeds": [13, 14], "variants": {"a": {}, "a seed 13": {}}}, "one folder"),
    ],
)
def test_seeds_that_contradict_are_refused(recipe: Recipe, changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Recipe.model_validate(recipe.model_dump() | changes)


@pytest.mark.parametrize("name", ["BM25", "teacher", "Teacher", "student before training"])
@pytest.mark.parametrize("seeds", [None, [13, 14]])
def test_a_student_cannot_have_the_name_of_a_system_that_is_always_there(
    recipe: Recipe, name: str, seeds: list[int] | None
) -> None:
    with pytest.raises(ValueError, match="one folder"):
        Recipe.model_validate(recipe.model_dump() | {"variants": {name: {}}, "seeds": seeds})


@pytest.fixture
def saved_splade(tiny_splade: str, tmp_path: Path) -> str:
    """A SPLADE model as sentence-transformers saves it; a masked language model alone counts as dense."""
    SparseEncoder(tiny_splade, device="cpu").save_pretrained(str(tmp_path / "splade"))
    return str(tmp_path / "splade")


@pytest.mark.parametrize(
    ("model", "changes", "told"),
    [
        ("saved_splade", {}, {"regulariser_weights": "of the loss"}),
        ("tiny_multi_vector", {"max_query_length": 8}, {"lengths": "saved"}),
        ("tiny_encoder", {"max_query_length": 8}, {}),
        ("tiny_encoder", {"loss": "contrastive"}, {"negatives_in_batch": "unlabelled"}),
    ],
)
def test_a_student_without_a_named_type_is_known_by_what_its_model_is(
    recipe: Recipe,
    model: str,
    changes: dict[str, object],
    told: dict[str, str],
    request: pytest.FixtureRequest,
) -> None:
    """Else a step of before its mathematics changed would count as done."""
    start = request.getfixturevalue(model)
    content = recipe.model_dump() | {"student": {"model": start}, "variants": {"a": {"loss": "kl_div"} | changes}}
    step = Experiment(Recipe.model_validate(content)).student("a")
    settings = dict(step.settings["train"])
    assert settings["type"] is None
    assert {key: settings.get(key) for key in ("regulariser_weights", "lengths", "negatives_in_batch")} == {
        "regulariser_weights": None,
        "lengths": None,
        "negatives_in_batch": None,
    } | told


def test_the_labels_that_a_student_is_chosen_by_are_part_of_what_it_is(recipe: Recipe, tiny_beir: Path) -> None:
    """Else a student that was chosen by labels of before would count as done."""
    given = recipe.model_dump() | {"teacher": {"model": recipe.student.model}}
    chosen = Recipe.model_validate(given)
    without = Recipe.model_validate(given | {"data": given["data"] | {"dev": None}})

    def keys() -> list[str]:
        return [Experiment(one).student("distilled").key for one in (chosen, without)]

    before = keys()
    qrels = tiny_beir / "qrels" / "dev.tsv"
    lines = qrels.read_text().splitlines()
    qrels.write_text("\n".join(lines[:-1]) + "\n")
    assert keys()[0] != before[0]
    assert keys()[1] == before[1]


def test_what_another_split_labels_of_a_training_query_is_part_of_what_is_trained(
    recipe: Recipe, tiny_beir: Path
) -> None:
    def keys() -> list[str]:
        made = Experiment(recipe)
        assert made.teacher is not None
        return [step.key for step in (made.candidates, made.teacher, made.student("distilled"))]

    before = keys()
    qrels = tiny_beir / "qrels" / "test.tsv"
    lines = qrels.read_text()
    qrels.write_text(lines + "q18\td01\t1\nq00\td39\t0\n")
    assert keys() == before
    qrels.write_text(lines + "q00\td39\t1\n")
    labelled = keys()
    assert labelled[0] == before[0]
    assert not set(labelled[1:]) & set(before)
