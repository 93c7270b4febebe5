"""Shards against one index."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from rankdistill.indexing.base import Vectors
from rankdistill.indexing.exact import ExactIndex
from rankdistill.indexing.faiss import FaissIndex
from rankdistill.indexing.sharded import ShardedIndex


def exact(ids: list[str], vectors: Vectors) -> ExactIndex:
    index = ExactIndex(32, "dot")
    index.add(ids, vectors)
    return index


def test_shards_give_what_one_index_gives(vectors: Vectors, queries: Vectors, ids: list[str]) -> None:
    edges = [0, 3, 400, 1000]
    shards = [exact(ids[a:b], vectors[a:b]) for a, b in pairwise(edges)]
    sharded, whole = ShardedIndex(shards), exact(ids, vectors)
    assert sharded.ids == whole.ids
    for k in (1, 10, 999, 2000):
        found, scores = sharded.search(queries, k)
        truth, expected = whole.search(queries, k)
        assert (found == truth).all()
        np.testing.assert_allclose(scores, expected, atol=1e-5)


def test_equal_scores_come_in_the_order_of_the_shards() -> None:
    same = np.ones((4, 32), np.float32)
    sharded = ShardedIndex([exact(["b", "a"], same[:2]), exact(["d", "c"], same[2:])])
    assert list(sharded.search(same[:1], 3)[0][0]) == ["b", "a", "d"]


def test_what_one_shard_lacks_is_filled_from_another(vectors: Vectors, ids: list[str]) -> None:
    narrow = FaissIndex(32, "dot", "IVF32,Flat", {"nprobe": 1})
    narrow.add(ids[:500], vectors[:500])
    found, _ = ShardedIndex([narrow, exact(ids[500:], vectors[500:])]).search(vectors[:2], 500)
    assert (found != "").all()
