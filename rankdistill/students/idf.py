"""Inverse document frequencies over a student's own vocabulary."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rankdistill.errors import DataError

DOCUMENTS = 100_000
"""Documents that are counted at most: those of the lowest hash."""

_AT_ONCE = 1000


def idf(tokenizer: Any, documents: Iterable[str], size: int) -> NDArray[np.float32]:
    """`ln(1 + (N - n_t + 0.5) / (n_t + 0.5))` of each vocabulary entry, float32[size], above 0.

    N are the documents, n_t those with token t. It is the idf of BM25 as Lucene computes it.

    Args:
        tokenizer: of the student, as transformers has them.
        documents: texts of the collection.
        size: vocabulary entries; tokens above are left out.

    Raises:
        DataError: no document.
    """
    chosen = heapq.nsmallest(DOCUMENTS, documents, key=_hash)
    if not chosen:
        raise DataError(
            expected="documents to count the vocabulary's terms in",
            got="none",
            consequence="no term has a frequency",
            remedy="give a data set with documents",
        )
    counts = np.zeros(size, dtype=np.int64)
    for start in range(0, len(chosen), _AT_ONCE):
        texts = chosen[start : start + _AT_ONCE]
        for tokens in tokenizer(texts, add_special_tokens=False, truncation=True)["input_ids"]:
            counts[[token for token in set(tokens) if token < size]] += 1
    return np.log1p((len(chosen) - counts + 0.5) / (counts + 0.5)).astype(np.float32)


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
