"""Search at each precision against a computation by hand."""

from __future__ import annotations

import numpy as np
import pytest

from rankdistill.evaluation import precisions
from rankdistill.evaluation.precisions import PRECISIONS, RESCORED, search

K = 7


@pytest.fixture
def vectors() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    scales = np.linspace(0.2, 3, 20)
    queries, documents = ((rng.normal(size=(count, 20)) * scales + 0.1).astype(np.float32) for count in (9, 150))
    return queries, documents


def ordered(scores: np.ndarray, k: int = K) -> np.ndarray:
    return np.array([sorted(range(len(row)), key=lambda place: (-row[place], place))[:k] for row in scores])


def hamming(queries: np.ndarray, documents: np.ndarray) -> np.ndarray:
    return np.array([[sum((a > 0) != (b > 0) for a, b in zip(q, d, strict=True)) for d in documents] for q in queries])


def int8_scores(queries: np.ndarray, documents: np.ndarray) -> np.ndarray:
    low = documents.min(axis=0)
    step = (documents.max(axis=0) - low) / 255

    def middles(values: np.ndarray) -> np.ndarray:
        codes = np.clip(np.floor((values - low) / step), 0, 255)  # in float32: values lie on the borders of steps
        return low.astype(np.float64) + (codes.astype(np.float64) + 0.5) * step

    return middles(queries) @ middles(documents).T


def test_float32_is_the_dot_product(vectors: tuple[np.ndarray, np.ndarray]) -> None:
    queries, documents = vectors
    positions, scores = search(queries, documents, "float32", K)
    expected = queries.astype(np.float64) @ documents.T.astype(np.float64)
    np.testing.assert_array_equal(positions, ordered(expected))
    np.testing.assert_allclose(scores, np.take_along_axis(expected, positions, 1), rtol=1e-4)


def test_int8_is_the_dot_product_of_the_middles_of_the_steps(vectors: tuple[np.ndarray, np.ndarray]) -> None:
    queries, documents = vectors
    positions, scores = search(queries, documents, "int8", K)
    expected = int8_scores(queries, documents)
    np.testing.assert_allclose(scores, np.take_along_axis(expected, ordered(expected), 1), rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(positions, ordered(expected))


def test_int8_codes_alone_would_rank_otherwise(vectors: tuple[np.ndarray, np.ndarray]) -> None:
    """The trap: codes of unlike ranges weigh all dimensions alike."""
    from sentence_transformers.util import quantize_embeddings

    queries, documents = vectors
    ranges = np.vstack((documents.min(axis=0), documents.max(axis=0)))
    codes = [quantize_embeddings(side, "int8", ranges=ranges).astype(np.float64) for side in (queries, documents)]
    exact = ordered(queries @ documents.T)
    ours = search(queries, documents, "int8", K)[0]
    assert np.mean(ordered(codes[0] @ codes[1].T) == exact) < 0.5 < np.mean(ours == exact)


def test_binary_is_by_hamming_distance_with_ties_in_order(vectors: tuple[np.ndarray, np.ndarray]) -> None:
    queries, documents = vectors
    positions, scores = search(queries, documents, "binary", K)
    distances = hamming(queries, documents)
    np.testing.assert_array_equal(positions, ordered(-distances))
    np.testing.assert_array_equal(scores, 20 - 2 * np.take_along_axis(distances, positions, 1))


def test_binary_candidates_are_put_in_order_by_int8(vectors: tuple[np.ndarray, np.ndarray]) -> None:
    queries, documents = vectors
    positions, scores = search(queries, documents, "binary-int8", 4)
    candidates = ordered(-hamming(queries, documents), 4 * RESCORED)
    fine = int8_scores(queries, documents)
    for row, found in enumerate(positions):
        assert set(found) <= set(candidates[row])
        best = sorted(fine[row][candidates[row]], reverse=True)[:4]
        np.testing.assert_allclose(scores[row], best, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_few_documents_and_blocks(
    precision: str, vectors: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    queries, documents = vectors
    assert search(queries, documents[:3], precision, K)[0].shape == (9, 3)
    whole = search(queries, documents, precision, K)[0]
    monkeypatch.setattr(precisions, "SCORES_AT_ONCE", 300)
    np.testing.assert_array_equal(search(queries, documents, precision, K)[0], whole)


def test_a_dimension_that_never_varies_is_no_obstacle() -> None:
    documents = np.array([[1, 0.5], [2, 0.5], [3, 0.5]], np.float32)
    positions, scores = search(np.array([[1, 0.5]], np.float32), documents, "int8", 3)
    assert positions.tolist() == [[2, 1, 0]]
    assert np.isfinite(scores).all()
