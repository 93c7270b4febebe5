"""Several indexes searched as one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
        """See `Index.search`. Memory grows with queries x k, not with the shards."""
        best: tuple[Ids, Scores] | None = None
        for found in self._found(vectors, k, allowed):
            best = found if best is None else _best_of(best, found, k)
        if best is None:
            raise ValueError("no shards")
        return best

    def _found(self, vectors: Any, k: int, allowed: Allowed | None) -> Iterator[tuple[Ids, Scores]]:
        """What each shard finds."""
        start = 0
        for shard in self.shards:
            end = start + len(shard.ids)
            yield shard.search(vectors, k) if allowed is None else shard.search(vectors, k, allowed[start:end])
            start = end


def _best_of(earlier: tuple[Ids, Scores], later: tuple[Ids, Scores], k: int) -> tuple[Ids, Scores]:
    """The best `k` of both for each query; of equal scores the earlier's first."""
    ids, scores = (np.concatenate(both, axis=1) for both in zip(earlier, later, strict=True))
    best = top_k(scores, k)
    return np.take_along_axis(ids, best, axis=1), np.take_along_axis(scores, best, axis=1)
