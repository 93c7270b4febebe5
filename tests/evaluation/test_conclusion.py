"""The sentences that a report begins with, against figures worked out by hand."""

from __future__ import annotations

import pytest

from rankdistill.evaluation.conclusion import conclusions, figures
from rankdistill.evaluation.results import Results
from rankdistill.evaluation.systems import Comparison, Latency, System


def system(name: str, value: float, milliseconds: float | None = None, size: int | None = None) -> System:
    latency = None if milliseconds is None else Latency(p50=milliseconds, p99=milliseconds, queries=3)
    return System(name=name, measures={"ndcg_at_10": value}, latency_ms=latency, model_bytes=size)


RESULTS = Results(
    title="t",
    data="d",
    split="test",
    queries=3,
    systems=[
        system("BM25", 0.668, 0.5),
        system("small", 0.7, 2.0, 46_000_000),
        system("worse", 0.6, 80.0, 46_000_000),
        system("teacher", 0.77, 40.0, 92_000_000),
        system("unmeasured", 0.77),
    ],
)


def against_words(name: str, difference: float, p: float) -> Comparison:
    return Comparison(
        baseline="BM25", system=name, measure="ndcg_at_10", difference=difference, interval=(0, 1), p_value=p, p_holm=p
    )


def test_a_sentence_holds_quality_speed_and_size() -> None:
    tests = [against_words("small", 0.032, 0.0123), against_words("worse", -0.068, 0.00002)]
    assert conclusions(RESULTS, ["small", "worse"], "teacher", "BM25", tests) == [
        "small: nDCG@10 0.700, above BM25's 0.668 (+0.032; p 0.012), 91% of the 0.770 of teacher, 20.0 times faster a "
        "query (2.0 ms against 40.0), 46 MB of weights, 50% of 92 MB.",
        "worse: nDCG@10 0.600, below BM25's 0.668 (-0.068; p < .001), 78% of the 0.770 of teacher, 2.0 times slower a "
        "query (80.0 ms against 40.0), 46 MB of weights, 50% of 92 MB.",
    ]


@pytest.mark.parametrize(
    ("name", "teacher", "words", "said"),
    [
        ("small", None, None, "small: nDCG@10 0.700, 46 MB of weights."),
        ("unmeasured", "teacher", None, "unmeasured: nDCG@10 0.770, 100% of the 0.770 of teacher."),
        ("small", "unmeasured", None, "small: nDCG@10 0.700, 91% of the 0.770 of unmeasured, 46 MB of weights."),
        ("small", None, "BM25", "small: nDCG@10 0.700, above BM25's 0.668 (+0.032), 46 MB of weights."),
    ],
)
def test_nothing_is_said_of_what_was_not_measured(name: str, teacher: str, words: str, said: str) -> None:
    assert conclusions(RESULTS, [name], teacher, words) == [said]


@pytest.mark.parametrize(
    ("mine", "others", "said"),
    [
        (0.019, 11.3, "594.7 times faster a query (0.019 ms against 11.3)"),
        (2.04, 2.0, "as fast a query (2.0 ms against 2.0)"),
        (2.0, 2.04, "as fast a query (2.0 ms against 2.0)"),
        (0.5, 0.25, "2.0 times slower a query (0.5 ms against 0.25)"),
    ],
)
def test_milliseconds_are_never_said_to_be_none(mine: float, others: float, said: str) -> None:
    found = figures(system("small", 0.7, mine), system("teacher", 0.7, others), None)
    assert found == f"nDCG@10 0.700, 100% of the 0.700 of teacher, {said}"
