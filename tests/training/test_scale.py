"""The unit that margins are counted in: a student does not depend on the teacher's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from safetensors.torch import load_file

from rankdistill.data import Dataset
from rankdistill.names import LOSSES, compares_margins
from rankdistill.training.config import TrainConfig
from rankdistill.training.rows import TrainingRows
from rankdistill.training.run import train
from rankdistill.training.scale import UNIT_ROWS, margin_unit
from tests.training.conftest import MemoryStore
from tests.training.test_run import SMALL, log

STARTS = {
    "dense": "tiny_encoder",
    "multi-vector": "tiny_multi_vector",
    "cross-encoder": "tiny_cross_encoder",
    "pair-head": "tiny_encoder",
}
LOUDER = 8
"""A power of two, by which floats are multiplied exactly."""


def rows_of(scores: np.ndarray) -> TrainingRows:
    documents = np.zeros(scores.shape, dtype=np.int32)
    return TrainingRows(documents[:, 0], documents, scores.astype(np.float32), ["a"], ["b"])


def test_the_unit_is_the_standard_deviation_of_the_teachers_margins() -> None:
    scores = np.random.default_rng(1).normal(3, 7, size=(UNIT_ROWS + 50, 4)).astype(np.float32)
    seen = scores[:UNIT_ROWS].astype(np.float64)
    assert margin_unit(rows_of(scores)) == pytest.approx(np.std(seen[:, [0]] - seen[:, 1:]))


@pytest.mark.parametrize(("scores", "unit"), [([[1.1, 0.1, 0.1]], 1.0), ([[3.0, 0.0], [3.0, 0.0]], 3.0), ([[2, 2]], 1)])
def test_equal_margins_are_their_own_unit(scores: list[list[float]], unit: float) -> None:
    assert margin_unit(rows_of(np.array(scores * 7))) == pytest.approx(unit)


@pytest.mark.parametrize("scale", ["auto", "learned", "fitted"])
@pytest.mark.parametrize("loss", ["margin_mse", "margin_mse_all"])
@pytest.mark.parametrize("type_", STARTS)
def test_a_teacher_in_another_unit_teaches_the_same_student(
    type_: str, loss: str, scale: str, tiny_data: Dataset, tiny_store: MemoryStore, tmp_path: Path, request: Any
) -> None:
    start = request.getfixturevalue(STARTS[type_])
    louder = replace(tiny_store, score_frame=tiny_store.score_frame.with_columns(pl.col("score") * LOUDER))
    config = TrainConfig(**SMALL, steps=3, type=type_, loss=loss, scale=scale, check="off")
    one, other = (
        train(tiny_data, store, start, tmp_path / name, config)
        for name, store in (("one", tiny_store), ("other", louder))
    )
    for path in one.rglob("*.safetensors"):
        weights, others = load_file(path), load_file(other / path.relative_to(one))
        for name, values in weights.items():
            torch.testing.assert_close(values, others[name], rtol=1e-5, atol=1e-6)
    assert log(other)["margin_unit"] == LOUDER * log(one)["margin_unit"]
    assert log(other)["loss"] == log(one)["loss"]
    assert log(other)["clipped_steps"] == log(one)["clipped_steps"]


def test_a_scale_that_is_a_number_is_one_in_the_teachers_unit(
    tiny_data: Dataset, tiny_store: MemoryStore, tiny_encoder: str, tmp_path: Path
) -> None:
    louder = replace(tiny_store, score_frame=tiny_store.score_frame.with_columns(pl.col("score") * LOUDER))
    curves = [
        log(
            train(
                tiny_data,
                store,
                tiny_encoder,
                tmp_path / name,
                TrainConfig(**SMALL, steps=2, scale=scale, check="off"),
            )
        )["loss"]
        for name, store, scale in (("a", tiny_store, 5.0), ("b", louder, 5.0 * LOUDER), ("c", louder, 5.0))
    ]
    assert curves[0] == curves[1] != curves[2]


def test_only_what_is_counted_in_the_unit_is_another_student() -> None:
    marked = {name for name in LOSSES if "margin_unit" in TrainConfig(loss=name).decisive()}
    assert (
        marked == {name for name in LOSSES if compares_margins(name)} >= {"margin_mse", "margin_mse_all", "splade_v3"}
    )
    assert not marked & {"kl_div", "contrastive"}
