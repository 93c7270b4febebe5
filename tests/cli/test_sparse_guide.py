"""What docs/sparse.md says is so: names, tables and settings. `tests/test_guides.py` runs what it prints."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import yaml

from rankdistill.indexing.registry import BACKENDS
from rankdistill.recipe import loading
from rankdistill.recipe.scores.schema import Recipe
from rankdistill.training.config import SPARSE_TYPES, RegulariserName, TrainConfig

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "sparse.md"
TEXT = GUIDE.read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.+?)^```$", TEXT, re.DOTALL | re.MULTILINE)


def test_the_recipe_is_one_with_a_name() -> None:
    (content,) = blocks("yaml")
    recipe = loading.expect(loading.parse({"name": "r", **yaml.safe_load(content)}, "docs/sparse.md"), Recipe)
    assert [recipe.train_config(name).type for name in recipe.variants] == ["splade", "splade", "inference-free"]


def test_every_type_loss_regulariser_and_back_end_that_there_is_is_told() -> None:
    told = {heading: set(re.findall(r"^\| `([\w-]+)` \|", table, re.MULTILINE)) for heading, table in tables().items()}
    assert told["type"] == set(SPARSE_TYPES)
    assert told["regulariser"] == set(get_args(RegulariserName)) - {"none"}
    assert told["`--backend`"] == set(BACKENDS["sparse"])
    for loss in told["loss"]:
        assert TrainConfig.model_validate({"type": "splade", "loss": loss}).loss
    settings = {"query_weights", "regulariser_warmup", "regulariser_schedule", "regulariser_threshold"}
    assert settings <= set(TrainConfig.model_fields) & set(re.findall(r"`(\w+)[`:]", TEXT))
    for module in re.findall(r"python -m ([\w.]+)", TEXT):
        assert (ROOT / module.replace(".", "/")).with_suffix(".py").is_file()


def tables() -> dict[str, str]:
    """The first heading of each table -> its rows."""
    found = re.findall(r"^\| (\S+) \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", TEXT, re.MULTILINE)
    return dict(found)
