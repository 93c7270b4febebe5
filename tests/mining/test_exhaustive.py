"""Exact search in chunks against one big sorted product."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rankdistill.errors import BackendError
from rankdistill.mining.exhaustive import search
from rankdistill.mining.sources.dense import DenseScorer
from rankdistill.progress import Progress


class FakeEncoder:
    """Vectors of a text: random, but the same for the same text; the role shifts them."""

    def __init__(self, similarity: str) -> None:
        self.similarity = similarity
        self.largest = 0

    def _vectors(self, texts: Sequence[str], role: int) -> NDArray[np.float32]:
        self.largest = max(self.largest, len(texts))
        rows = [np.random.default_rng([role, *text.encode()]).normal(size=8) for text in texts]
        return np.array(rows, dtype=np.float32).reshape(len(texts), 8)

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self._vectors(texts, 1)

    def encode_documents(self, texts: Sequence[str], progress: Progress | None = None) -> NDArray[np.float32]:
        for text in texts:
            if progress is not None:
                progress(bool(text))
        return self._vectors(texts, 2)


# every tenth document repeats the text of document 0, for ties
CONTENTS = {f"d{number}": f"text {number if number % 10 else 0}" for number in range(100)}
QUERIES = [f"query {number}" for number in range(7)]


def by_sorting(similarity: str, depth: int) -> list[list[str]]:
    encoder = FakeEncoder(similarity)
    queries, documents = encoder.encode_queries(QUERIES), encoder.encode_documents(list(CONTENTS.values()))
    if similarity == "cosine":
        queries = queries / np.linalg.norm(queries, axis=1, keepdims=True)
        documents = documents / np.linalg.norm(documents, axis=1, keepdims=True)
    found = []
    for row in np.round(queries @ documents.T, 5):
        found.append([f"d{position}" for position in sorted(range(100), key=lambda p: (-row[p], p))[:depth]])
    return found


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
@pytest.mark.parametrize(("chunk", "block"), [(1000, 1000), (7, 3), (1, 1)])
def test_agrees_with_one_sorted_product_whatever_the_chunks(similarity: str, chunk: int, block: int) -> None:
    encoder = FakeEncoder(similarity)
    ids, scores = search(DenseScorer(encoder, chunk, block), CONTENTS, QUERIES, 25, lambda advanced: None)
    assert [sorted(row) for row in ids] == [sorted(row) for row in by_sorting(similarity, 25)]
    assert all((np.diff(row) <= 0).all() for row in scores)
    assert encoder.largest <= max(chunk, len(QUERIES))


def test_cosine_scores_are_cosines() -> None:
    _, scores = search(DenseScorer(FakeEncoder("cosine")), CONTENTS, QUERIES, 100, lambda advanced: None)
    assert all(np.abs(row).max() <= 1 + 1e-6 for row in scores)
    _, scores = search(DenseScorer(FakeEncoder("dot")), CONTENTS, QUERIES, 100, lambda advanced: None)
    assert any(np.abs(row).max() > 2 for row in scores)


def test_a_depth_beyond_the_corpus_returns_every_document_once() -> None:
    ids, _ = search(DenseScorer(FakeEncoder("dot")), CONTENTS, QUERIES, 1000, lambda advanced: None)
    assert all(sorted(row) == sorted(CONTENTS) for row in ids)


def test_progress_counts_queries_and_documents() -> None:
    steps: list[int] = []
    search(DenseScorer(FakeEncoder("dot")), CONTENTS, QUERIES, 5, steps.append)
    assert sum(steps) == len(CONTENTS) + len(QUERIES)
    assert max(steps[1:]) == 1, "as they are encoded, not a chunk at a time"


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_score_that_is_no_number_is_an_error(bad: float) -> None:
    """NaN is above nothing: such documents used to be missing from the lists without a word."""
    scorer = DenseScorer(FakeEncoder("dot"))

    class Broken(DenseScorer):
        def scores(self, *given: Any) -> NDArray[np.float32]:
            found = scorer.scores(*given)
            found[0, 3] = bad
            return found

    with pytest.raises(BackendError, match="1 of 700"):
        search(Broken(FakeEncoder("dot")), CONTENTS, QUERIES, 5, lambda done: None)
