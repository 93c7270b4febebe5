"""Weights fitted to labels: the optimum of the list-wise cross-entropy, the same every time, and robust to noise."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

from rankdistill.ensembles.fitting import examples, fit, folds
from rankdistill.errors import DataError

QUERIES, DOCUMENTS = 60, 20


def draw(*noise: float, seed: int = 0) -> tuple[pl.DataFrame, dict[str, dict[str, int]]]:
    """Teachers that see the label through that much noise, and the labels."""
    generator = np.random.default_rng(seed)
    rows, qrels = [], {}
    for query in range(QUERIES):
        labels = generator.choice([0, 0, 0, 0, 1, 2, 3], DOCUMENTS)
        qrels[f"q{query:03d}"] = {f"d{doc:02d}": int(label) for doc, label in enumerate(labels)}
        seen = [labels + generator.normal(size=DOCUMENTS) * one for one in noise]
        rows += [(f"q{query:03d}", f"d{doc:02d}", *(one[doc] for one in seen)) for doc in range(DOCUMENTS)]
    names = [f"t{number}" for number in range(len(noise))]
    schema = {"query_id": pl.String, "doc_id": pl.String} | dict.fromkeys(names, pl.Float64)
    return pl.DataFrame(rows, schema=schema, orient="row"), qrels


def test_a_better_teacher_weighs_more_and_noise_nothing() -> None:
    members, qrels = draw(0.5, 1.5, 50.0)
    good, middling, noise = fit(examples(members, qrels))
    assert good > middling > noise
    assert noise < 0.01
    assert good + middling + noise == pytest.approx(1.0)


def test_a_teacher_that_is_wrong_on_purpose_gets_nothing() -> None:
    members, qrels = draw(0.5, 0.5)
    weights = fit(examples(members.with_columns(-pl.col("t1")), qrels))
    assert weights == pytest.approx([1.0, 0.0])


def test_teachers_that_are_all_wrong_weigh_the_same() -> None:
    members, qrels = draw(0.1, 0.1)
    assert fit(examples(members.with_columns(-pl.col("t0"), -pl.col("t1")), qrels)) == [0.5, 0.5]


def test_the_same_examples_give_the_same_weights() -> None:
    members, qrels = draw(0.5, 1.0, 2.0)
    assert fit(examples(members, qrels)) == fit(examples(members, qrels))


def test_it_is_the_optimum_of_the_cross_entropy() -> None:
    """Against a grid over the first teacher's share, each with its best scale, computed query by query."""
    members, qrels = draw(0.7, 0.9)

    def loss(first: float, second: float) -> float:
        total = 0.0
        for (query_id,), group in members.group_by("query_id", maintain_order=True):
            gains = [2 ** qrels[str(query_id)][doc_id] - 1 for doc_id in group["doc_id"]]
            scores = [first * one + second * other for one, other in group.select("t0", "t1").iter_rows()]
            norm = math.log(sum(math.exp(score) for score in scores))
            total -= sum(gain / sum(gains) * (score - norm) for gain, score in zip(gains, scores, strict=True))
        return total

    found, _ = fit(examples(members, qrels))
    scales = np.linspace(0.4, 3.0, 27)
    best = {share: min(loss(share * scale, (1 - share) * scale) for scale in scales) for share in (0.5, found, 0.8)}
    assert min(best, key=best.__getitem__) == found


def test_the_unit_of_the_scores_does_not_matter() -> None:
    members, qrels = draw(0.5, 1.0)
    small = members.with_columns(pl.col("t0", "t1") * 1e-3)
    assert fit(examples(small, qrels)) == pytest.approx(fit(examples(members, qrels)), abs=1e-3)


def test_queries_without_a_relevant_document_are_left_out() -> None:
    members, qrels = draw(0.5)
    qrels["q000"] = dict.fromkeys(qrels["q000"], 0)
    qrels["q001"] = {"elsewhere": 3}
    qrels["q002"] = dict.fromkeys(qrels["q002"], -1)
    found = examples(members, qrels)
    assert found.query_ids == [f"q{query:03d}" for query in range(3, QUERIES)]
    assert np.add.reduceat(found.target, found.start) == pytest.approx(np.ones(QUERIES - 3))
    with pytest.raises(DataError, match="relevant document"):
        examples(members, {"q000": qrels["q000"]})


def test_some_queries_are_those_queries() -> None:
    members, qrels = draw(0.5, 1.0)
    some = examples(members, qrels).of([3, 17])
    wanted = examples(members.filter(pl.col("query_id").is_in(["q003", "q017"])), qrels)
    assert some.query_ids == wanted.query_ids
    assert all(np.array_equal(getattr(some, name), getattr(wanted, name)) for name in ("start", "scores", "target"))


def test_every_query_is_held_out_once_and_never_fitted_on_then() -> None:
    ids = [f"q{number}" for number in range(23)]
    parts = list(folds(ids))
    assert sorted(place for _, held_out in parts for place in held_out) == list(range(23))
    assert all(not set(chosen) & set(held_out) and len(chosen) + len(held_out) == 23 for chosen, held_out in parts)
    assert max(len(held_out) for _, held_out in parts) == 5
    with pytest.raises(DataError, match="at least 5 queries"):
        list(folds(ids[:4]))
