"""Lucene's graphs against exact search."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rankdistill.errors import DataError
from rankdistill.indexing import registry
from rankdistill.indexing.base import NOTHING
from rankdistill.indexing.distinct import DistinctIndex
from rankdistill.indexing.exact import ExactIndex
from rankdistill.indexing.lucene.hnsw import LuceneHnswIndex

pytestmark = pytest.mark.usefixtures("lucene")


@pytest.fixture(scope="module")
def vectors() -> Any:
    """250 vectors of length 16; the last is 0."""
    rows = np.random.default_rng(0).normal(size=(250, 16)).astype(np.float32)
    rows[-1] = 0
    return rows


@pytest.fixture(scope="module")
def folder(vectors: Any, tmp_path_factory: pytest.TempPathFactory, lucene: None) -> Path:
    made = LuceneHnswIndex(16, "cosine", {"M": 12}, {})
    made.add([f"d{row:03}" for row in range(250)], vectors)
    out = tmp_path_factory.mktemp("hnsw")
    made.save(out)
    return out


def test_it_finds_nearly_what_exact_search_finds_with_the_same_scores(folder: Path, vectors: Any) -> None:
    oracle = ExactIndex(16, "cosine")
    oracle.add([f"d{row:03}" for row in range(250)], vectors)
    queries = np.random.default_rng(1).normal(size=(20, 16)).astype(np.float32) * 3
    expected, cosines = oracle.search(queries, 10)
    names, scores = LuceneHnswIndex.load(folder, 16, "cosine", {"efSearch": 200}).search(queries, 10)
    same = names == expected
    assert same.mean() > 0.95
    np.testing.assert_allclose(scores[same], cosines[same], atol=1e-5)
    _, dots = LuceneHnswIndex.load(folder, 16, "dot", {"efSearch": 200}).search(queries, 10)
    np.testing.assert_allclose(dots, scores * np.linalg.norm(queries, axis=1)[:, None], rtol=1e-4)


def test_more_documents_than_ef_search_are_found_where_more_are_wanted(folder: Path, vectors: Any) -> None:
    index = LuceneHnswIndex.load(folder, 16, "cosine", {"efSearch": 5})
    few, _ = index.search(vectors[:3], 5)
    many, _ = index.search(vectors[:3], 150)
    assert many.shape == (3, 150)
    assert (many != NOTHING).all()
    assert (index.search(vectors[:3], 5)[0] == few).all()


def test_a_dot_product_needs_unit_length(vectors: Any) -> None:
    index = LuceneHnswIndex(16, "dot", {}, {})
    with pytest.raises(DataError, match="unit length"):
        index.add([f"d{row}" for row in range(250)], vectors)
    assert index.ids == []


def test_copies_are_one_document_of_lucene_and_are_found_in_insertion_order(vectors: Any, tmp_path: Path) -> None:
    rows = np.concatenate([np.arange(249), np.full(400, 5)])
    np.random.default_rng(3).shuffle(rows)
    ids = [f"d{number}" for number in range(len(rows))]
    settings = registry.IndexSettings(16, "cosine", "lucene", {"efSearch": 200})
    index = registry.create(settings)
    index.add(ids, vectors[rows])
    index.save(tmp_path)
    loaded = registry.load(tmp_path, settings)
    assert isinstance(loaded, DistinctIndex)
    assert len(loaded.index.ids) == 249
    assert loaded.ids == ids
    queries = vectors[:20] + np.float32(0.1)
    names, scores = loaded.search(queries, 20)
    # In float64: float32 products of equal vectors may differ in their last bits, and then `exact` breaks no tie.
    documents, wanted = (
        given / np.linalg.norm(given, axis=1, keepdims=True)
        for given in (vectors[rows].astype(float), queries.astype(float))
    )
    cosines = (wanted @ documents.T).round(10)
    best = np.argsort(-cosines, axis=1, kind="stable")[:, :20]
    assert (names == np.array(ids, object)[best]).mean() > 0.99
    np.testing.assert_allclose(scores, np.take_along_axis(cosines, best, axis=1), atol=1e-5)
