"""Costs and pruning of sparse vectors against plain loops, and terms explained."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array

from rankdistill.errors import ConfigError
from rankdistill.evaluation.explaining import explain
from rankdistill.evaluation.sparsity import Pruning, cost, measure, prune
from rankdistill.indexing.sparse.exact import ExactSparseIndex

TERMS = ["river", "bread", "deep", "old", "sea"]
DOCUMENTS = np.array([[3, 0, 1, 0, 0], [0, 2, 2, 1, 0], [0, 0, 0, 0, 0], [1, 0, 0, 0.5, 4]], np.float32)
QUERIES = np.array([[1, 0, 2, 0, 0], [0, 1, 0, 0, 1]], np.float32)


def test_flops_are_the_mean_number_of_shared_terms_of_all_pairs() -> None:
    found = cost(csr_array(QUERIES), csr_array(DOCUMENTS))
    shared = [np.count_nonzero((query != 0) & (document != 0)) for query in QUERIES for document in DOCUMENTS]
    assert found.flops == pytest.approx(np.mean(shared))
    assert (found.query_terms, found.document_terms, found.empty_documents) == (2, 2, 1)


def test_index_bytes_are_those_of_the_exact_index_on_disk(tmp_path: Path) -> None:
    index = ExactSparseIndex(len(TERMS))
    index.add(["a", "b", "c", "d"], csr_array(DOCUMENTS))
    index.save(tmp_path)
    arrays = [np.load(path) for path in tmp_path.glob("*.npy")]
    assert cost(csr_array(QUERIES), csr_array(DOCUMENTS)).index_bytes == sum(array.nbytes for array in arrays)


def test_pruning_keeps_the_heaviest_terms_and_of_equal_ones_the_first() -> None:
    assert prune(csr_array(DOCUMENTS), 1).toarray().tolist() == [
        [3, 0, 0, 0, 0],
        [0, 2, 0, 0, 0],
        [0, 0, 0, 0, 0],
        [0, 0, 0, 0, 4],
    ]
    assert (prune(csr_array(DOCUMENTS), 99).toarray() == DOCUMENTS).all()
    assert (prune(csr_array(DOCUMENTS), threshold=1.0).toarray() == np.where(DOCUMENTS >= 1, DOCUMENTS, 0)).all()
    both = prune(csr_array(DOCUMENTS), 2, 0.6).toarray()
    assert both[3].tolist() == [1, 0, 0, 0, 4]


@pytest.mark.parametrize("seed", [0, 1])
def test_pruning_agrees_with_sorting_each_row(seed: int) -> None:
    weights = np.random.default_rng(seed).random((50, 40), np.float32)
    weights[weights < 0.5] = 0
    found = prune(csr_array(weights), 7).toarray()
    for row, left in zip(weights, found, strict=True):
        expected = np.zeros_like(row)
        best = np.argsort(-row, kind="stable")[:7]
        expected[best] = row[best]
        np.testing.assert_array_equal(left, expected)


def test_each_pruning_is_measured_beside_the_whole() -> None:
    qrels = {"q1": {"a": 1}, "q2": {"d": 1}}
    done: list[int] = []
    rows = measure(
        (["q1", "q2"], csr_array(QUERIES)),
        (["a", "b", "c", "d"], csr_array(DOCUMENTS)),
        qrels,
        [Pruning(document_terms=1), Pruning(), Pruning(query_terms=1, threshold=9)],
        done.append,
    )
    assert [row.pruning for row in rows] == ["all terms", "document terms 1", "query terms 1, weights from 9"]
    assert [row.measures["ndcg_at_10"] for row in rows] == [1, 1, 0]
    assert rows[2].cost.empty_documents == 4
    assert sum(done) == 3


@pytest.mark.parametrize("settings", [{"document_terms": 0}, {"query_terms": -1}, {"threshold": float("nan")}])
def test_prunings_of_nothing_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Pruning(**settings)


class Encoder:
    """Weights by a table; `old` and `sea` are expansions of `river`."""

    vocabulary = TERMS

    def encode_queries(self, texts: Sequence[str]) -> Any:
        return csr_array(np.array([[float(term in text.split()) for term in TERMS] for text in texts], np.float32))

    def encode_documents(self, texts: Sequence[str]) -> Any:
        rows = self.encode_queries(texts).toarray() * 2
        rows[:, 3:] += rows[:, :1] * [0.25, 0.75]
        return csr_array(rows)

    def terms_in(self, text: str) -> set[str]:
        return set(text.split())


def test_terms_are_shown_heaviest_first_and_expansions_are_marked() -> None:
    found = explain(Encoder(), "deep river")
    assert [(term.term, term.weight, term.expansion) for term in found] == [
        ("river", 2, False),
        ("deep", 2, False),
        ("sea", 1.5, True),
        ("old", 0.5, True),
    ]
    assert explain(Encoder(), "nothing known") == []


def test_what_a_document_shares_with_a_query_adds_up_to_its_score() -> None:
    encoder = Encoder()
    found = explain(encoder, "deep river", query="old river bread")
    assert [(term.term, term.score) for term in found] == [("river", 2), ("old", 0.5)]
    product = encoder.encode_queries(["old river bread"]) @ encoder.encode_documents(["deep river"]).T
    assert sum(term.score for term in found) == product.toarray()[0, 0]
