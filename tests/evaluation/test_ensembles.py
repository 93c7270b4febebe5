"""An ensemble's report: each figure as if it were computed alone, and fitted weights only on queries held out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from rankdistill.ensembles import fitting
from rankdistill.ensembles.source import Ensemble
from rankdistill.errors import DataError
from rankdistill.evaluation.ensembles import FITTED, assess, cross_validated, quality_rows, weight_rows
from rankdistill.evaluation.measures import evaluate_run
from rankdistill.stores.reader import ScoreStore
from tests.ensembles.stores import Pairs, write_store

QRELS = {
    f"q{query:02d}": {f"d{doc:02d}": int(label) for doc, label in enumerate(labels)}
    for query, labels in enumerate(np.random.default_rng(3).choice([0, 0, 0, 1, 2], (20, 12)))
}


def teacher(seed: int, noise: float, share: float = 1.1) -> Pairs:
    generator = np.random.default_rng(seed)
    return {
        (query_id, doc_id): float(label + generator.normal() * noise)
        for query_id, labels in QRELS.items()
        for doc_id, label in labels.items()
        if generator.random() < share
    }


TEACHERS = {"good": teacher(1, 0.6), "fair": teacher(2, 1.2, 0.8), "noise": teacher(3, 60.0)}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ScoreStore:
    return write_store(tmp_path_factory.mktemp("store"), TEACHERS, shard_rows=50)


def ndcg(scores: pl.DataFrame) -> float:
    run: dict[str, dict[str, float]] = {}
    for query_id, doc_id, score in scores.iter_rows():
        run.setdefault(query_id, {})[doc_id] = score
    return evaluate_run(run, QRELS).means["ndcg_at_10"]


@pytest.mark.parametrize("missing", ["intersect", "impute"])
def test_every_row_is_what_it_is_alone(store: ScoreStore, missing: str) -> None:
    ensemble = Ensemble(store, ["good", "fair", "noise"], "rank", missing)
    quality = assess(ensemble, QRELS)
    found = {system.name: system.measures["ndcg_at_10"] for system in quality.systems}
    wanted = {"ensemble": ndcg(ensemble.scores())} | {name: ndcg(store.scores(name)) for name in TEACHERS}
    if missing == "intersect":
        kept = ensemble.scores().select("query_id", "doc_id")
        same = {name: store.scores(name).join(kept, on=["query_id", "doc_id"], how="semi") for name in TEACHERS}
        wanted |= {f"{name} on the same pairs": ndcg(scores) for name, scores in same.items()}
    for name in TEACHERS:
        others = [other for other in TEACHERS if other != name]
        wanted[f"without {name}"] = ndcg(Ensemble(store, others, "rank", missing).scores())
    assert found == pytest.approx(wanted)
    assert {one.system: one.difference for one in quality.comparisons} == pytest.approx(
        {name: value - wanted["ensemble"] for name, value in wanted.items() if name != "ensemble"}
    )
    assert all(one.p_holm >= one.p_value for one in quality.comparisons)
    assert (quality.queries, quality.coverage) == (20, ensemble.coverage)


def test_only_judged_queries_count(store: ScoreStore) -> None:
    some = {query_id: QRELS[query_id] for query_id in list(QRELS)[:7]} | {"unscored": {"d00": 1}}
    quality = assess(Ensemble(store, ["good", "noise"]), some)
    assert (quality.queries, quality.coverage.wanted) == (7, 7 * 12)
    with pytest.raises(DataError, match="none of its 1 queries"):
        assess(Ensemble(store, ["good"]), {"unscored": {"d00": 1}})


def test_a_query_is_scored_with_weights_that_never_saw_it(store: ScoreStore, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[set[str]] = []

    def remember(found: fitting.Examples) -> list[float]:
        seen.append(set(found.query_ids))
        return [0.0, 1.0] if len(seen) == 3 else [1.0, 0.0]

    monkeypatch.setattr(fitting, "fit", remember)
    ensemble = Ensemble(store, ["good", "noise"], "none")
    fit, held_out = cross_validated(ensemble, ensemble.pieces(), QRELS)
    assert [len(one) for one in seen] == [20, 16, 16, 16, 16, 16]
    assert list(fit.weights.values()) == [1.0, 0.0]
    unseen = pl.col("query_id").is_in(sorted(set(QRELS) - seen[2]))
    assert held_out.height == 20 * 12
    assert held_out.filter(unseen).equals(store.scores("noise").filter(unseen))
    assert held_out.filter(~unseen).equals(store.scores("good").filter(~unseen))


def test_fitting_lowers_a_bad_teacher_and_reports_on_held_out_queries(store: ScoreStore) -> None:
    quality = assess(Ensemble(store, ["good", "fair", "noise"], missing="impute"), QRELS, fit=True)
    assert quality.fit is not None
    assert quality.fit.weights["good-0"] > quality.fit.weights["fair-0"] > quality.fit.weights["noise-0"]
    assert all(fold["noise-0"] < 0.15 for fold in quality.fit.folds)
    (fitted,) = [one for one in quality.comparisons if one.system == FITTED]
    assert fitted.difference > 0


def test_labels_that_no_teacher_knows_give_no_gain_on_held_out_queries(tmp_path: Path) -> None:
    """Weights fitted and shown on the same queries would look better than equal ones; held-out ones do not."""
    store = write_store(tmp_path, {f"t{seed}": teacher(seed, 1e6) for seed in range(8)}, shard_rows=500)
    quality = assess(Ensemble(store, [f"t{seed}" for seed in range(8)]), QRELS, fit=True)
    (fitted,) = [one for one in quality.comparisons if one.system == FITTED]
    assert not fitted.significant()


def test_a_query_without_relevant_documents_is_scored_too(store: ScoreStore) -> None:
    qrels = QRELS | {"q00": dict.fromkeys(QRELS["q00"], 0)}
    ensemble = Ensemble(store, ["good", "noise"])
    _, held_out = cross_validated(ensemble, ensemble.pieces(), qrels)
    assert held_out.select("query_id", "doc_id").equals(ensemble.scores().select("query_id", "doc_id"))


def test_the_tables_have_a_row_a_system_and_a_row_a_teacher(store: ScoreStore) -> None:
    quality = assess(Ensemble(store, ["good", "noise"]), QRELS, fit=True)
    header, rows = quality_rows(quality)
    assert header == [
        "system",
        "nDCG@10",
        "difference",
        "95% interval",
        "p",
        "p (Holm)",
        "effect",
        "won/tied/lost",
        "verdict",
    ]
    assert [row[0] for row in rows] == ["ensemble", "good", "noise", "without good", "without noise", FITTED]
    assert {len(row) for row in rows} == {len(header)}
    assert quality.fit is not None
    _, weights = weight_rows(quality.fit, {"good-0": "good", "noise-0": "noise"})
    assert [row[0] for row in weights] == ["good (good-0)", "noise (noise-0)"]
