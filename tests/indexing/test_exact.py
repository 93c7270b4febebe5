"""Exact search against a full sort, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rankdistill.errors import ConfigError, DataError, SpaceMismatchError
from rankdistill.indexing import exact
from rankdistill.indexing.base import Vectors
from rankdistill.indexing.exact import ExactIndex


def test_dot_scores_and_order_equal_a_full_sort(vectors: Vectors, queries: Vectors, ids: list[str]) -> None:
    index = ExactIndex(32, "dot")
    index.add(ids, vectors)
    found, scores = index.search(queries, 7)
    everything = queries.astype(np.float64) @ vectors.T.astype(np.float64)
    for row, products in enumerate(everything):
        best = sorted(range(1000), key=lambda doc: -products[doc])[:7]
        assert list(found[row]) == [ids[doc] for doc in best]
        np.testing.assert_allclose(scores[row], products[best], rtol=1e-5)


def test_cosine_normalises_documents_and_queries(vectors: Vectors, queries: Vectors, ids: list[str]) -> None:
    index = ExactIndex(32, "cosine")
    index.add(ids, vectors * np.linspace(0.1, 9, 1000, dtype=np.float32)[:, None])
    _, scores = index.search(5 * queries, 1000)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    expected = np.sort(queries / np.linalg.norm(queries, axis=1, keepdims=True) @ unit.T, axis=1)[:, ::-1]
    np.testing.assert_allclose(scores, expected, atol=1e-5)


def test_a_zero_vector_has_cosine_zero_and_no_nan() -> None:
    index = ExactIndex(2, "cosine")
    index.add(["zero", "one"], np.array([[0, 0], [1, 0]], np.float32))
    found, scores = index.search(np.array([[2, 0]], np.float32), 2)
    assert list(found[0]) == ["one", "zero"]
    assert list(scores[0]) == [1.0, 0.0]


def test_equal_scores_come_in_insertion_order_even_across_the_edge_of_k() -> None:
    index = ExactIndex(1, "dot")
    index.add(
        [f"d{number}" for number in range(9)], np.array([[1], [3], [2], [2], [2], [3], [2], [0], [2]], np.float32)
    )
    assert list(index.search(np.ones((1, 1), np.float32), 4)[0][0]) == ["d1", "d5", "d2", "d3"]


def test_blocks_of_queries_give_the_same_as_all_at_once(
    vectors: Vectors, queries: Vectors, ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    index = ExactIndex(32, "dot")
    index.add(ids, vectors)
    whole = index.search(queries, 5)
    monkeypatch.setattr(exact, "SCORES_AT_ONCE", 3000)
    blocks = index.search(queries, 5)
    assert (whole[0] == blocks[0]).all()
    np.testing.assert_allclose(whole[1], blocks[1], rtol=1e-6)


def test_k_above_the_number_of_documents_gives_all_of_them(vectors: Vectors, queries: Vectors, ids: list[str]) -> None:
    index = ExactIndex(32, "dot")
    index.add(ids[:5], vectors[:5])
    assert index.search(queries, 100)[0].shape == (20, 5)


def test_an_empty_index_and_no_queries_give_empty_results(vectors: Vectors, ids: list[str]) -> None:
    index = ExactIndex(32, "dot")
    assert index.search(vectors[:3], 4)[0].shape == (3, 0)
    index.add(ids, vectors)
    assert index.search(vectors[:0], 4)[0].shape == (0, 4)


@pytest.mark.parametrize("k", [0, -3])
def test_k_below_one_is_refused(vectors: Vectors, ids: list[str], k: int) -> None:
    index = ExactIndex(32, "dot")
    index.add(ids, vectors)
    with pytest.raises(ConfigError, match="at least 1"):
        index.search(vectors[:1], k)


def test_queries_of_another_dimension_are_refused(vectors: Vectors, ids: list[str]) -> None:
    index = ExactIndex(32, "dot")
    index.add(ids, vectors)
    with pytest.raises(SpaceMismatchError, match="dimension"):
        index.search(vectors[:1, :16], 3)


def test_bad_documents_are_refused_and_nothing_is_added(vectors: Vectors, ids: list[str]) -> None:
    index = ExactIndex(32, "dot")
    index.add(ids[:3], vectors[:3])
    broken = vectors[:2].copy()
    broken[1, 0] = np.nan
    for new_ids, new_vectors, problem in (
        (["a", "a"], vectors[:2], "twice"),
        (["d0", "b"], vectors[:2], "twice"),
        (["a", ""], vectors[:2], "empty id"),
        (["a", "b"], vectors[:2, :8], "shape"),
        (["a"], vectors[:2], "shape"),
        (["a", "b"], broken, "NaN or infinity in the vector of document 'b'"),
    ):
        with pytest.raises(DataError, match=problem):
            index.add(new_ids, new_vectors)
    assert index.ids == ids[:3]


def test_a_query_with_nan_is_refused(vectors: Vectors, ids: list[str]) -> None:
    index = ExactIndex(32, "dot")
    index.add(ids, vectors)
    with pytest.raises(DataError, match="NaN"):
        index.search(np.full((1, 32), np.nan, np.float32), 3)


@pytest.mark.parametrize("mmap", [True, False])
def test_save_and_load_give_the_same_answers(
    vectors: Vectors, queries: Vectors, ids: list[str], tmp_path: Path, mmap: bool
) -> None:
    index = ExactIndex(32, "cosine")
    index.add(ids[:600], vectors[:600])
    index.add(ids[600:], vectors[600:])
    index.save(tmp_path)
    loaded = ExactIndex.load(tmp_path, "cosine", mmap=mmap)
    assert isinstance(loaded._vectors, np.memmap) is mmap
    for old, new in zip(index.search(queries, 9), loaded.search(queries, 9), strict=True):
        assert (old == new).all()
