"""What docs/sparse.md shows runs as it stands, with tiny models and data behind its capital names."""

from __future__ import annotations

import re
import shlex
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from sentence_transformers import SparseEncoder

from rankdistill.indexing.registry import BACKENDS
from rankdistill.recipe import loading
from rankdistill.recipe.scores.schema import Recipe
from rankdistill.training.config import SPARSE_TYPES, RegulariserName, TrainConfig
from tests.cli.guides import commands
from tests.cli.test_train import store
from tests.cli.verb import Run

__all__ = ["store"]  # a fixture

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "sparse.md"
TEXT = GUIDE.read_text(encoding="utf-8")
CHEAP = {"train": ["--steps", "2", "--batch-size", "2"]}
"""What is added to a verb here, to be done in seconds."""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.+?)^```$", TEXT, re.DOTALL | re.MULTILINE)


def runnable() -> list[list[str]]:
    """The commands in their order, without those of a library that is not installed here."""
    found = [shlex.split(line)[1:] for line in commands(GUIDE)]
    return [words for words in found if find_spec("seismic") or "SEISMIC" not in words]


def test_the_commands_run_one_after_the_other_and_then_the_programs(
    rankdistill: Run, tiny_beir: Path, store: Path, tiny_splade: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, folder in (("DIR", tiny_beir), ("STORE", store), ("MODEL", tiny_splade)):
        Path(name).symlink_to(folder)
    for verb, *words in runnable():
        status, shown = rankdistill(verb, *words, *CHEAP.get(verb, []))
        assert status == 0, f"{verb} {words}: {shown}"
    assert {"train", "index", "search", "evaluate", "explain", "sparsity"} == {words[0] for words in runnable()}

    training, searching = blocks("python")
    exec(training.replace("TrainConfig(", "TrainConfig(steps=2, batch_size=2, "), {})
    found: dict[str, Any] = {}
    exec(searching, found)
    assert len(found["run"]) == 6
    for name in ("STUDENT", "MODELFREE", "SPARSER", "MIX"):
        assert SparseEncoder(name, device="cpu").encode_query(["river"]).shape[0] == 1


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
