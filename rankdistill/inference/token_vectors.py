"""Vectors of the tokens of texts, one row a token, texts one after the other; and their score, MaxSim."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class TokenVectors:
    """The token vectors of some texts. A text may have none.

    Args:
        vectors: float32 `[tokens, dimension]`.
        starts: int64 `[texts + 1]`; the rows of text `t` are `starts[t]` to `starts[t + 1]`.
    """

    vectors: NDArray[np.float32]
    starts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, text: int) -> NDArray[np.float32]:
        """float32 `[tokens, dimension]` of one text."""
        return self.vectors[self.starts[text] : self.starts[text + 1]]

    @property
    def dimension(self) -> int:
        """Length of a token's vector."""
        return int(self.vectors.shape[1])

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each text, int64 `[texts]`."""
        return np.diff(self.starts)

    def some(self, first: int, last: int) -> TokenVectors:
        """Those of the texts `first` to `last`, the latter left out; no copy is made."""
        rows = slice(self.starts[first], self.starts[last])
        return TokenVectors(self.vectors[rows], self.starts[first : last + 1] - self.starts[first])


def of_texts(texts: Sequence[NDArray[np.float32]], dimension: int) -> TokenVectors:
    """The token vectors of single texts, `[tokens, dimension]` each, as one array."""
    lengths = [len(one) for one in texts]
    vectors = np.concatenate([np.empty((0, dimension), np.float32), *texts])
    return TokenVectors(vectors, np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64))


def joined(parts: Iterable[TokenVectors]) -> TokenVectors:
    """Several, at least one, as one; copied."""
    every = list(parts)
    offsets = np.cumsum([0, *(len(part.vectors) for part in every[:-1])])
    starts = [part.starts[:-1] + offset for part, offset in zip(every, offsets, strict=True)]
    vectors = np.concatenate([part.vectors for part in every])
    return TokenVectors(vectors, np.concatenate([*starts, [len(vectors)]]).astype(np.int64))


def max_sim(queries: TokenVectors, documents: TokenVectors, mean: bool) -> NDArray[np.float32]:
    """The score of every query with every document, float32 `[queries, documents]`.

    s(q, d) = sum over query tokens of the largest dot product with a token of d, divided by the number of query tokens
    with `mean`; minus infinity where one of the two has no token.

    Source: Khattab and Zaharia 2020, arXiv 2004.12832.
    """
    scores = np.full((len(queries), len(documents)), -np.inf, np.float32)
    filled = np.flatnonzero(documents.lengths)
    asked = np.flatnonzero(queries.lengths)
    if not len(filled) or not len(asked):
        return scores
    products = documents.vectors @ queries.vectors.T
    best = np.maximum.reduceat(products, documents.starts[filled], axis=0)
    sums = np.add.reduceat(best, queries.starts[asked], axis=1)
    if mean:
        sums = sums / queries.lengths[asked].astype(np.float32)
    scores[np.ix_(asked, filled)] = sums.T
    return scores
