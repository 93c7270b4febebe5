"""A recipe mines what `rankdistill mine` mines, and knows when it has to mine again."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from rankdistill import data, indexing
from rankdistill.cli.mine import mine
from rankdistill.errors import DataError
from rankdistill.mining import candidates
from rankdistill.recipe.scores.experiment import Experiment
from rankdistill.recipe.scores.mining import MinePart
from rankdistill.recipe.scores.schema import Recipe
from tests import arguana
from tests.cli.verb import run_verb

EARLIER = {"sources": ["bm25"], "model": None, "depth": 50, "ranks": None, "sample": None, "seed": 0}


def experiment(settings: dict[str, Any], tiny_beir: Path, out: Path) -> Experiment:
    recipe = {"name": "tiny", "out": str(out), "data": {"source": str(tiny_beir)}, "mine": settings}
    return Experiment(Recipe.model_validate(recipe))


def test_the_same_sources_ranks_and_samples_give_the_same_candidates(
    tiny_beir: Path, tiny_encoder: str, tiny_splade: str, tiny_multi_vector: str, tmp_path: Path
) -> None:
    indexing.build(data.load(tiny_beir), None, tmp_path / "words", factory="bm25")
    sources = [
        "bm25",
        f"dense:{tiny_encoder}",
        f"terms=sparse:{tiny_splade}",
        f"multi-vector:{tiny_multi_vector}",
        f"index:{tmp_path / 'words'}",
    ]
    flags = [word for source in sources for word in ("--source", source)]
    flags += ["--ranks", "1:9", "--ranks", "terms=2:8", "--sample", "4", "--sample", "bm25=2", "--max-length", "24"]
    run_verb(mine, "--data", tiny_beir, *flags, "--depth", 10, "--seed", 3, "--out", tmp_path / "c")
    ranks_and_samples = {"ranks": ["1:9", "terms=2:8"], "sample": [4, "bm25=2"], "max_length": 24}
    settings = {"sources": sources, "depth": 10, "seed": 3, **ranks_and_samples}
    step = experiment(settings, tiny_beir, tmp_path / "run").candidates
    step.work(step.folder, lambda done: None)
    assert candidates.read(step.folder).equals(candidates.read(tmp_path / "c"))


def test_a_fused_list_chooses(tiny_beir: Path, tiny_encoder: str, tmp_path: Path) -> None:
    settings = {"sources": ["bm25", "dense"], "model": tiny_encoder, "depth": 10, "fusion": "rrf", "weights": [1, 0.5]}
    step = experiment({**settings, "ranks": "2:6"}, tiny_beir, tmp_path / "run").candidates
    step.work(step.folder, lambda done: None)
    found = pl.DataFrame(candidates.read(step.folder))
    assert set(found["source"]) == {"bm25", "dense", "fused"}
    assert found.filter(pl.col("label").is_null() & (pl.col("source") == "fused"))["rank"].is_between(2, 6).all()


def test_recipes_of_earlier_days_keep_the_identity_of_their_candidates(tiny_encoder: str) -> None:
    assert MinePart.model_validate({}).decisive() == {**EARLIER, "limit_queries": None}
    found = MinePart.model_validate({"sources": ["dense"], "model": tiny_encoder}).decisive()
    assert set(found) == {*EARLIER, "limit_queries", "model_hash"}


def test_a_model_trained_anew_is_mined_with_anew(tiny_encoder: str, tmp_path: Path) -> None:
    """A source is known by what its model holds, not by where it lies."""
    shutil.copytree(tiny_encoder, tmp_path / "model")
    part = MinePart.model_validate({"sources": [f"dense:{tmp_path / 'model'}", f"old=dense:{tiny_encoder}"]})
    before = part.decisive()["inputs"]
    assert set(before) == {"dense.model", "old.model"}
    assert before["dense.model"] == before["old.model"]
    weights = next((tmp_path / "model").rglob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\0\0")
    after = part.decisive()["inputs"]
    assert after["old.model"] == before["old.model"]
    assert after["dense.model"] != before["dense.model"]


def test_an_index_that_is_not_there_is_told_before_anything_runs(tiny_beir: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        _ = experiment({"sources": [f"index:{tmp_path / 'absent'}"]}, tiny_beir, tmp_path / "run").steps


def test_the_rule_on_identical_ids_is_a_setting_and_part_of_the_identity(tiny_beir: Path, tmp_path: Path) -> None:
    """A rule that leaves nothing out leaves every finished step valid."""

    def made(source: object, **settings: object) -> Experiment:
        content = {"name": "tiny", "out": str(tmp_path), "data": {"source": str(source), "train": "test", **settings}}
        return Experiment(Recipe.model_validate(content))

    folder = arguana.write(tmp_path / "arguana")
    silent, left_out, kept = (
        made(folder, ignore_identical_ids=rule).collection.measured_identity("test") for rule in (None, True, False)
    )
    assert silent == left_out
    assert left_out == kept | {"own_documents_left_out": 12}
    assert kept["dangling_judgements"] == 4
    assert "dangling_judgements" not in made(folder).collection.split_identity("test")
    step = made(folder, ignore_identical_ids=True).candidates
    step.work(step.folder, lambda done: None)
    assert pl.DataFrame(candidates.read(step.folder)).filter(pl.col("query_id") == pl.col("doc_id")).is_empty()

    before = {"lenient", "data", "split", "qrels"}
    assert made(tiny_beir, ignore_identical_ids=True).collection.measured_identity("dev").keys() == before
    assert made("mteb:SciFact").collection.measured_identity("test") == {"lenient": False, "split": "test"}
    assert made("mteb:ArguAna").collection.measured_identity("test")["ignore_identical_ids"] is True
    kept_by_hand = made("mteb:ArguAna", ignore_identical_ids=False).collection
    assert kept_by_hand.measured_identity("test")["ignore_identical_ids"] is False
