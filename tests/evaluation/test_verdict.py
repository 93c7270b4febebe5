"""What a verdict says of figures that are known, and its numbers against independent computations."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from rankdistill.errors import DataError
from rankdistill.evaluation.significance import ratio_interval, trainings_interval
from rankdistill.evaluation.systems import Latency, System
from rankdistill.evaluation.verdict.evidence import BM25, TEACHER, UNTRAINED, Evidence, Judged
from rankdistill.evaluation.verdict.int8 import Int8
from rankdistill.evaluation.verdict.judging import judge
from rankdistill.evaluation.verdict.records import USUAL, Bounds, Status, Verdict
from rankdistill.evaluation.verdict.registry import CHECKS

QUERIES = 60
GOOD = Int8(texts=QUERIES, size=900, mean_cosine=0.99, least_cosine=0.97, ndcg_float32=0.7, ndcg_int8=0.698)


def judged(name: str, mean: float, milliseconds: float | None = None, size: int | None = None, seed: int = 0) -> Judged:
    """A system whose queries lie around a mean, each with noise of its own."""
    rng = np.random.default_rng([seed, *name.encode()])
    noise = rng.normal(0, 0.05, QUERIES)
    values = mean + noise - noise.mean()
    latency = None if milliseconds is None else Latency(p50=milliseconds, p99=milliseconds, queries=3)
    system = System(name=name, measures={"ndcg_at_10": mean}, latency_ms=latency, model_bytes=size)
    return Judged(system, values[None])


OTHERS = {
    BM25: judged("BM25", 0.6),
    UNTRAINED: judged("untrained", 0.5),
    TEACHER: judged("teacher", 0.74, 40.0, 92_000_000),
}


def evidence(mean: float = 0.7, without: tuple[str, ...] = (), ids: str = "q", **settings: Any) -> Evidence:
    student: Any = judged("small", mean, 2.0, 46_000_000)
    others = {role: one for role, one in OTHERS.items() if role not in without}
    query_ids = [f"{ids}{place}" for place in range(QUERIES)]
    return Evidence(**({"student": student, "others": others, "query_ids": query_ids, "int8": GOOD} | settings))


def refused(verdict: Verdict) -> list[str]:
    return [one.check for one in verdict.reasons]


def test_a_good_student_ships_and_one_sentence_has_quality_speed_and_bytes() -> None:
    verdict = judge(evidence(), USUAL)
    assert verdict.ship
    assert {one.check: one.status for one in verdict.findings} == dict.fromkeys(CHECKS, Status.PASS)
    assert verdict.sentence == (
        "Ship small: nDCG@10 0.700, above BM25's 0.600 (+0.100; p < .001), 95% of the 0.740 of teacher, 20.0 times "
        "faster a query (2.0 ms against 40.0), 46 MB of weights, 50% of 92 MB."
    )


@pytest.mark.parametrize(
    ("found", "check", "reason"),
    [
        (evidence(others=OTHERS | {UNTRAINED: judged("untrained", 0.7, seed=1)}), "untrained", "learnt nothing"),
        (evidence(others=OTHERS | {UNTRAINED: judged("untrained", 0.8)}), "untrained", "made worse"),
        (evidence(others=OTHERS | {BM25: judged("BM25", 0.8)}), "bm25", "below BM25"),
        (evidence(others=OTHERS | {TEACHER: judged("teacher", 0.8)}), "teacher", "too little of its teacher"),
        (evidence(int8=Int8(problem="is absent")), "int8", "int8 file is broken"),
        (evidence(int8=GOOD.model_copy(update={"mean_cosine": 0.94})), "int8", "gives other vectors"),
        (evidence(int8=GOOD.model_copy(update={"ndcg_int8": 0.68})), "int8", "gives other vectors"),
        (evidence(without=(BM25,)), "bm25", "not held against BM25"),
        (evidence(without=(UNTRAINED,)), "untrained", "not held against itself"),
    ],
)
def test_each_fault_is_refused_for_its_own_reason_alone(found: Evidence, check: str, reason: str) -> None:
    verdict = judge(found, USUAL)
    assert not verdict.ship
    assert refused(verdict) == [check]
    assert reason in verdict.sentence
    assert verdict.sentence.startswith("Refuse small, wh")
    assert "nDCG@10 0.700" in verdict.sentence


def test_several_reasons_are_all_told() -> None:
    verdict = judge(evidence(0.4, int8=Int8(problem="is absent")), USUAL)
    assert refused(verdict) == ["bm25", "untrained", "teacher", "int8"]
    assert "which is below BM25, which training made worse, " in verdict.sentence
    assert " and whose int8 file is broken: " in verdict.sentence


@pytest.mark.parametrize(
    ("found", "check", "said", "is_judged"),
    [
        (evidence(without=(TEACHER,)), "teacher", "teacher was not evaluated", False),
        (evidence(others=OTHERS | {TEACHER: Judged(OTHERS[TEACHER].system, np.zeros((1, QUERIES)))}), "teacher",
         "finds nothing", False),
        (evidence(int8=None), "int8", "no int8 file was given", False),
        (evidence(int8=Int8(texts=5, mean_cosine=0.99, least_cosine=0.9)), "int8", "no documents", True),
        (evidence(ids="generated-"), "queries", "60 of 60 judged queries were made", True),
        (evidence(others=OTHERS | {BM25: judged("BM25", 0.699)}), "bm25", "as BM25", True),
        (evidence(others=OTHERS | {BM25: judged("BM25", 0.8)}, ids="generated-"), "bm25", "in their very words", False),
        (evidence(others=OTHERS | {TEACHER: judged("teacher", 0.775)}), "teacher", "less is not excluded", True),
    ],
)  # fmt: skip
def test_what_is_not_known_or_not_shown_is_a_warning_and_never_silent(
    found: Evidence, check: str, said: str, is_judged: bool
) -> None:
    verdict = judge(found, USUAL)
    one = verdict.finding(check)
    assert verdict.ship
    assert (one.status, one.judged) == (Status.WARN, is_judged)
    assert said in one.sentence


def test_few_queries_refuse_and_so_many_as_are_asked_for_do_not() -> None:
    few = judge(evidence(), Bounds(least_queries=QUERIES + 1))
    assert refused(few) == ["queries"]
    assert not few.finding("queries").judged
    assert judge(evidence(), Bounds(least_queries=QUERIES)).ship


def test_a_table_needs_no_int8_file() -> None:
    found = judge(evidence(int8=Int8(none_needed=True)), USUAL).finding("int8")
    assert (found.status, found.judged) == (Status.PASS, False)
    assert "none is needed" in found.sentence


def test_bounds_move_the_lines() -> None:
    assert refused(judge(evidence(), Bounds(keep=0.96))) == ["teacher"]
    assert refused(judge(evidence(), Bounds(least_cosine=0.995))) == ["int8"]
    assert refused(judge(evidence(), Bounds(most_loss=0.001))) == ["int8"]
    assert "untrained" in refused(judge(evidence(), Bounds(level=0.0)))


def test_the_numbers_are_those_of_an_independent_computation() -> None:
    found = evidence(0.615)
    mine = found.student.values[0]
    verdict = judge(found, USUAL)
    p_values = {}
    for role, other in found.others.items():
        drawn = stats.permutation_test(
            (mine, other.values[0]),
            lambda x, y, axis: np.mean(x - y, axis=axis),
            permutation_type="samples",
            n_resamples=50_000,
            rng=3,
        )
        p_values[role] = float(drawn.pvalue)
        assert found.tests[role].p_value == pytest.approx(p_values[role], abs=0.012), role
        assert verdict.finding(role).figures["difference"] == pytest.approx((mine - other.values[0]).mean())
    order = sorted(p_values, key=lambda role: p_values[role])
    corrected, highest = {}, 0.0
    for place, role in enumerate(order):
        highest = max(highest, min(1.0, (3 - place) * found.tests[role].p_value))
        corrected[role] = highest
    assert {role: test.p_holm for role, test in found.tests.items()} == pytest.approx(corrected)
    share = verdict.finding("teacher").figures
    boot = stats.bootstrap(
        (mine, found.others[TEACHER].values[0]),
        lambda a, b, axis: np.mean(a, axis=axis) / np.mean(b, axis=axis),
        paired=True,
        method="percentile",
        n_resamples=10_000,
        rng=4,
    ).confidence_interval
    assert share["share"] == pytest.approx(0.615 / 0.74)
    assert (share["share_low"], share["share_high"]) == pytest.approx((boot.low, boot.high), abs=0.003)


def test_the_interval_of_a_ratio_draws_trainings_too_and_needs_something_to_divide_by() -> None:
    rng = np.random.default_rng(1)
    base = rng.uniform(0.4, 0.6, size=(1, 80))
    several = base * np.array([[0.8], [1.0], [1.2]])
    narrow = ratio_interval(several.mean(axis=0, keepdims=True), base)
    wide = ratio_interval(several, base)
    assert narrow == pytest.approx((1.0, 1.0))
    assert wide[0] < 0.9 < 1.1 < wide[1]
    low, high = trainings_interval(several, np.zeros_like(base))
    assert ratio_interval(several, np.ones_like(base)) == pytest.approx((low, high), abs=0.01)
    with pytest.raises(DataError, match="finds nothing that is relevant"):
        ratio_interval(several, np.zeros_like(base))


def test_a_verdict_goes_through_json_and_another_int8_finding_changes_it() -> None:
    verdict = judge(evidence(int8=None), USUAL)
    again = Verdict.model_validate(json.loads(verdict.model_dump_json()))
    assert again == verdict
    broken = again.with_finding(CHECKS["int8"](evidence(int8=Int8(problem="is absent")), USUAL))
    assert not broken.ship
    assert broken == judge(evidence(int8=Int8(problem="is absent")), USUAL)
    assert broken.with_finding(CHECKS["int8"](evidence(), USUAL)) == judge(evidence(), USUAL)


def test_every_check_is_a_file_of_its_name_and_a_row_of_the_guide() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "verdict.md").read_text(encoding="utf-8")
    homes: Mapping[str, Any] = {
        name: import_module(f"rankdistill.evaluation.verdict.checks.{name}").check for name in CHECKS
    }
    assert homes == CHECKS
    for name in CHECKS:
        assert f"| `{name}` |" in guide
