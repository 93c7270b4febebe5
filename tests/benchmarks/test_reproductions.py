"""Published recipes: each is valid as it stands, and runs with tiny models and data in the hub's place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks.reproductions import leaf
from rankdistill.data import load as load_data
from rankdistill.evaluation.mteb_task import local_task
from rankdistill.recipe.leaf import triangle
from rankdistill.recipe.leaf.experiment import LeafExperiment
from rankdistill.recipe.leaf.triangle import Triangle
from rankdistill.recipe.run import run

RECIPES = sorted(leaf.HERE.glob("leaf_*.yaml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_is_valid_and_is_the_papers(path: Path) -> None:
    recipe, content = leaf.load(path)
    assert recipe.name == path.stem
    config = recipe.train_config(leaf.STUDENT)
    assert (config.loss, config.batch_size, config.cycles, config.epochs) == ("leaf", 32, 3, 10)
    assert (config.learning_rate, config.learning_rate * config.final_share) == (1e-4, pytest.approx(1e-5))
    assert config.preparation.projection == "always"
    assert not any(part.embed for part in recipe.data.values()), "nothing of what is evaluated is trained on"
    assert {one["side"] for one in content["expected"]} <= {"teacher", "standard", "asymmetric"}
    assert all(0 < one["value"] < 1 and 0 < one["tolerance"] <= 0.01 for one in content["expected"])


def test_the_fifteen_collections_of_beir_are_there_once() -> None:
    recipe, content = leaf.load(leaf.HERE / "leaf_ir.yaml")
    flat = [Triangle(leaf.STUDENT, data, split, 1.0, 1.0, 1.0) for data, split in recipe.tests]
    assert len({one.data.split("-")[0] if "cqa" in one.data else one.data for one in flat}) == 15
    assert len(flat) == 14 + 12
    assert content["averaged_first"] == ["cqadupstack-"]
    assert dict(recipe.tests)["msmarco"] == "dev"


def test_collections_that_count_as_one_are_averaged_first() -> None:
    rows = [
        Triangle("leaf", "a", "test", 0.2, 0.4, 0.5),
        Triangle("leaf", "cqa-x", "test", 0.6, 0.0, 0.0),
        Triangle("leaf", "cqa-y", "test", 0.8, 0.0, 0.0),
        Triangle("leaf", triangle.MEAN, "", 9.0, 9.0, 9.0),
        Triangle("other", "a", "test", 9.0, 9.0, 9.0),
    ]
    assert leaf.mean_over_collections(rows, "standard", ["cqa-"]) == pytest.approx((0.2 + 0.7) / 2)
    assert leaf.mean_over_collections(rows, "standard") == pytest.approx((0.2 + 0.6 + 0.8) / 3)


def test_a_figure_outside_its_tolerance_is_told() -> None:
    expected = [{"what": "x", "side": "teacher", "value": 0.5, "tolerance": 0.01}]
    assert leaf.held_against(expected, lambda one: 0.509)[0]["passed"]
    assert not leaf.held_against(expected, lambda one: 0.52)[0]["passed"]


@pytest.mark.filterwarnings("ignore:The fill_missing parameter is deprecated:DeprecationWarning")  # mteb's own calls
@pytest.mark.filterwarnings("ignore:The `get_sentence_embedding_dimension` method:FutureWarning")
@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_runs_with_tiny_models_and_data_in_the_hubs_place(
    path: Path, tiny_beir: Path, tiny_encoder: str, tmp_path: Path
) -> None:
    _, content = leaf.load(path)
    texts = {"query": ["old iron", "deep glass"], "document": [f"the engine is round and slow {n}" for n in range(40)]}
    for kind, lines in texts.items():
        (tmp_path / f"{kind}.txt").write_text("\n".join(lines) + "\n")
    small = tiny_in_place_of_the_hub(content["recipe"], str(tiny_beir), tiny_encoder, tmp_path)
    (tmp_path / "small.yaml").write_text(yaml.safe_dump({**content, "recipe": small}))
    recipe, _ = leaf.load(tmp_path / "small.yaml")
    run(recipe)
    found = triangle.read(recipe.folder)
    by_us = leaf.mean_over_collections(found, "standard", content.get("averaged_first", ()))
    if any("benchmark" in one for one in content["expected"]):
        student = str(LeafExperiment(recipe).student(leaf.STUDENT).folder)
        by_mteb = leaf.mean_over_tasks(student, [local_task(load_data(tiny_beir), "test", 100)])
        assert by_mteb == pytest.approx(by_us, abs=1e-4)
    else:
        assert 0 < by_us < 1


def tiny_in_place_of_the_hub(recipe: dict[str, Any], data: str, encoder: str, folder: Path) -> dict[str, Any]:
    """The recipe with every model and collection replaced, one collection kept, and the numbers made small."""
    name = next(iter(recipe["data"]))
    return {
        **recipe,
        "out": str(folder / "run"),
        "data": {name: {**recipe["data"][name], "source": data, "test": ["test"]}},
        "texts": {"files": [f"{kind}={folder / kind}.txt" for kind in ("query", "document")]},
        "teacher": {**recipe["teacher"], "model": encoder},
        "students": {student: {"model": encoder} for student in recipe["students"]},
        "train": {**recipe["train"], "steps": 2, "eval_steps": 2, "log_steps": 1, "held_out": 4},
        "bundle": {"onnx": False},
    }
