"""Training groups never hold a relevant document as a negative."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from rankdistill.data.positives import Positives, hashes
from rankdistill.errors import DataError
from rankdistill.teachers.teaching.groups import draw, positives

CONTENTS = {"a": "river", "b": "river", "c": "bread", "d": "glass", "e": "stone", "f": "iron"}
QUERIES = {"q1": "what is a river", "q2": "what is iron"}
QRELS = {"q1": {"a": 2, "c": 1, "d": 0}, "q2": {"f": 1}}


def _candidates(rows: list[tuple[str, str]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["query_id", "doc_id"], orient="row").with_columns(label=None, rank=1)


def test_labelled_positives_and_copies_of_their_text_are_no_negatives() -> None:
    """`b` is unlabelled but has the text of the positive `a`; `d` is judged not relevant."""
    candidates = _candidates([("q1", doc_id) for doc_id in "abcdee"])
    found = positives(QUERIES, QRELS, candidates, CONTENTS)
    assert [(row.document, row.negatives) for row in found] == [
        ("river", ("glass", "stone")),
        ("bread", ("glass", "stone")),
    ]


def test_what_else_is_known_to_be_no_negative_is_none() -> None:
    candidates = _candidates([(query_id, doc_id) for query_id in QUERIES for doc_id in "abcdee"])
    known = Positives(hashes(["what is a river"]), hashes(["glass"]), np.array([0]))
    found = positives(QUERIES, QRELS, candidates, CONTENTS, known)
    assert [row.negatives for row in found] == [("stone",), ("stone",), ("river", "river", "bread", "glass", "stone")]


def test_candidates_without_a_negative_are_an_error() -> None:
    with pytest.raises(DataError, match="2 queries, 1 with candidates"):
        positives(QUERIES, QRELS, _candidates([("q1", "a")]), CONTENTS)


def test_the_draw_passes_over_every_positive_with_new_negatives_and_a_fixed_seed() -> None:
    given = positives(QUERIES, QRELS, _candidates([(q, d) for q in QUERIES for d in CONTENTS]), CONTENTS)
    assert len(given) == 3
    drawn = list(draw(given, 30, 2, seed=1))
    assert drawn == list(draw(given, 30, 2, seed=1))
    assert drawn != list(draw(given, 30, 2, seed=2))
    for start in range(0, 30, 3):
        assert sorted(texts[0] for _, texts in drawn[start : start + 3]) == ["bread", "iron", "river"]
    assert len({tuple(texts) for query, texts in drawn if query == "what is iron"}) > 2
    assert all(len(set(texts)) == 3 for _, texts in drawn)
