"""Reading the vectors of an index back, in insertion order, a block at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from rankdistill.errors import ConfigError
from rankdistill.indexing.base import Searcher
from rankdistill.indexing.distinct import DistinctIndex
from rankdistill.indexing.exact import ExactIndex
from rankdistill.indexing.faiss import FaissIndex
from rankdistill.indexing.sharded import ShardedIndex
from rankdistill.indexing.sparse.exact import ExactSparseIndex


def blocks(index: Searcher[Any], start: int, size: int) -> Iterator[Any]:
    """The vectors of the documents from `start` on, as the index compares them: float32 `[size, dimension]`, or sparse.

    Blocks end at the end of a shard, so they may be shorter. Memory does not grow with the index.

    Raises:
        ConfigError: the back end does not keep whole vectors.
    """
    if isinstance(index, ShardedIndex):
        for shard in index.shards:
            count = len(shard.ids)
            if start < count:
                yield from blocks(shard, start, size)
            start = max(0, start - count)
    elif isinstance(index, ExactSparseIndex):
        yield from index.blocks(start, size)
    else:
        held = index.index if isinstance(index, DistinctIndex) else index
        if not isinstance(held, ExactIndex | FaissIndex):
            raise ConfigError(
                expected="an index of dense or sparse vectors that keeps them whole",
                got=f"a back end that does not: {type(held).__name__}",
                consequence="nothing was read",
                remedy="build one with --factory exact of the same model, which keeps them, and take that",
            )
        for at in range(start, len(index.ids), size):
            positions = np.arange(at, min(at + size, len(index.ids)))
            yield held.vectors_at(index.rows_of(positions) if isinstance(index, DistinctIndex) else positions)
