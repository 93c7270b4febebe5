"""BM25 against the formula computed by hand, its edge cases, and the known values on real collections."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import ir_measures
import pytest
import Stemmer

from rankdistill.data import load
from rankdistill.mining.bm25 import Bm25

CONTENTS = {
    "d1": "rivers river flowing",
    "d2": "planet glass iron iron stone",
    "d3": "the river",
    "d4": "running bread",
    "d5": "the river",
}


def by_formula(query: list[str], contents: dict[str, list[str]], k1: float, b: float) -> dict[str, float]:
    """Lucene's BM25 over stemmed tokens, without the constant k1 + 1."""
    average = sum(map(len, contents.values())) / len(contents)
    scores = {}
    for doc_id, tokens in contents.items():
        counts = Counter(tokens)
        score = 0.0
        for token in query:
            having = sum(token in others for others in contents.values())
            idf = math.log(1 + (len(contents) - having + 0.5) / (having + 0.5))
            score += idf * counts[token] / (counts[token] + k1 * (1 - b + b * len(tokens) / average))
        if score > 0:
            scores[doc_id] = score
    return scores


@pytest.mark.parametrize(("k1", "b"), [(0.9, 0.4), (1.5, 0.75)])
def test_scores_follow_the_formula(k1: float, b: float) -> None:
    stem = Stemmer.Stemmer("english").stemWord
    tokens = {
        doc_id: [stem(word) for word in text.split() if word != "the"] for doc_id, text in CONTENTS.items()
    }  # fmt: skip
    ids, scores = Bm25(CONTENTS, k1=k1, b=b).retrieve(["The Rivers of iron!"], 10)
    expected = by_formula([stem("rivers"), stem("iron")], tokens, k1, b)
    assert dict(zip(ids[0], scores[0].tolist(), strict=True)) == pytest.approx(expected, rel=1e-5)


def test_equal_scores_come_in_corpus_order_and_are_cut_there() -> None:
    ids, scores = Bm25(CONTENTS).retrieve(["river"], 10)
    assert ids == [["d1", "d3", "d5"]]
    assert scores[0][1] == scores[0][2]
    assert Bm25(CONTENTS).retrieve(["river"], 2)[0] == [["d1", "d3"]]
    reverse = dict(reversed(CONTENTS.items()))
    assert Bm25(reverse).retrieve(["river"], 2)[0] == [["d1", "d5"]]


def test_documents_without_a_shared_token_are_left_out() -> None:
    ids, scores = Bm25(CONTENTS).retrieve(["bread", "unheard", "", "the of and"], 3)
    assert ids == [["d4"], [], [], []]
    assert [len(found) for found in scores] == [1, 0, 0, 0]


def test_a_depth_beyond_the_corpus_is_no_error() -> None:
    assert Bm25({"d": "river"}).retrieve(["river"], 1000)[0] == [["d"]]


@pytest.mark.parametrize("contents", [{}, {"d": ""}, {"d": "the", "e": "of"}])
def test_a_corpus_without_tokens_finds_nothing(contents: dict[str, str]) -> None:
    assert Bm25(contents).retrieve(["river"], 3)[0] == [[]]


def test_progress_counts_queries() -> None:
    steps: list[int] = []
    Bm25(CONTENTS).retrieve(["river", "bread", ""], 3, steps.append)
    assert sum(steps) == 3


@pytest.mark.parametrize(
    ("name", "split", "expected"), [("scifact", "test", 0.676), ("nfcorpus", "test", 0.318), ("adi", "test", 0.477)]
)
def test_known_ndcg_on_real_collections(real_data: Path, name: str, split: str, expected: float) -> None:
    dataset = load(real_data / name)
    queries = dataset.queries(split)
    ids, scores = Bm25(dataset.contents).retrieve(list(queries.values()), 100)
    run = {
        query_id: dict(zip(found, values.tolist(), strict=True))
        for query_id, found, values in zip(queries, ids, scores, strict=True)
    }
    measured = ir_measures.calc_aggregate([ir_measures.nDCG @ 10], dataset.qrels(split), run)
    assert measured[ir_measures.nDCG @ 10] == pytest.approx(expected, abs=0.005 if name == "adi" else 0.0006)
