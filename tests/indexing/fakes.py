"""A fake encoder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from rankdistill.indexing.base import Vectors
from rankdistill.space import Space


class HashEncoder:
    """Gives each text a fixed random unit vector."""

    def __init__(self, dimension: int = 16, tower: str = "fake") -> None:
        self.space = Space(dimension, True, "cosine", {}, tower)
        self.query_spaces = (self.space,)
        self.fingerprint: Mapping[str, Any] = {"tower": tower, "dimension": dimension}
        self.encoded = 0

    def encode_documents(self, texts: Sequence[str], progress: Callable[[int], None] | None = None) -> Vectors:
        self.encoded += len(texts)
        if progress is not None:
            progress(len(texts))
        return self.encode_queries(texts)

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        seeds = [int.from_bytes(text.encode()[:16].ljust(16), "little") + len(text) for text in texts]
        rows = [np.random.default_rng(seed).normal(size=self.space.dimension) for seed in seeds]
        return np.array([row / np.linalg.norm(row) for row in rows], np.float32).reshape(-1, self.space.dimension)
