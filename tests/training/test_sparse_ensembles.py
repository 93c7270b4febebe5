"""Sparse students of several calibrated teachers of a store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sentence_transformers import SparseEncoder

from rankdistill import manifest
from rankdistill.data import Dataset
from rankdistill.ensembles.source import Ensemble
from rankdistill.errors import StoreError
from rankdistill.stores.reader import ScoreStore
from rankdistill.training.config import TrainConfig
from rankdistill.training.run import train
from tests.ensembles.oracle import calibrated, combined
from tests.ensembles.stores import Pairs, as_dict, write_store
from tests.training.conftest import MemoryStore
from tests.training.test_run import SMALL, log

WEIGHTS = [2.0, 1.0]


@pytest.fixture
def teachers(tiny_store: MemoryStore) -> dict[str, Pairs]:
    """One that knows the labels, in logits, and one far away from it in place and width that looked at less."""
    knows = as_dict(tiny_store.scores())
    generator = np.random.default_rng(4)
    near = {pair: float(np.float32(500 + 80 * score + generator.normal() * 100)) for pair, score in knows.items()}
    unlabelled = sorted(as_dict(tiny_store.candidates().filter(pl.col("label").is_null()).select("query_id", "doc_id",
                        score=pl.lit(0.0))))  # fmt: skip
    for pair in unlabelled[::9]:
        del near[pair]
    return {"knows": knows, "near": near}


@pytest.fixture
def store(teachers: dict[str, Pairs], tiny_store: MemoryStore, tmp_path: Path) -> ScoreStore:
    """Both, on disk."""
    labelled = tiny_store.candidates().drop_nulls("label").select("query_id", "doc_id", "label")
    kinds = {"knows": "logit", "near": "dot"}
    return write_store(tmp_path / "store", teachers, kinds, labels=as_dict(labelled))


def run(dataset: Dataset, source: Any, student: str, out: Path, **given: Any) -> Path:
    settings = {**SMALL, "steps": 4, "check": "warn", **given}
    return train(dataset, source, student, out, TrainConfig(**settings))


@pytest.mark.parametrize(
    ("type_", "loss", "missing"),
    [("splade", "margin_mse", "intersect"), ("splade-doc", "kl", "impute"), ("inference-free", "splade_v3", "impute")],
)
def test_it_learns_the_mean_of_the_calibrated_teachers(
    type_: str,
    loss: str,
    missing: str,
    tiny_data: Dataset,
    store: ScoreStore,
    teachers: dict[str, Pairs],
    tiny_splade: str,
    tmp_path: Path,
) -> None:
    """The student is that of one teacher whose scores plain Python computed."""
    ensemble = Ensemble(store, ["knows", "near"], "zscore", missing, WEIGHTS)
    scores = combined([calibrated(one, "zscore") for one in teachers.values()], missing, WEIGHTS)
    rows = [(*pair, score) for pair, score in sorted(scores.items())]
    schema = {"query_id": pl.String, "doc_id": pl.String, "score": pl.Float32}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    candidates = store.candidates().join(frame, on=["query_id", "doc_id"], how="semi")
    by_hand = MemoryStore(frame, candidates, store.query_texts(), store.document_texts())

    settings = {"type": type_, "loss": loss}
    out = run(tiny_data, ensemble, tiny_splade, tmp_path / "ensemble", **settings)
    expected = run(tiny_data, by_hand, tiny_splade, tmp_path / "by-hand", **settings)
    assert log(out)["view"] == log(expected)["view"]
    curves = [[point["loss"] for point in log(one)["loss"]] for one in (out, expected)]
    np.testing.assert_allclose(*curves, rtol=1e-3)
    texts = ["the old river", "bread is sweet"]
    vectors = [SparseEncoder(str(one), device="cpu").encode_document(texts).to_dense() for one in (out, expected)]
    np.testing.assert_allclose(*vectors, rtol=1e-2, atol=1e-3)
    derivation = manifest.expect(out, "student", "train").parameters["derivation"]
    assert derivation["weights"] == pytest.approx({"knows-0": 2 / 3, "near-0": 1 / 3})


def test_a_calibration_into_a_teachers_unit_scales_the_targets(
    tiny_data: Dataset, store: ScoreStore, tiny_splade: str, tmp_path: Path
) -> None:
    """A fitted scale is larger by as much as the reference teacher's scores lie wider apart."""
    scales = {}
    for reference in ("knows", "near"):
        ensemble = Ensemble(store, ["knows", "near"], "affine-store", "intersect", reference=reference)
        out = run(tiny_data, ensemble, tiny_splade, tmp_path / reference, type="splade", scale="fitted")
        scales[reference] = log(out)["scale"]["final"]
    widths = {name: store.scores(f"{name}-0")["score"].std(ddof=0) for name in ("knows", "near")}
    assert scales["near"] / scales["knows"] == pytest.approx(widths["near"] / widths["knows"], rel=1e-3)


def test_what_one_teacher_lacks_stops_training_unless_a_policy_is_named(
    tiny_data: Dataset, store: ScoreStore, tiny_splade: str, tmp_path: Path
) -> None:
    with pytest.raises(StoreError, match="near lacks"):
        run(tiny_data, Ensemble(store, ["knows", "near"]), tiny_splade, tmp_path / "student", type="splade")
    assert not (tmp_path / "student" / "manifest.json").exists()


def test_other_weights_are_another_student(
    tiny_data: Dataset, store: ScoreStore, tiny_splade: str, tmp_path: Path
) -> None:
    ensemble = Ensemble(store, ["knows", "near"], missing="intersect")
    outs = [
        run(tiny_data, source, tiny_splade, tmp_path / name, type="inference-free", loss="kl")
        for name, source in (("equal", ensemble), ("one", ensemble.weighing([1, 0])))
    ]
    first, second = (manifest.expect(out, "student", "train") for out in outs)
    assert first.identity != second.identity
    assert log(outs[0])["loss"] != log(outs[1])["loss"]
