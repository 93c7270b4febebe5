"""Texts to vectors for an index: what is needed of an encoder, and a whole corpus in blocks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, Protocol

import numpy as np

from rankdistill.indexing.base import Vectors
from rankdistill.indexing.topk import Positions
from rankdistill.progress import Progress
from rankdistill.space import Space

ENCODED_AT_ONCE = 8192
"""Documents given to the encoder together: enough for it to sort by length, few enough to hold their tokens."""


class DocumentEncoder(Protocol):
    """What building needs of `rankdistill.inference.TextEncoder`."""

    @property
    def space(self) -> Space:
        """The space of the vectors."""
        ...

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """Everything that decides the vectors, as JSON values."""
        ...

    def encode_documents(self, texts: Sequence[str], progress: Progress | None = None) -> Vectors:
        """float32 `[n, dimension]`; `progress` is called with the number of texts done since the last call."""
        ...


def distinct_texts(texts: Sequence[str]) -> tuple[list[str], Positions]:
    """Each text once, in the order of first appearance; and where each of `texts` stands among these.

    Encoded once, a text has one vector: in two batches its last bits may differ.
    """
    places: dict[str, int] = {}
    rows = np.fromiter((places.setdefault(text, len(places)) for text in texts), np.int64, len(texts))
    return list(places), rows


def copies(texts: Iterable[str]) -> int:
    """How many of `texts` stood there before; memory holds 16 bytes a text."""
    known: set[bytes] = set()
    again = 0
    for text in texts:
        digest = blake2b(text.encode(), digest_size=16).digest()
        again += digest in known
        known.add(digest)
    return again


def encode(encoder: DocumentEncoder, texts: Sequence[str], progress: Progress) -> Vectors:
    """The vectors of documents, float32 `[n, dimension]`; encoded in blocks so that memory holds one block's tokens."""
    vectors = np.empty((len(texts), encoder.space.dimension), np.float32)
    for start in range(0, len(texts), ENCODED_AT_ONCE):
        block = texts[start : start + ENCODED_AT_ONCE]
        vectors[start : start + len(block)] = encoder.encode_documents(block, progress)
    return vectors
