"""Each check on scores that are broken in its way, and on those that are not."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import polars as pl
import pytest
from scipy import stats

from rankdistill.gate.registry import CHECKS
from rankdistill.gate.run import examine
from rankdistill.gate.subject import of_store
from rankdistill.gate.verdict import Report, Status, Verdict
from rankdistill.names import compares_margins
from rankdistill.stores.reader import ScoreStore
from rankdistill.training.config import LossName
from tests.gate.conftest import check, made_candidates, made_scores, of_check, write_store

LOSS_NAMES = get_args(LossName)[0]
SIGMOID = 1 / (1 + (-pl.col("score")).exp())


class Bench:
    """Judges scores over the same candidates."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.candidates = folder, made_candidates()
        self.good = made_scores(self.candidates)

    def report(self, *scores: pl.DataFrame, kinds: tuple[str, ...] = ("logit",)) -> Report:
        teachers = {
            f"teacher{place}": (kind, rows) for place, (kind, rows) in enumerate(zip(kinds, scores, strict=True))
        }
        return check(write_store(self.folder / f"store-{len(list(self.folder.iterdir()))}", self.candidates, teachers))

    def verdict(self, name: str, scores: pl.DataFrame, kind: str = "logit") -> Verdict:
        return of_check(self.report(scores, kinds=(kind,)), name)

    def with_score(self, expression: pl.Expr) -> pl.DataFrame:
        return self.good.with_columns(score=expression.cast(pl.Float32))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_good_scores_pass_and_every_check_speaks(good_store: ScoreStore) -> None:
    report = check(good_store)
    assert [verdict.check for verdict in report.teachers[0].verdicts] == list(CHECKS)
    statuses = report.teachers[0].summary()
    assert statuses.pop("agreement") == "unknown"  # there is one teacher
    assert set(statuses.values()) == {"pass"}
    assert report.status == Status.PASS
    report.require()
    assert all(verdict.finding for verdict in report.teachers[0].verdicts)


@pytest.mark.parametrize(("value", "name"), [(float("nan"), "nan"), (float("inf"), "infinite"), (None, "null")])
def test_no_finite_number(bench: Bench, value: float | None, name: str) -> None:
    first = (pl.col("query_id") == "q003") & (pl.col("doc_id") == "d021")
    found = bench.verdict("finite", bench.with_score(pl.when(first).then(pl.lit(value)).otherwise("score")))
    assert found.status == Status.FAIL
    assert found.numbers[name] == 1
    assert found.examples[0].startswith("query q003, document d021")


def test_the_other_checks_survive_scores_that_are_all_nan(bench: Bench) -> None:
    report = bench.report(bench.with_score(pl.lit(float("nan"))))
    assert report.status == Status.FAIL
    assert of_check(report, "coverage").status == Status.FAIL
    assert of_check(report, "positives").status == Status.UNKNOWN


def test_a_pair_scored_twice(bench: Bench) -> None:
    found = bench.verdict("duplicates", pl.concat([bench.good, bench.good.head(2)]))
    assert (found.status, found.numbers["repeated_pairs"]) == (Status.FAIL, 2)
    assert "2 scores" in found.examples[0]


@pytest.mark.parametrize(("shift", "status"), [(0.0, Status.PASS), (1e-4, Status.PASS), (1.0, Status.WARN)])
def test_the_same_texts_under_two_ids(bench: Bench, shift: float, status: Status) -> None:
    key = pl.when(pl.col("doc_id") == "d021").then(pl.lit("same")).otherwise(pl.concat_str("query_id", "doc_id"))
    scores = bench.good.with_columns(
        key=key.str.head(16).str.pad_end(16).cast(pl.Binary),
        score=pl.when(pl.col("doc_id") == "d021").then(1.0 + shift * (pl.col("query_id") == "q003")).otherwise("score"),
    )
    found = bench.verdict("duplicates", scores)
    assert found.numbers["texts_under_several_ids"] == 1
    assert found.status == status


