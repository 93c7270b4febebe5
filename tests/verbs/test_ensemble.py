"""The verb `ensemble` from Python: an ensemble, what it is worth, and the store that it was written to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rankdistill.cli import console
from rankdistill.cli.ensemble import ensemble as command
from rankdistill.data import load
from rankdistill.errors import ConfigError
from rankdistill.stores.reader import ScoreStore
from rankdistill.verbs.ensemble import ensemble
from tests.cli.test_ensemble import store
from tests.cli.verb import run_verb
from tests.verbs.test_train import content

__all__ = ["store"]  # a fixture


def test_an_assessed_ensemble_says_what_it_is_worth(store: Path, tiny_beir: Path) -> None:
    found = ensemble(str(store), ["alpha", "beta"], missing="intersect", eval_data=str(tiny_beir))
    assert repr(found) == "Ensembled(alpha, beta: zscore, intersect)"
    assert found.store is None
    assert "6 of 6 queries; zscore, intersect" in str(found)
    assert "without alpha" in found._repr_html_()
    frame = found.to_polars()
    assert frame["system"].to_list()[:3] == ["ensemble", "alpha", "beta"]
    assert found.to_pandas()["ndcg_at_10"].between(0, 1).all()
    said = json.loads(json.dumps(found.to_json()))
    assert [one["weight"] for one in said["teachers"]] == [0.5, 0.5]
    assert said["coverage"]["dropped"] > 0
    assert (said["queries"], said["judged_queries"]) == (6, 6)


def test_the_store_is_that_of_the_command_and_has_the_fitted_weights(
    store: Path, tiny_beir: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    done: list[int] = []
    words = ["--store", store, "--teachers", "alpha,beta", "--missing", "impute", "--eval-data", tiny_beir, "--fit"]
    typed = run_verb(command, *words, "--json", "--out", tmp_path / "typed").stdout
    given: dict[str, Any] = {"missing": "impute", "eval_data": load(tiny_beir), "fit": True}
    given |= {"command": console.command(), "progress": done.append}
    found = ensemble(ScoreStore(store), ["alpha", "beta"], str(tmp_path / "called"), **given)
    assert content(tmp_path / "called") == content(tmp_path / "typed")
    assert found.store is not None
    assert sum(done) == found.store.count()
    fingerprint = found.store.fingerprint("ensemble")
    assert found.ensemble.weights == pytest.approx(fingerprint["weights"])
    assert f"written to {tmp_path / 'called'}" in repr(found)
    assert json.loads(typed)["fit"] == found.to_json()["fit"]
    caplog.set_level("INFO", "rankdistill")
    ensemble(store, ["alpha", "beta"], tmp_path / "called", **given)
    assert "called is up to date" in caplog.text


def test_without_judgements_it_shows_its_teachers(store: Path, tmp_path: Path) -> None:
    found = ensemble(store, ["alpha", "beta"], tmp_path / "out", missing="intersect", weights=[3.0, 1.0])
    assert found.to_polars().rows() == [("alpha-0", "alpha", 0.75), ("beta-0", "beta", 0.25)]
    assert found.tables() == []


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({}, "neither --eval-data nor --out"),
        ({"fit": True, "out": "o"}, "--fit without"),
        ({"out": "o", "weights": "1,2"}, "weights of ensemble"),
        ({"out": "o", "calibration": "rank"}, "calibrate is meant"),
    ],
)
def test_what_does_not_fit_is_refused(named: dict[str, Any], message: str, store: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        ensemble(store, ["alpha", "beta"], **named)
