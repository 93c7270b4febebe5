"""Several indexes searched as one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np

from rankdistill.indexing.base import Allowed, Ids, Scores, Searcher
from rankdistill.indexing.topk import top_k


class ShardedIndex:
    """Searches every shard and keeps the best; equal scores in the order of the shards. Read-only.

    Args:
        shards: at least one, all of the same space.
    """

    def __init__(self, shards: Sequence[Searcher[Any]]) -> None:
        self.shards = list(shards)

    @property
    def ids(self) -> list[str]:
        """The ids of all shards, in order."""
        return list(chain.from_iterable(shard.ids for shard in self.shards))

    def search(self, vectors: Any, k: int, allowed: Allowed | None = None) -> tuple[Ids, Scores]:
        """See `Index.search`. Memory grows with queries x k x shards."""
        if allowed is None:
            found = [shard.search(vectors, k) for shard in self.shards]
        else:
            ends = np.cumsum([len(shard.ids) for shard in self.shards])
            parts = np.split(allowed, ends[:-1])
            found = [shard.search(vectors, k, part) for shard, part in zip(self.shards, parts, strict=True)]
        ids = np.concatenate([names for names, _ in found], axis=1)
        scores = np.concatenate([scores for _, scores in found], axis=1)
        best = top_k(scores, k)
        return np.take_along_axis(ids, best, axis=1), np.take_along_axis(scores, best, axis=1)
