"""Reading piece by piece, choosing teachers, labels from outside, damaged files."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest

from rankdistill import data
from rankdistill.errors import ConfigError, GateError, RankdistillError, StoreError
from rankdistill.gate import outline
from rankdistill.gate.run import examine
from rankdistill.gate.subject import of_store
from rankdistill.gate.verdict import Report, Status
from rankdistill.stores.reader import ScoreStore
from tests.gate.conftest import check, made_candidates, made_scores, of_check, write_store


def test_small_pieces_give_the_same_report(good_store: ScoreStore, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = check(good_store).to_json()
    monkeypatch.setattr(outline.Outline.spans, "__defaults__", (50,))
    steps: list[int] = []
    pieces = examine(of_store(good_store), progress=steps.append)
    assert len(steps) > 10
    assert sum(steps) == 2 * 720
    for one, other in zip(pieces.to_json()["teachers"][0]["verdicts"], whole["teachers"][0]["verdicts"], strict=True):
        assert one["numbers"] == pytest.approx(other["numbers"]), one["check"]
        assert {**one, "numbers": 0} == {**other, "numbers": 0}


def test_pieces_never_split_a_query(good_store: ScoreStore) -> None:
    found = outline.outline(of_store(good_store))
    spans = list(found.spans(100))
    assert spans[0][0] == "q000"
    assert spans[-1][1] == "q059"
    assert all(before[1] < after[0] for before, after in pairwise(spans))
    assert sum(rows for *_, rows in spans) == found.rows


def test_teachers_are_chosen_by_name(tmp_path: Path) -> None:
    candidates = made_candidates()
    teachers = {name: ("logit", made_scores(candidates)) for name in ("alpha", "beta", "gamma")}
    store = write_store(tmp_path / "store", candidates, teachers)
    assert [one.name for one in check(store).teachers] == ["alpha", "beta", "gamma"]
    assert [one.name for one in check(store, teachers=["gam", "alpha"]).teachers] == ["gamma", "alpha"]
    with pytest.raises(StoreError, match="alpha, beta, gamma"):
        check(store, teachers=["delta"])


def test_a_store_without_a_teacher_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="score or import"):
        check(write_store(tmp_path / "store", made_candidates(), {}))


def test_labels_come_from_a_data_set_where_the_store_has_none(tiny_beir: Path, tmp_path: Path) -> None:
    dataset = data.load(tiny_beir)
    rows = [(query_id, doc_id, None) for query_id in dataset.queries("train") for doc_id in sorted(dataset.contents)]
    candidates = pl.DataFrame(
        rows, schema={"query_id": pl.String, "doc_id": pl.String, "label": pl.Int32}, orient="row"
    ).with_columns(source=pl.lit("all"), rank=pl.lit(None, pl.Int32), source_score=pl.lit(None, pl.Float32))
    scores = made_scores(candidates)
    store = write_store(tmp_path / "store", candidates, {"one": ("logit", scores)})
    assert of_check(check(store), "positives").finding.startswith("no query")
    positives = sum(len(labels) for labels in dataset.qrels("train").values())
    assert of_check(check(store, dataset=dataset), "positives").numbers["positives"] == positives


def test_advice_is_for_cosine_or_dot(good_store: ScoreStore) -> None:
    assert of_check(examine(of_store(good_store), "dot"), "scale").numbers["recommended_scale"] == 1.0
    with pytest.raises(ConfigError, match="cosine or dot"):
        examine(of_store(good_store), "euclidean")


def test_a_failing_check_is_an_error_with_all_that_is_needed(tmp_path: Path) -> None:
    candidates = made_candidates()
    squashed = made_scores(candidates).with_columns(score=1 / (1 + (-3 * pl.col("score")).exp()))
    report = check(write_store(tmp_path / "store", candidates, {"squashed": ("logit", squashed)}))
    with pytest.raises(GateError, match="squashed: saturation: 720 scores") as caught:
        report.require()
    assert isinstance(caught.value, StoreError)
    assert "identity activation" in caught.value.remedy


def test_warnings_stop_only_where_asked(tmp_path: Path) -> None:
    candidates = made_candidates()
    report = check(write_store(tmp_path / "store", candidates, {"short": ("logit", made_scores(candidates).head(700))}))
    assert report.status == Status.WARN
    report.require()
    with pytest.raises(GateError, match="coverage"):
        report.require(strict=True)


def test_a_report_of_nothing_is_unknown() -> None:
    assert Report("nothing", "cosine", []).status == Status.UNKNOWN


@pytest.mark.parametrize(
    "damage",
    [
        lambda shard: shard.write_bytes(shard.read_bytes()[:100]),
        lambda shard: shard.write_bytes(b""),
        lambda shard: pl.DataFrame({"query": ["q"], "value": [1.0]}).write_parquet(shard),
        lambda shard: shard.unlink(),
    ],
    ids=["truncated", "empty", "foreign schema", "gone"],
)
def test_a_damaged_shard_is_an_error_that_says_so(good_store: ScoreStore, damage: Callable[[Path], object]) -> None:
    damage(good_store.layout.shards("good")[0])
    with pytest.raises(RankdistillError, match=r"store|shard"):
        check(good_store)


def test_the_report_is_json(good_store: ScoreStore) -> None:
    written = json.loads(json.dumps(check(good_store).to_json(), allow_nan=False))
    assert written["status"] == "pass"
    assert {verdict["check"] for verdict in written["teachers"][0]["verdicts"]} >= {"finite", "scale"}