def test_candidates_without_a_score(bench: Bench) -> None:
    found = bench.verdict("coverage", bench.good.head(700))
    assert (found.status, found.numbers["without_score"]) == (Status.WARN, 20)
    assert found.examples


def test_most_queries_with_one_score(bench: Bench) -> None:
    found = bench.verdict("coverage", bench.good.unique("query_id"))
    assert found.status == Status.FAIL


def test_no_labels_at_all(bench: Bench) -> None:
    bench.candidates = bench.candidates.with_columns(label=pl.lit(None, pl.Int32))
    report = bench.report(bench.good)
    assert of_check(report, "coverage").status == Status.WARN
    assert {of_check(report, name).status for name in ("positives", "gain", "false_negatives")} == {Status.UNKNOWN}
    assert "no labels" in of_check(report, "scale").finding


@pytest.mark.parametrize("kind", ["logit", "probability", "unknown", "dot"])
def test_a_sigmoid_is_found_whatever_it_is_called(bench: Bench, kind: str) -> None:
    found = bench.verdict("saturation", bench.with_score(1 / (1 + (-3 * pl.col("score")).exp())), kind)
    assert found.status == Status.FAIL
    assert "squashed" in found.meaning
    assert "identity" in found.remedy


def test_claimed_logits_within_0_and_1_fail_without_saturated_ends_too(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.candidates = made_candidates(queries=120)
    bench.good = made_scores(bench.candidates)
    narrow = bench.with_score(0.5 + pl.col("score") / 100)
    assert bench.verdict("saturation", narrow).status == Status.FAIL
    assert bench.verdict("saturation", narrow, "cosine").status == Status.PASS
    assert bench.verdict("saturation", narrow, "calibrated").status == Status.PASS


def test_few_scores_within_0_and_1_are_no_proof(bench: Bench) -> None:
    found = bench.verdict("saturation", bench.with_score(0.5 + pl.col("score") / 100).head(90))
    assert found.status == Status.WARN


def test_constant_scores(bench: Bench) -> None:
    report = bench.report(bench.with_score(pl.lit(3.0)))
    assert of_check(report, "saturation").status == Status.FAIL
    assert of_check(report, "spread").status == Status.WARN
    assert of_check(report, "scale").status == Status.UNKNOWN


def test_rounded_scores(bench: Bench) -> None:
    assert bench.verdict("resolution", bench.with_score(pl.col("score").round(0))).status == Status.WARN
    assert bench.verdict("resolution", bench.with_score(pl.col("score").round(4))).status == Status.PASS


def test_few_values_are_natural_for_ranks_only(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.candidates = made_candidates(queries=200)
    ranks = made_scores(bench.candidates).with_columns(score=-pl.col("score").rank(descending=True).over("query_id"))
    rounded = made_scores(bench.candidates).with_columns(pl.col("score").round(1))
    assert bench.verdict("resolution", ranks, "rank").status == Status.PASS
    assert bench.verdict("resolution", rounded, "dot").status == Status.WARN


@pytest.mark.parametrize(("factor", "shape"), [(1000.0, "one-hot"), (1e-4, "uniform")])
def test_targets_that_teach_nothing_get_a_temperature(bench: Bench, factor: float, shape: str) -> None:
    found = bench.verdict("spread", bench.with_score(pl.col("score") * factor), "dot")
    assert found.status == Status.WARN
    assert shape in found.meaning
    temperature = found.numbers["recommended_temperature"]
    assert isinstance(temperature, float)
    again = bench.verdict("spread", bench.with_score(pl.col("score") * factor / temperature))
    assert again.numbers["effective_candidates"] == pytest.approx(again.numbers["target_effective_candidates"], rel=0.1)


def test_underflow_is_counted(bench: Bench) -> None:
    found = bench.verdict("spread", bench.with_score(pl.col("score") * 1000), "dot")
    assert found.numbers["share_underflowed_to_0"] == pytest.approx(11 / 12, abs=0.02)


def test_a_teacher_at_random_fails_with_enough_queries_only(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    assert bench.verdict("positives", made_scores(made_candidates(), gap=0.0)).status == Status.WARN
    bench.candidates = made_candidates(queries=600)
    assert bench.verdict("positives", made_scores(bench.candidates, gap=0.0)).status == Status.FAIL
    bench.candidates = made_candidates(queries=12)
    assert bench.verdict("positives", made_scores(bench.candidates, gap=0.0)).status == Status.UNKNOWN


def test_an_inverted_teacher_fails_and_is_told_apart(bench: Bench) -> None:
    found = bench.verdict("positives", bench.with_score(-pl.col("score")))
    assert found.status == Status.FAIL
    assert "negate" in found.remedy


def test_ranks_of_positives(bench: Bench) -> None:
    found = bench.verdict("positives", made_scores(bench.candidates, gap=100.0))
    assert found.numbers["median_rank"] == found.numbers["share_at_rank_1"] == found.numbers["mrr"] == 1
    assert found.numbers["share_in_lower_half"] == 0
    assert sum(found.histograms[0].counts) == found.numbers["positives"] == 60


def source_knows(bench: Bench) -> None:
    """Candidates whose source puts the positive first in four queries of five."""
    good = made_scores(bench.candidates, gap=4.0, noise=2.0, seed=9).rename({"score": "found"})
    ranked = bench.candidates.join(good, on=["query_id", "doc_id"])
    ranked = ranked.with_columns(rank=pl.col("found").rank("ordinal", descending=True).over("query_id").cast(pl.Int32))
    bench.candidates = ranked.drop("found")


def test_a_teacher_worse_than_its_candidates_order_fails(bench: Bench) -> None:
    source_knows(bench)
    assert bench.verdict("gain", made_scores(bench.candidates, gap=1.0)).status == Status.FAIL
    assert bench.verdict("gain", made_scores(bench.candidates, gap=9.0)).status == Status.PASS


def test_a_teacher_that_is_the_source_is_not_compared_with_itself(bench: Bench) -> None:
    source_knows(bench)
    bench.candidates = bench.candidates.with_columns(source=pl.lit("teacher0"))
    report = bench.report(made_scores(bench.candidates, gap=1.0))
    assert of_check(report, "gain").status == of_check(report, "order").status == Status.UNKNOWN


def test_positives_above_a_window_of_ranks_do_not_count_for_the_source(bench: Bench) -> None:
    in_front = pl.when(pl.col("label") == 1).then(1).otherwise(pl.col("rank") + 20).cast(pl.Int32)
    bench.candidates = bench.candidates.with_columns(rank=in_front)
    found = bench.verdict("gain", made_scores(bench.candidates, gap=1.0))
    assert (found.status, found.numbers["queries"]) == (Status.UNKNOWN, 0)


def test_a_source_that_ranked_few_of_the_pairs_only_warns(bench: Bench) -> None:
    source_knows(bench)
    some = pl.when(pl.col("rank") <= 6).then("rank")
    bench.candidates = bench.candidates.with_columns(rank=some)
    assert bench.verdict("gain", bench.with_score(-pl.col("score"))).status == Status.WARN


@pytest.mark.parametrize("kind", ["rank", "logit"])
def test_a_permutation_that_changed_nothing_fails_whatever_it_is_called(bench: Bench, kind: str) -> None:
    same = bench.candidates.select("query_id", "doc_id", score=-pl.col("rank").cast(pl.Float32))
    report = bench.report(same, kinds=(kind,))
    assert report.teachers[0].score_kind == "rank"
    assert of_check(report, "order").status == Status.FAIL
    assert of_check(report, "gain").status == Status.UNKNOWN


def test_scores_that_follow_the_source_only_warn(bench: Bench) -> None:
    factor = pl.col("query_id").str.slice(1).cast(pl.Float32) + 1
    report = bench.report(bench.candidates.select("query_id", "doc_id", score=-pl.col("rank") * factor), kinds=("dot",))
    assert of_check(report, "order").status == Status.WARN
    assert of_check(report, "gain").status == Status.UNKNOWN
    assert of_check(report, "order").numbers["share_unchanged"] == 1


def test_permutations_are_nobodys_first_stage(bench: Bench) -> None:
    source_knows(bench)
    bench.candidates = bench.candidates.with_columns(source=pl.lit("teacher1"))
    ranks = bench.candidates.select("query_id", "doc_id", score=-pl.col("rank").cast(pl.Float32))
    report = bench.report(made_scores(bench.candidates, gap=1.0), ranks, kinds=("dot", "rank"))
    assert of_check(report, "gain").status == Status.UNKNOWN


def test_agreement_of_teachers(bench: Bench) -> None:
    other = made_scores(bench.candidates, seed=5)
    shared = bench.good.with_columns(score=bench.good["score"] + other["score"])
    stranger = made_scores(bench.candidates, gap=-3.0, seed=6)
    report = bench.report(bench.good, shared, stranger, kinds=("logit",) * 3)
    statuses = [of_check(teacher, "agreement").status for teacher in report.teachers]
    assert statuses == [Status.PASS, Status.PASS, Status.WARN]
    assert set(of_check(report, "agreement").numbers) == {"teacher1", "teacher2"}


def test_twins_are_told(bench: Bench) -> None:
    report = bench.report(bench.good, bench.with_score(pl.col("score") * 2 + 1), kinds=("logit", "logit"))
    assert all("counts twice" in of_check(teacher, "agreement").meaning for teacher in report.teachers)


def test_likely_false_negatives(bench: Bench) -> None:
    weak = made_scores(bench.candidates, gap=1.0)
    found = bench.verdict("false_negatives", weak)
    assert found.status == Status.WARN
    both = bench.candidates.join(weak, on=["query_id", "doc_id"])
    best = both.filter(pl.col("label") == 1).select("query_id", best="score")
    above = both.filter(pl.col("label").is_null()).join(best, on="query_id").filter(pl.col("score") > pl.col("best"))
    assert found.numbers["share_above_the_positive"] == pytest.approx(above.height / (60 * 11))
    gap = above.select(gap=pl.col("score") - pl.col("best"), query="query_id").sort("gap")
    assert found.examples[0].startswith(f"query {gap['query'][-1]},")


def test_judged_documents_are_no_false_negatives(bench: Bench) -> None:
    bench.candidates = bench.candidates.with_columns(pl.col("label").fill_null(0))
    assert bench.verdict("false_negatives", made_scores(bench.candidates, gap=0.0)).status == Status.UNKNOWN


def test_the_recommended_scale_is_the_ratio_of_deviations(bench: Bench) -> None:
    both = bench.candidates.join(bench.good, on=["query_id", "doc_id"])
    best = both.filter(pl.col("label") == 1).select("query_id", best="score")
    margins = both.filter(pl.col("label").is_null()).join(best, on="query_id")
    margins = (margins["best"] - margins["score"]).to_numpy().astype(np.float64)
    found = bench.verdict("scale", bench.good)
    assert found.numbers["margin_deviation"] == pytest.approx(margins.std(), rel=1e-5)
    assert found.numbers["recommended_scale"] == pytest.approx(margins.std() / 0.13, rel=1e-5)
    temperature, scale = found.numbers["teacher_temperature"], found.numbers["recommended_scale"]
    assert found.numbers["similarity_temperature"] == pytest.approx(temperature / scale)  # type: ignore[operator]
    assert sum(found.histograms[0].counts) == len(margins)


def with_gains(bench: Bench, gains: np.ndarray) -> pl.DataFrame:
    """Scores that put the positive `gain` places (of 11) further to the front than the source, query by query."""
    queries = bench.candidates["query_id"].unique().sort()
    moved = bench.candidates.join(pl.DataFrame({"query_id": queries, "gain": gains}), on="query_id")
    step = pl.when(pl.col("label") == 1).then(pl.col("gain") + 0.5 * pl.col("gain").sign()).otherwise(0.0)
    factor = 1 + pl.col("query_id").str.slice(1).cast(pl.Float64)  # so that they are no ranks
    return moved.select("query_id", "doc_id", score=factor * (step - pl.col("rank")))


def middle(bench: Bench) -> None:
    """Candidates whose positive stands at the sixth of twelve ranks."""
    bench.candidates = bench.candidates.with_columns(label=pl.when(pl.col("rank") == 6).then(1).cast(pl.Int32))


@pytest.mark.parametrize(
    ("mean", "status"), [(0, Status.WARN), (-1, Status.FAIL), (1, Status.PASS)], ids=["contains 0", "below", "above"]
)
def test_the_gain_refuses_only_where_the_whole_interval_is_at_0_or_below(
    bench: Bench, mean: int, status: Status
) -> None:
    middle(bench)
    gains = mean + np.random.default_rng(0).permutation(np.tile([-2, 0, 2], 20))
    found = bench.verdict("gain", with_gains(bench, gains))
    # Student's interval as scipy computes it, of differences that are known: one place of eleven is 1/11.
    low, high = stats.t.interval(0.99, 59, loc=gains.mean() / 11, scale=stats.sem(gains / 11))
    assert found.numbers["gain_low"] == pytest.approx(low)
    assert found.numbers["gain_high"] == pytest.approx(high)
    assert (low > 0, high <= 0) == (status == Status.PASS, status == Status.FAIL)
    assert found.status == status
    assert "99% interval over 60 queries" in found.finding
    if status == Status.WARN:
        assert "not shown to be better" in found.meaning


def test_a_small_gain_that_is_not_shown_is_not_refused(bench: Bench) -> None:
    """An interval like [-.008, .018] does not prove that there is no gain."""
    middle(bench)
    gains = np.zeros(60)
    gains[:8] = [1, 1, 1, 1, 1, -1, -1, -1]
    found = bench.verdict("gain", with_gains(bench, gains))
    assert -0.02 < found.numbers["gain_low"] < 0 < found.numbers["gain_high"] < 0.02  # type: ignore[operator]
    assert found.status != Status.FAIL


def test_no_gain_can_show_where_the_source_is_perfect(bench: Bench) -> None:
    bench.candidates = bench.candidates.with_columns(
        label=pl.when((pl.col("rank") == 1) & (pl.col("query_id") < "q040")).then(1).cast(pl.Int32)
    )
    found = bench.verdict("gain", made_scores(bench.candidates, gap=100.0))
    assert (found.status, found.numbers["gain_high"]) == (Status.UNKNOWN, 0)
    assert bench.verdict("gain", made_scores(bench.candidates, gap=1.0)).status == Status.FAIL


@pytest.mark.parametrize("queries", [1, 2, 19])
def test_few_queries_decide_nothing_of_how_a_teacher_ranks(tmp_path: Path, queries: int) -> None:
    bench = Bench(tmp_path)
    bench.candidates = made_candidates(queries=queries)
    inverted = made_scores(bench.candidates, gap=-9.0)
    same = bench.candidates.select("query_id", "doc_id", score=-pl.col("rank").cast(pl.Float32))
    report = bench.report(inverted, same, kinds=("logit", "rank"))
    for teacher in report.teachers:
        statuses = {verdict.check: verdict for verdict in teacher.verdicts}
        for name in ("positives", "gain", "order", "agreement"):
            assert statuses[name].status == Status.UNKNOWN, (teacher.name, name)
            assert "inf" not in statuses[name].finding


def test_two_scores_are_too_few_to_speak_of_ties(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.candidates = made_candidates(queries=1, depth=2)
    tied = bench.candidates.select("query_id", "doc_id", score=pl.lit(1.5, pl.Float32))
    assert bench.verdict("resolution", tied).status == Status.UNKNOWN


def test_probabilities_that_underflowed_have_no_order(bench: Bench) -> None:
    report = bench.report(bench.with_score(pl.col("score").abs() * 1e-31), kinds=("unknown",))
    assert report.teachers[0].score_kind == "unknown"
    assert of_check(report, "saturation").numbers["share_of_queries_with_equal_scores"] == 1
    assert of_check(report, "saturation").status == Status.FAIL
    assert "no order" in of_check(report, "saturation").meaning
    assert of_check(report, "positives").numbers["concordance"] == 0.5
    assert of_check(report, "resolution").numbers["share_of_tied_neighbours"] == 1
    assert of_check(report, "spread").numbers["recommended_temperature"] is None
    assert of_check(report, "scale").status == Status.UNKNOWN


def test_what_is_nothing_beside_the_largest_score_is_a_tie(bench: Bench) -> None:
    half = pl.col("query_id") < "q030"
    report = bench.report(bench.with_score(pl.when(half).then(pl.col("score").abs() * 1e-31).otherwise("score")))
    assert of_check(report, "saturation").numbers["share_of_queries_with_equal_scores"] == 0.5
    small = bench.report(bench.with_score(pl.col("score") * 1e-6))
    assert of_check(small, "saturation").numbers["share_of_queries_with_equal_scores"] == 0
    assert of_check(small, "positives").numbers["concordance"] == pytest.approx(
        of_check(bench.report(bench.good), "positives").numbers["concordance"]
    )


@pytest.mark.parametrize("kind", ["rank", "unknown"])
def test_a_permutation_that_moves_the_same_places_in_every_query_did_not_read(bench: Bench, kind: str) -> None:
    moved = (pl.col("rank") + 3) % 12
    found = bench.verdict("order", bench.candidates.select("query_id", "doc_id", score=-moved.cast(pl.Float32)), kind)
    assert (found.status, found.numbers["share_moved_alike"]) == (Status.FAIL, 1)
    assert "does not depend on the texts" in found.meaning


def test_margins_of_ranks_have_no_unit(bench: Bench) -> None:
    ranks = bench.good.with_columns(score=pl.col("score").rank("ordinal").over("query_id").cast(pl.Float32) - 12)
    store = write_store(bench.folder / "ranks", bench.candidates, {"permutations": ("rank", ranks)})
    found = {loss: of_check(examine(of_store(store), loss=loss), "unit") for loss in (None, *get_args(LOSS_NAMES))}
    expected = {loss: Status.FAIL if compares_margins(loss) else Status.PASS for loss in get_args(LOSS_NAMES)}
    assert {loss: verdict.status for loss, verdict in found.items()} == expected | {
        None: Status.WARN,
        "margin_mse": Status.FAIL,
        "margin_mse_all": Status.FAIL,
        "splade_v3": Status.FAIL,
        "kl_div": Status.PASS,
        "contrastive": Status.PASS,
    }
    assert "kl" in found["margin_mse"].remedy
    assert "--calibrate" in found["margin_mse"].remedy
    assert "scale" not in of_check(check(store), "scale").finding
    assert bench.verdict("unit", bench.good).status == Status.PASS


def test_fused_runs_and_calibrated_scores_are_no_sigmoids(bench: Bench) -> None:
    one, other = (made_scores(bench.candidates, seed=seed) for seed in (3, 4))
    place = pl.col("score").rank(descending=True).over("query_id")
    reciprocal = [rows.with_columns(score=1 / (60 + place))["score"] for rows in (one, other)]
    fused = one.with_columns(score=(reciprocal[0] + reciprocal[1]).cast(pl.Float32) / 2)
    found = bench.verdict("saturation", fused, "unknown")
    assert (found.status, found.numbers["share_near_0_or_1"]) == (Status.PASS, 1)
    ends = one.with_columns(score=((place - 1) / 11).round(0).cast(pl.Float32))
    assert bench.verdict("saturation", ends, "calibrated").status == Status.PASS
