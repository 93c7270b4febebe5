"""Recipes: every shipped one is valid, overrides change it, and mistakes are named."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from pydantic import ValidationError

import rankdistill as rd
from rankdistill.errors import ConfigError
from rankdistill.recipe import loading
from rankdistill.recipe.leaf.schema import LeafRecipe
from rankdistill.recipe.loading import AnyRecipe
from rankdistill.recipe.run import read
from rankdistill.recipe.scores.schema import Recipe
from rankdistill.recipe.staged.schema import StagedRecipe
from rankdistill.recipe.tuning.subject import Subject
from rankdistill.verbs.arguments import settings_of
from rankdistill.verbs.settings import TrainConfig

LEAF = "name: r\nkind: leaf\ndata:\n"
STAGED = "name: r\nkind: staged\ndata: {dev: null}\n"
RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*.yaml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_shipped_recipe_is_valid(path: Path) -> None:
    recipe = loading.load(path)
    assert recipe.name == path.stem
    assert all(recipe.train_config(student) for student in students(recipe))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_shipped_recipe_is_found_by_its_name_where_no_file_has_it(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert loading.load(path.stem) == loading.load(path)
    with pytest.raises(ConfigError, match="No such file"):
        loading.load(f"{path.stem}.yaml")
    (tmp_path / path.stem).write_text("name: mine\n")
    assert loading.load(path.stem).name == "mine"


def test_a_name_that_is_not_shipped_lists_those_that_are() -> None:
    with pytest.raises(ConfigError, match="gpl, leaf, leaf_scifact, msmarco_mini, quickstart"):
        loading.load("quikstart")


def students(recipe: AnyRecipe) -> list[str]:
    return list(recipe.students if isinstance(recipe, LeafRecipe) else recipe.variants)


def test_overrides_reach_nested_settings(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("name: r\nvariants: {a: {}, b: {loss: contrastive}}\n")
    overrides = ["train.steps=200", "data.test=[test, dev]", "teacher.teach.negatives=3"]
    recipe = loading.expect(loading.load(tmp_path / "r.yaml", overrides), Recipe)
    assert recipe.train_config("b").steps == 200
    assert recipe.train_config("b").loss == "contrastive"
    assert recipe.data.test == ["test", "dev"]
    assert recipe.teacher.teach.negatives == 3


@pytest.mark.parametrize(
    ("content", "overrides", "said"),
    [
        ("name: r\ntrian: {}\n", [], "trian"),
        ("name: r\ntrain: {steps: many}\n", [], "train.steps"),
        ("name: r\nvariants: {a: {los: x}}\n", [], "los"),
        ("name: r\nvariants: {}\n", [], "at least one student"),
        ("name: r\nvariants: {../a: {}}\n", [], "no name"),
        ("name: ../r\n", [], "name"),
        ("- a\n- b\n", [], "mapping"),
        ("name: [\n", [], "YAML"),
        ("name: r\n", ["train.steps"], "a.b=value"),
        ("name: r\n", ["name.x=1"], "is a value"),
        ("name: r\nteacher: {teach: {negatives: 0}}\n", [], "negatives"),
        ("name: r\nmine: {sources: [spalde]}\n", [], "mine: .*sparse:MODEL.*'spalde'"),
        ("name: r\nmine: {sources: [dense]}\n", [], "dense:MODEL"),
        ("name: r\nmine: {sources: [bm25, bm25]}\n", [], "its own name"),
        ("name: r\nmine: {ranks: 90}\n", [], "mine.ranks: .*quotes"),
        ("name: r\nmine: {ranks: ['dense=1:30']}\n", [], "ranks and samples of what chooses"),
        ("name: r\nmine: {ranks: '1:60'}\n", [], "ranks within the depth 50"),
        ("name: r\nmine: {sample: 0}\n", [], "sample of at least 1"),
        ("name: r\nmine: {sources: [bm25, 'dense:M'], fusion: borda}\n", [], "method of fusion"),
        ("name: r\nmine: {sources: [bm25, 'dense:M'], weights: [1, 2]}\n", [], "weights are of a fusion"),
        ("name: r\nkind: lief\n", [], "kind 'lief'"),
        ("name: r\nkind: [leaf]\n", [], "kind"),
        ("name: r\nkind: leaf\n", [], "data: Field required"),
        (LEAF + "  a: {source: a}\n", [], "at least one test split"),
        (LEAF + "  a: {source: a, embed: false, test: [test]}\n", [], "at least one collection"),
        (LEAF + "  a: {source: a, test: [test]}\nstudents: {}\n", [], "at least one student"),
        (LEAF + "  a: {source: a, test: [test]}\nstudents: {Teacher: {}}\n", [], "one folder"),
        (LEAF + "  a: {source: a, test: [test]}\nstudents: {x: {}, x asymmetric: {}}\n", [], "one folder"),
        (LEAF + "  ../a: {source: a, test: [test]}\n", [], "no name"),
        (LEAF + "  a: {source: a, test: [test]}\nstudents: {x: {train: {cycels: 2}}}\n", [], "cycels"),
        (LEAF + "  a: {source: a, test: [test]}\n", ["train.loss=margin_mse"], "train.loss"),
        ("name: r\ndata: {dev: null}\n", ["train.patience=3"], "student has patience.*name data.dev"),
        ("name: r\ndata: {dev: null}\nvariants: {a: {}, b: {patience: 2}}\n", [], "variants: b has patience"),
        (LEAF + "  a: {source: a, test: [test]}\n", ["train.patience=3"], "students: student has patience"),
        ("name: r\ntrain: {document_tower: M}\n", [], "a document_tower, whose documents a recipe does not index"),
        (STAGED, ["align.patience=3"], "align: .* has patience"),
        (STAGED, ["train.patience=3"], "variants: staged has patience"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, content: str, overrides: list[str], said: str) -> None:
    (tmp_path / "r.yaml").write_text(content)
    with pytest.raises(ConfigError, match=said):
        loading.load(tmp_path / "r.yaml", overrides)


def test_a_variant_has_what_its_own_loss_was_published_with(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("name: r\ntrain: {negatives: 6}\nvariants: {a: {}, d: {loss: disco}}\n")
    recipe = loading.load(tmp_path / "r.yaml", [])
    plain, disco = recipe.train_config("a"), recipe.train_config("d")
    assert (plain.contrastive_weight, plain.kl_weight, plain.negatives) == (0, 1, 6)
    assert (disco.contrastive_weight, disco.kl_weight, disco.negatives, disco.epochs) == (0.01, 0.99, 6, 5)
    (tmp_path / "r.yaml").write_text("name: r\ntrain: {loss: disco}\nvariants: {a: {loss: margin_mse}, d: {}}\n")
    recipe = loading.load(tmp_path / "r.yaml", [])
    plain, disco = recipe.train_config("a"), recipe.train_config("d")
    assert plain.decisive() == TrainConfig().decisive()
    assert disco.decisive() == TrainConfig(loss="disco").decisive()


def test_what_a_loss_was_published_with_goes_with_it_and_what_is_given_stays(tmp_path: Path) -> None:
    published = TrainConfig(loss="disco", negatives=16)
    assert published.model_fields_set == {"loss", "negatives"}
    other = settings_of(TrainConfig, published, {"loss": "margin_mse"}, [])
    assert other.decisive() == TrainConfig(loss="margin_mse", negatives=16).decisive()
    given = {"negatives": 16, "batch_size": 10, "epochs": 5, "learning_rate": 2e-5}
    recipes = [
        {"name": "r", "train": given | {"loss": "disco"}, "variants": {"a": {}, "b": {"loss": "margin_mse"}}},
        {"name": "r", "train": given, "variants": {"a": {"loss": "disco"}, "b": {"loss": "margin_mse"}}},
    ]
    for recipe in (loading.parse(one, "here") for one in recipes):
        assert recipe.train_config("a").decisive() == TrainConfig(loss="disco").decisive()
        assert recipe.train_config("b").decisive() == TrainConfig(loss="margin_mse", **given).decisive()
    recipe = loading.expect(loading.parse({"name": "r", "train": {"loss": "disco"}}, "here"), Recipe)
    (name,) = recipe.variants
    assert read(recipe, ["train.loss=margin_mse"]).train_config(name).decisive() == TrainConfig().decisive()
    subject = Subject.of(recipe, None, tmp_path, watched=False)
    for loss in ("margin_mse", "kl_div"):
        changed = subject.changed({"train.loss": loss}).recipe
        assert changed.train_config(name).decisive() == TrainConfig(loss=loss).decisive()


def test_a_static_student_keeps_the_rates_of_static_students_unless_the_recipe_names_one(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text(LEAF + "  a: {source: a, test: [test]}\nstudents: {s: {model: static}}\n")
    for overrides, rate in (([], 1e-3), (["train.learning_rate=0.5"], 0.5), (["students.s.train.learning_rate=2"], 2)):
        recipe = loading.expect(loading.load(tmp_path / "r.yaml", overrides), LeafRecipe)
        assert recipe.train_config("s").for_static().learning_rate == rate


def test_a_recipe_of_another_kind_than_wanted_is_named(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("name: r\n")
    with pytest.raises(ConfigError, match="a recipe of kind leaf"):
        loading.expect(loading.load(tmp_path / "r.yaml"), LeafRecipe)


def test_a_missing_recipe_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="absent"):
        loading.load(tmp_path / "absent.yaml")


def test_the_json_schema_describes_every_part() -> None:
    schema = json.loads(loading.json_schema())
    of_scores, of_embeddings, of_both = (
        schema["$defs"][name]["properties"] for name in ("Recipe", "LeafRecipe", "StagedRecipe")
    )
    assert {"space", "align", "teacher", "score", "train", "variants", "baseline"} <= set(of_both)
    assert {"data", "mine", "teacher", "score", "student", "train", "variants", "index", "evaluate"} <= set(of_scores)
    assert {"data", "texts", "teacher", "train", "students", "bundle", "index", "evaluate"} <= set(of_embeddings)
    assert schema["$defs"]["AlignConfig"]["properties"]["cycles"]["description"]
    assert schema["$defs"]["TrainConfig"]["properties"]["steps"]["description"]


def test_what_looks_like_a_time_is_a_text_and_a_number_is_plain(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("name: r\nmine: {ranks: 1:30}\n", encoding="utf-8-sig")
    recipe = loading.load(tmp_path / "r.yaml", ["mine.ranks=2:20"])
    assert isinstance(recipe, Recipe)
    assert recipe.mine.ranks == "2:20"
    for override in ("train.steps=5_5", "train.steps=010", "train.steps=[1"):
        with pytest.raises(ConfigError, match=re.escape(override)):
            loading.load(tmp_path / "r.yaml", [override])


def test_the_form_of_a_student_reaches_what_makes_it() -> None:
    form = {"keep_layers": [0, 2], "vocabulary": 8000, "storage": "int8", "max_mb": 20}
    leaf = LeafRecipe.model_validate(
        {"name": "r", "kind": "leaf", "data": {"a": {"source": "a", "test": ["test"]}}, "students": {"s": form}}
    )
    found = leaf.train_config("s").preparation
    assert {name: getattr(found, name) for name in form} == form | {"keep_layers": (0, 2)}
    scores = Recipe.model_validate({"name": "r", "student": form})
    assert scores.student.form == {"vocabulary": 8000, "storage": "int8", "max_mb": 20}
    staged = StagedRecipe.model_validate({"name": "r", "kind": "staged", "student": form})
    for config in (staged.align_config(name) for name in staged.alignments):
        assert {name: getattr(config.preparation, name) for name in form} == form | {"keep_layers": (0, 2)}
    with pytest.raises(ValidationError, match=r"name data\.dev"):
        Recipe.model_validate({"name": "r", "student": {"max_mb": 20}, "data": {"dev": None}})


@pytest.mark.parametrize("content", ["kind: scores\ndata: {dev: Test}", "kind: leaf\ndata:\n  a: {dev: test}"])
def test_nothing_is_chosen_on_a_test_split(tmp_path: Path, content: str) -> None:
    (tmp_path / "r.yaml").write_text(f"name: r\n{content}\n")
    with pytest.raises(ConfigError, match="test split by its name"):
        loading.load(tmp_path / "r.yaml")


def test_a_recipe_that_is_nested_without_end_is_none(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("a: " + "[" * 5_000)
    with pytest.raises(ConfigError, match="nested too deeply"):
        loading.load(tmp_path / "r.yaml")


@pytest.mark.parametrize("kind", ["scores", "leaf", "staged"])
@pytest.mark.parametrize("url", ["s3://bucket/run", "S3://bucket/run", "file:///a/run"])
def test_a_run_writes_on_this_machine_alone(
    kind: str, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shipped = {"scores": "quickstart", "leaf": "leaf", "staged": "staged"}[kind]
    with pytest.raises(ConfigError, match="no folder on this machine"):
        rd.run(shipped, overrides=[f"out={url}"])
    with pytest.raises(ConfigError, match="no folder on this machine"):
        rd.tune(shipped, overrides=[f"out={url}"], trials=1)
    given = loading.load(shipped).model_dump(mode="json", exclude_unset=True) | {"out": url}
    with pytest.raises(ConfigError, match="on this machine"):
        rd.run(given)
    (tmp_path / "mine.yaml").write_text(json.dumps(given))
    with pytest.raises(ConfigError, match="no folder on this machine"):
        rd.run(tmp_path / "mine.yaml")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.yaml"]


@pytest.mark.parametrize("name", ["quickstart", "leaf", "staged"])
def test_the_home_of_a_user_is_no_folder_called_so(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert loading.load(name, ["out=~/runs/one"]).folder == tmp_path / "runs" / "one"
