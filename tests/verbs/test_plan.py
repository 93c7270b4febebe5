"""The verb `plan` from Python: counts, speed and cost, and that nothing is written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import rankdistill as rd
from rankdistill.errors import ConfigError
from rankdistill.mining.candidates import Candidates
from rankdistill.verbs.plan import Plan
from tests.cli.verb import run_verb
from tests.verbs.files import contents


def test_a_plan_counts_measures_and_writes_nothing(
    tiny_beir: Path, tiny_cross_encoder: str, mined: Candidates, tmp_path: Path
) -> None:
    before, done = contents(tmp_path), list[int]()
    plan = rd.plan(
        str(tiny_beir),
        tiny_cross_encoder,
        mined,
        str(tmp_path / "s"),
        price_per_hour=3.0,
        sample=8,
        unit_size=16,
        progress=done.append,
    )
    assert contents(tmp_path) == before
    assert (plan.wanted, plan.missing, plan.shards, sum(done)) == (120, 120, 8, 8)
    assert plan.rate is not None
    assert plan.seconds == pytest.approx(120 / plan.rate)
    assert plan.cost == pytest.approx(120 / plan.rate / 3600 * 3)
    assert (plan.bytes, plan.estimate) == (None, None)
    lines = str(plan).splitlines()
    assert lines[:2] == ["wanted   120 unique pairs", "missing  120, in 8 shards"]
    assert lines[2].endswith("pairs/s (measured on a sample)")
    assert lines[3].endswith("at 3 an hour")
    assert repr(plan).startswith("Plan(120 of 120 unique pairs missing, in 8 shards, about ")
    assert "120 unique pairs" in plan._repr_html_()
    assert plan.to_polars()["missing"].to_list() == [120]
    assert len(plan.to_pandas()) == 1
    assert json.loads(json.dumps(plan.to_json()))["shards"] == 8


def test_a_finished_store_leaves_nothing_to_do(
    tiny_beir: Path, tiny_cross_encoder: str, mined: Candidates, tmp_path: Path
) -> None:
    store = rd.score(tiny_beir, tiny_cross_encoder, mined, tmp_path / "s")
    plan = rd.plan(tiny_beir, tiny_cross_encoder, mined, store)
    assert (plan.wanted, plan.missing, plan.shards, plan.rate, plan.seconds) == (120, 0, 0, None, None)
    assert str(plan).splitlines() == ["wanted   120 unique pairs", "missing  0, in 0 shards"]


def test_a_teacher_that_may_cost_money_is_estimated_and_not_asked() -> None:
    plan = Plan(120, 60, 16, estimate={"requests": "60", "cost": "about 0.01"})
    assert str(plan).splitlines()[2:] == ["requests 60", "cost     about 0.01"]
    assert plan.to_json()["estimate"] == {"requests": "60", "cost": "about 0.01"}


def test_the_command_prints_the_plan_as_json(
    tiny_beir: Path, tiny_cross_encoder: str, mined: Candidates, tmp_path: Path
) -> None:
    from rankdistill.cli.plan import plan

    flags = ["--data", tiny_beir, "--teacher", tiny_cross_encoder, "--candidates", mined.path, "--sample", 0]
    told = json.loads(run_verb(plan, *flags, "--out", tmp_path / "s", "--json").stdout)
    assert (told["missing"], told["rate"], told["unit"]) == (120, None, "unique pairs")


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"sample": -1}, "sample of at least 0"),
        ({"price_per_hour": -1.0}, "price_per_hour of at least 0"),
        ({"price": 1.0}, "price_per_hour"),
        ({"out": None}, "out of plan"),
    ],
)
def test_wrong_names_types_and_values_are_errors(
    tiny_beir: Path, tiny_cross_encoder: str, mined: Candidates, tmp_path: Path, changed: dict[str, Any], says: str
) -> None:
    given = {"data": tiny_beir, "teacher": tiny_cross_encoder, "candidates": mined, "out": tmp_path / "s"} | changed
    with pytest.raises(ConfigError, match=says):
        rd.plan(**given)
