"""The verbs `plan` and `score`, as a user types them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from rankdistill import manifest
from rankdistill.inference.backends.torch_runtime import TorchBackend
from tests.cli.verb import Run
from tests.stores.test_writer import contents


@pytest.fixture
def words(tiny_beir: Path, tiny_cross_encoder: str, mined: Path) -> list[object]:
    """What `plan` and `score` have in common, up to the folder of the store."""
    return [
        *("--data", tiny_beir, "--teacher", tiny_cross_encoder, "--candidates", mined, "--backend", "torch"),
        *("--unit-size", 16, "--out"),
    ]


def test_a_plan_says_what_is_missing_how_long_it_takes_and_what_it_costs(
    rankdistill: Run, words: list[object], tmp_path: Path
) -> None:
    before = contents(tmp_path)
    status, text = rankdistill("plan", *words, tmp_path / "store", "--sample", 8, "--price-per-hour", 3)
    assert status == 0
    for part in (
        "wanted 120 unique pairs",
        "missing 120, in 8 shards",
        "time about",
        "measured on a sample",
        "at 3 an hour",
    ):
        assert part in text
    assert contents(tmp_path) == before


def test_a_plan_over_a_finished_store_has_nothing_to_do(rankdistill: Run, words: list[object], tmp_path: Path) -> None:
    assert rankdistill("score", *words, tmp_path / "store")[0] == 0
    before = contents(tmp_path / "store")
    status, text = rankdistill("plan", *words, tmp_path / "store")
    assert (status, "missing 0, in 0 shards" in text, "time" in text) == (0, True, False)
    assert contents(tmp_path / "store") == before


def test_shares_make_the_store_that_one_run_makes(rankdistill: Run, words: list[object], tmp_path: Path) -> None:
    assert rankdistill("score", *words, tmp_path / "whole", "--executor", "local", "--workers", 1)[0] == 0
    texts = []
    for share in ("2/3", "1/3", "3/3"):
        status, text = rankdistill("score", *words, tmp_path / "store", "--shard", share, "--lock-wait", 5)
        assert status == 0
        texts.append(text)
    assert "share 2/3 is done; 5 shards of the others are missing" in texts[0]
    assert "missing" not in texts[2]
    assert contents(tmp_path / "store") == contents(tmp_path / "whole")


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--shard", "4/3"], "1 <= i <= n"),
        (["--shard", "first"], "1 <= i <= n"),
        (["--executor", "spark"], "an executor among local, ray"),
        (["--workers", 4], "give --executor ray"),
    ],
)
def test_bad_settings_are_refused_before_anything_is_written(
    rankdistill: Run, words: list[object], tmp_path: Path, flags: list[object], said: str
) -> None:
    status, text = rankdistill("score", *words, tmp_path / "store", *flags)
    assert status == 1
    assert "ConfigError" in text
    assert said in text
    assert not (tmp_path / "store").exists()


def test_a_back_end_in_less_precision_is_checked_before_anything_is_written(
    rankdistill: Run, words: list[object], tmp_path: Path
) -> None:
    fast = [*("torch-bf16" if word == "torch" else word for word in words), tmp_path / "store"]
    status, text = rankdistill("score", *fast, "--min-fidelity", 1)
    assert status == 1
    assert "BackendFidelityError" in text
    assert "auto is exact" in text
    assert not (tmp_path / "store").exists()
    status, text = rankdistill("score", *fast, "--min-fidelity", 0.5)
    assert status == 0
    assert "within a query" in text
    held = " ".join(rankdistill("status", tmp_path / "store")[1].split())
    assert "over 120 pairs" in held
    assert "within a query" in held
    (record,) = manifest.expect(tmp_path / "store", "scores", "score").parameters["fidelity"].values()
    assert record["pairs"] == 120
    assert record["spearman"] > 0.9
    assert record["ndcg_change"] is not None


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_ray_makes_the_store_that_the_local_executor_makes(
    rankdistill: Run, words: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "local")
    assert rankdistill("score", *words, tmp_path / "whole")[0] == 0
    status, text = rankdistill("score", *words, tmp_path / "store", "--executor", "ray", "--workers", 2)
    assert status == 0, text
    assert contents(tmp_path / "store") == contents(tmp_path / "whole")


def test_outputs_that_are_not_the_pairs_own_are_an_error_and_nothing_is_stored(
    rankdistill: Run, words: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A back end that keeps its last output for a batch that it fails on, without an error."""
    own, last = TorchBackend.run, {}

    def silent(self: TorchBackend, features: Mapping[str, np.ndarray]) -> np.ndarray:
        if features["input_ids"].shape[1] < 20 or not last:
            last[0] = own(self, features)
        return last[0]

    monkeypatch.setattr(TorchBackend, "run", silent)
    status, text = rankdistill("score", *words, tmp_path / "store")
    assert status == 1
    assert "back end torch" in text
    assert "Traceback" not in text
    assert not list((tmp_path / "store" / "scores").rglob("*.parquet"))
    monkeypatch.undo()
    assert rankdistill("score", *words, tmp_path / "store")[0] == 0
