"""Recipes: every shipped one is valid, overrides change it, and mistakes are named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rankdistill.errors import ConfigError
from rankdistill.recipe import loading

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*.yaml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_shipped_recipe_is_valid(path: Path) -> None:
    recipe = loading.load(path)
    assert recipe.name == path.stem
    assert all(recipe.train_config(variant) for variant in recipe.variants)


def test_overrides_reach_nested_settings(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("name: r\nvariants: {a: {}, b: {loss: contrastive}}\n")
    recipe = loading.load(
        tmp_path / "r.yaml", ["train.steps=200", "data.test=[test, dev]", "teacher.teach.negatives=3"]
    )
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
    ],
)
def test_mistakes_are_named(tmp_path: Path, content: str, overrides: list[str], said: str) -> None:
    (tmp_path / "r.yaml").write_text(content)
    with pytest.raises(ConfigError, match=said):
        loading.load(tmp_path / "r.yaml", overrides)


def test_a_missing_recipe_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="absent"):
        loading.load(tmp_path / "absent.yaml")


def test_the_json_schema_describes_every_part() -> None:
    schema = json.loads(loading.json_schema())
    of_scores, of_embeddings = (schema["$defs"][name]["properties"] for name in ("Recipe", "LeafRecipe"))
    assert {"data", "mine", "teacher", "score", "student", "train", "variants", "index", "evaluate"} <= set(of_scores)
    assert {"data", "texts", "teacher", "train", "students", "bundle", "index", "evaluate"} <= set(of_embeddings)
    assert schema["$defs"]["AlignConfig"]["properties"]["cycles"]["description"]
    assert schema["$defs"]["TrainConfig"]["properties"]["steps"]["description"]
