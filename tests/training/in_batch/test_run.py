"""Whole runs with an in-batch teacher: what they write, resuming, identity, refusals."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import rankdistill as rd
from rankdistill import manifest, teachers
from rankdistill.data import Dataset
from rankdistill.errors import ConfigError, StaleOutputError, StoreError
from rankdistill.training.config import TrainConfig
from rankdistill.training.run import train
from tests.training.conftest import MemoryStore
from tests.training.test_run import SMALL, log, stop_at

pytestmark = pytest.mark.usefixtures("torch_alone")

Run = Callable[..., Path]


@pytest.fixture
def run(tiny_data: Dataset, tiny_store: MemoryStore, tiny_encoder: str, tmp_path: Path) -> Run:
    def start(name: str = "student", *, store: MemoryStore = tiny_store, model: str = "", **given: Any) -> Path:
        options = {key: given.pop(key) for key in list(given) if key not in TrainConfig.model_fields}
        settings = {**SMALL, "steps": 8, "in_batch_teacher": tiny_encoder, **given}
        return train(tiny_data, store, model or tiny_encoder, tmp_path / name, TrainConfig(**settings), **options)

    return start


def weights(out: Path) -> bytes:
    return (out / "model.safetensors").read_bytes()


def test_a_run_names_its_in_batch_teacher_and_leaves_none_of_its_vectors(run: Run, tiny_encoder: str) -> None:
    out = run()
    found = manifest.expect(out, "student", "train")
    assert set(found.inputs) == {"student", "scores", "candidates", "in_batch_teacher"}
    assert found.parameters["in_batch_weight"] == 0.75
    assert "in_batch_teacher" not in found.parameters
    told = log(out)
    assert told["in_batch_teacher"] == teachers.load(tiny_encoder).teacher_id
    assert told["in_batch_unit"] > 1
    assert {"ranking", "in_batch"} <= told["loss"][0].keys()
    assert told["loss"][0]["loss"] == pytest.approx(told["loss"][0]["ranking"] + told["loss"][0]["in_batch"], rel=1e-5)
    assert not (out / "checkpoints").exists()
    kept = run("kept", keep_checkpoints=True)
    assert {path.name.split("-")[0] for path in (kept / "checkpoints" / "in_batch").glob("[!.]*")} == {
        "query",
        "document",
    }
    assert weights(kept) == weights(out)


def test_without_one_nothing_is_told_of_it(run: Run) -> None:
    out = run(in_batch_teacher=None)
    assert not {name for name in log(out) if name.startswith("in_batch")}
    assert "in_batch_teacher" not in manifest.expect(out, "student", "train").inputs


def test_a_store_and_its_model_train_the_same_student(
    run: Run, tiny_beir: Path, tiny_encoder: str, tmp_path: Path
) -> None:
    store = rd.embed(tiny_beir, tiny_encoder, tmp_path / "store")
    of_model, of_store = run("model"), run("store-student", in_batch_teacher=store)
    assert log(of_store)["in_batch_unit"] == pytest.approx(log(of_model)["in_batch_unit"], rel=1e-5)
    curves = [[point["loss"] for point in log(out)["loss"]] for out in (of_model, of_store)]
    np.testing.assert_allclose(*curves, rtol=1e-3)
    assert manifest.expect(of_store, "student", "train").inputs["in_batch_teacher"] == store.identity


def test_the_unit_is_1_where_the_same_teacher_scored_the_pairs(
    run: Run, tiny_store: MemoryStore, tiny_encoder: str
) -> None:
    pairs = [
        (tiny_store.queries[query_id], tiny_store.documents[doc_id])
        for query_id, doc_id, _ in tiny_store.scores().iter_rows()
    ]
    scores = pl.Series("score", teachers.load(tiny_encoder).score(pairs), dtype=pl.Float32)
    own = MemoryStore(
        tiny_store.scores().with_columns(scores), tiny_store.candidates(), tiny_store.queries, tiny_store.documents
    )
    assert log(run(store=own, check="off"))["in_batch_unit"] == pytest.approx(1, rel=1e-4)


@pytest.mark.parametrize(
    ("type_", "student", "teacher"),
    [
        ("splade", "tiny_splade", "tiny_multi_vector"),
        ("inference-free", "tiny_splade", "tiny_splade"),
        ("multi-vector", "tiny_multi_vector", "tiny_encoder"),
    ],
)
def test_every_kind_of_student_and_teacher_trains(
    type_: str, student: str, teacher: str, run: Run, request: pytest.FixtureRequest
) -> None:
    out = run(
        type=type_,
        model=request.getfixturevalue(student),
        in_batch_teacher=request.getfixturevalue(teacher),
        steps=2,
        eval_steps=2,
    )
    assert all(np.isfinite(point["in_batch"]) for point in log(out)["loss"])


@pytest.mark.parametrize("loss", ["margin_mse", "kl_div"])
def test_an_interrupted_run_ends_in_the_same_bytes(loss: str, run: Run, tmp_path: Path) -> None:
    given = {"loss": loss, "steps": 12, "contrastive_weight": 0.1, "in_batch_min_margin": 0.01}
    whole = run("whole", **given)
    with pytest.raises(KeyboardInterrupt):
        run("broken", **given, progress=stop_at(6))
    assert list((tmp_path / "broken" / "checkpoints" / "in_batch").glob("document-*"))
    again = run("broken", **given)
    assert weights(again) == weights(whole)
    assert log(again) == log(whole)


def test_a_student_is_made_anew_where_the_teacher_is_another_and_not_where_it_moved(
    run: Run, tiny_beir: Path, tiny_encoder: str, tiny_splade: str, tmp_path: Path
) -> None:
    store = rd.embed(tiny_beir, tiny_encoder, tmp_path / "store")
    run(in_batch_teacher=store)
    moved = tmp_path / "moved"
    store.path.rename(moved)
    run(in_batch_teacher=str(moved), progress=lambda steps: pytest.fail("trained again"))
    with pytest.raises(StaleOutputError, match="in_batch_teacher"):
        run(in_batch_teacher=tiny_splade)
    with pytest.raises(StaleOutputError, match="in_batch_weight"):
        run(in_batch_teacher=str(moved), in_batch_weight=0.5)


def test_a_store_without_some_texts_trains_nothing(
    run: Run, tiny_beir: Path, tiny_encoder: str, tmp_path: Path
) -> None:
    store = rd.embed(tiny_beir, tiny_encoder, tmp_path / "store", limit=5)
    with pytest.raises(StoreError, match=r"lacks \d+ of \d+, first"):
        run(in_batch_teacher=store)
    assert manifest.read(tmp_path / "student") is None


def test_a_student_that_scores_pairs_has_no_use_for_one(run: Run, tiny_cross_encoder: str) -> None:
    with pytest.raises(ConfigError, match="scores each query with documents of its own"):
        run(model=tiny_cross_encoder)


def test_it_changes_what_is_learnt(run: Run) -> None:
    found = {
        name: weights(run(name, steps=4, **given))
        for name, given in {
            "none": {"in_batch_teacher": None},
            "margins": {},
            "lighter": {"in_batch_weight": 0.1},
            "nothing": {"in_batch_weight": 0.0},
        }.items()
    }
    assert found["none"] == found["nothing"]
    assert len({*found.values()}) == 3


def test_a_teacher_that_decides_nothing_is_not_opened(run: Run, tmp_path: Path) -> None:
    """So that one `train:` of a recipe does for contrastive variants too."""
    out = run(loss="contrastive", in_batch_teacher=str(tmp_path / "none"), steps=2, eval_steps=2)
    run(loss="contrastive", in_batch_teacher=None, steps=2, eval_steps=2, progress=lambda _: pytest.fail("trained"))
    assert not {name for name in log(out) if name.startswith("in_batch")}
    by_topic = run("topics", loss="contrastive", topics=2, steps=2, eval_steps=2)
    assert {"in_batch_teacher"} == {name for name in log(by_topic) if name.startswith("in_batch")}
