"""The exact sparse index against a brute-force product of dense arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array

from rankdistill.errors import ConfigError, DataError, SpaceMismatchError
from rankdistill.indexing.base import NOTHING
from rankdistill.indexing.sparse import exact
from rankdistill.indexing.sparse.exact import ExactSparseIndex
from tests.indexing.sparse.conftest import TERMS


def _brute_force(queries: Any, documents: Any, k: int) -> list[list[tuple[int, float]]]:
    scores = queries.toarray().astype(np.float64) @ documents.toarray().astype(np.float64).T
    ranked = [sorted(((-score, place) for place, score in enumerate(row) if score > 0))[:k] for row in scores]
    return [[(place, -score) for score, place in row] for row in ranked]


def _found(index: ExactSparseIndex, queries: Any, k: int) -> list[list[tuple[str, float]]]:
    return [
        [(name, float(score)) for name, score in zip(*row, strict=True) if name != NOTHING]
        for row in zip(*index.search(queries, k), strict=True)
    ]


@pytest.mark.parametrize("k", [1, 10, 1000])
def test_it_is_the_dot_product(documents: Any, queries: Any, ids: list[str], k: int, monkeypatch: Any) -> None:
    monkeypatch.setattr(exact, "QUERIES_AT_ONCE", 7)
    index = ExactSparseIndex(TERMS)
    index.add(ids[:100], documents[:100])
    index.add(ids[100:], documents[100:])
    expected = _brute_force(queries, documents, k)
    for mine, theirs in zip(_found(index, queries, k), expected, strict=True):
        assert [name for name, _ in mine] == [f"d{place}" for place, _ in theirs]
        np.testing.assert_allclose([score for _, score in mine], [score for _, score in theirs], rtol=1e-5)


def test_equal_scores_come_in_insertion_order() -> None:
    index = ExactSparseIndex(3)
    index.add(["b", "c", "a"], csr_array(np.array([[1, 0, 0]] * 3, np.float32)))
    assert index.search(csr_array(np.array([[2, 0, 0]], np.float32)), 2)[0].tolist() == [["b", "c"]]


def test_what_shares_no_term_is_no_result(documents: Any, queries: Any, ids: list[str]) -> None:
    index = ExactSparseIndex(TERMS)
    index.add(ids, documents)
    found = _found(index, queries, 300)
    assert found[3] == []
    assert not any(name in ("d5", "d17") for row in found for name, _ in row)


def test_a_negative_query_weight_counts_and_a_score_of_at_most_0_is_no_result() -> None:
    index = ExactSparseIndex(3)
    index.add(["a", "b", "c"], csr_array(np.array([[1, 0, 0], [1, 1, 0], [1, 2, 0]], np.float32)))
    assert _found(index, csr_array(np.array([[1, -0.5, 0]], np.float32)), 3) == [[("a", 1.0), ("b", 0.5)]]


@pytest.mark.parametrize("mmap", [True, False])
def test_it_finds_the_same_from_disk(documents: Any, queries: Any, ids: list[str], tmp_path: Path, mmap: bool) -> None:
    index = ExactSparseIndex(TERMS)
    index.add(ids, documents)
    index.save(tmp_path)
    assert _found(ExactSparseIndex.load(tmp_path, TERMS, mmap), queries, 9) == _found(index, queries, 9)


def test_bad_documents_add_nothing(documents: Any, ids: list[str]) -> None:
    index = ExactSparseIndex(TERMS)
    index.add(ids[:10], documents[:10])
    broken = documents[10:12].copy()
    broken.data[0] = np.nan
    for bad_ids, vectors, message in (
        (ids[10:12], broken, "'d10'"),
        (ids[10:12], documents[10:13], "shape"),
        (["x", "x"], documents[10:12], "twice"),
        (["d1"], documents[10:11], "twice"),
        ([""], documents[10:11], "empty id"),
    ):
        with pytest.raises(DataError, match=message):
            index.add(bad_ids, vectors)
    assert index.ids == ids[:10]


def test_bad_queries_are_refused(documents: Any, queries: Any, ids: list[str]) -> None:
    index = ExactSparseIndex(TERMS)
    index.add(ids, documents)
    with pytest.raises(SpaceMismatchError, match="vocabulary"):
        index.search(queries[:, :50], 3)
    with pytest.raises(ConfigError, match="at least 1"):
        index.search(queries, 0)
    broken = queries.copy()
    broken.data[0] = np.inf
    with pytest.raises(DataError, match="finite query weights"):
        index.search(broken, 3)
