"""Teacher scores of any size train, or are refused: never a student of NaN, nor one that nothing moved."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from rankdistill.data import Dataset
from rankdistill.errors import ConfigError, LossInputError
from rankdistill.losses.checks import require_finite
from rankdistill.training.config import TrainConfig
from rankdistill.training.run import train
from tests.training.conftest import MemoryStore
from tests.training.test_run import SMALL, log

MARGINS = ("margin_mse", "margin_mse_all", "splade_v3")


def run(data: Dataset, store: MemoryStore, student: str, out: Path, factor: float, **given: Any) -> Path:
    louder = replace(store, score_frame=store.score_frame.with_columns(score=pl.col("score") * np.float32(factor)))
    return train(data, louder, student, out, TrainConfig(**SMALL, steps=2, check="warn", **given))


@pytest.mark.parametrize("loss", MARGINS)
@pytest.mark.parametrize("factor", [1e-31, 1e25])
def test_margins_that_cannot_be_squared_are_refused(
    loss: str, factor: float, tiny_data: Dataset, tiny_store: MemoryStore, tiny_encoder: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"deviate by 1e-15 to 1e\+15"):
        run(tiny_data, tiny_store, tiny_encoder, tmp_path / "student", factor, loss=loss)


@pytest.mark.parametrize("factor", [1e-13, 1e13])
def test_margins_of_odd_size_that_can_be_are_the_same_run(
    factor: float, tiny_data: Dataset, tiny_store: MemoryStore, tiny_encoder: str, tmp_path: Path
) -> None:
    usual, odd = (run(tiny_data, tiny_store, tiny_encoder, tmp_path / f"{one}", one) for one in (1.0, factor))
    first, second = ([point["loss"] for point in log(out)["loss"]] for out in (usual, odd))
    assert second == pytest.approx(first, rel=1e-3)


def test_a_loss_that_is_not_finite_stops_the_run(
    tiny_data: Dataset, tiny_store: MemoryStore, tiny_encoder: str, tmp_path: Path
) -> None:
    with pytest.raises(LossInputError, match="a finite loss"):
        run(tiny_data, tiny_store, tiny_encoder, tmp_path / "student", 1e13, margin_weight=1e30, loss="splade_v3")
    require_finite(torch.zeros(()), torch.ones(()))
    with pytest.raises(LossInputError, match="nan"):
        require_finite(torch.zeros(()), torch.tensor(torch.nan))
