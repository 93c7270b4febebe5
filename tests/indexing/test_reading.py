"""Vectors read back out of an index are those that were put in, in their order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.sparse import vstack

from rankdistill.errors import ConfigError
from rankdistill.indexing import registry
from rankdistill.indexing.base import Vectors
from rankdistill.indexing.reading import blocks
from rankdistill.indexing.sharded import ShardedIndex
from rankdistill.indexing.sparse import exact
from rankdistill.indexing.sparse.exact import ExactSparseIndex
from rankdistill.indexing.vectors import normalised
from tests.indexing.sparse.conftest import TERMS, sparse


@pytest.mark.parametrize("factory", ["exact", "Flat", "HNSW8", "IVF4,Flat", "IDMap,Flat", "SQ8,RFlat"])
@pytest.mark.parametrize("start", [0, 130])
def test_dense_vectors(factory: str, start: int, vectors: Vectors, ids: list[str]) -> None:
    vectors = vectors[:300].copy()
    vectors[7] = vectors[3]  # kept once, read twice
    made = registry.create(registry.IndexSettings(32, "cosine", factory))
    made.add(ids[:300], vectors)
    found = list(blocks(made, start, 64))
    assert max(map(len, found)) == 64
    np.testing.assert_allclose(np.concatenate(found), normalised(vectors)[start:], atol=1e-7)


@pytest.mark.parametrize("at_once", [40, 1 << 24])
@pytest.mark.parametrize("start", [0, 77, 300])
def test_sparse_vectors(start: int, at_once: int, monkeypatch: pytest.MonkeyPatch, ids: list[str]) -> None:
    monkeypatch.setattr(exact, "READ_AT_ONCE", at_once)
    documents = sparse(300, 0.1, 0)
    made = ExactSparseIndex(TERMS)
    made.add(ids[:300], documents)
    found = list(blocks(made, start, 50))
    assert all(block.shape[0] <= 50 for block in found)
    if start < 300:
        assert (vstack(found) != documents[start:]).nnz == 0


def test_shards_follow_one_another(vectors: Vectors, ids: list[str]) -> None:
    shards: list[Any] = []
    for low, high in ((0, 100), (100, 110), (110, 300)):
        shards.append(registry.create(registry.IndexSettings(32, "dot", "exact")))
        shards[-1].add(ids[low:high], vectors[low:high])
    for start in (0, 99, 105, 110, 250):
        assert np.array_equal(np.concatenate(list(blocks(ShardedIndex(shards), start, 64))), vectors[start:300])


def test_what_keeps_no_whole_vectors_says_so(vectors: Vectors, ids: list[str]) -> None:
    made = registry.create(registry.IndexSettings(32, "dot", "SQ8"))
    made.add(ids, vectors)
    with pytest.raises(ConfigError, match="coarser"):
        next(blocks(made, 0, 10))
    words = registry.create(registry.IndexSettings(0, "bm25", "bm25", kind="text"))
    words.add(["a"], ["one word"])
    with pytest.raises(ConfigError, match="Bm25"):
        next(blocks(words, 0, 10))
