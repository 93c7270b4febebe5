"""Near-duplicate texts, by MinHash signatures and then the exact Jaccard similarity of their shingles."""

from __future__ import annotations

import re
import zlib
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

SHINGLE_WORDS = 4
BANDS, ROWS = 16, 4
_WORD = re.compile(r"\w+")


def first_of_each(texts: Sequence[str], threshold: float = 0.7) -> list[int]:
    """Positions of the texts that are no near-duplicate of an earlier text kept, ascending.

    Two texts are near-duplicates if the Jaccard similarity of their sets of 4-word shingles (words in lower case)
    reaches `threshold`. Pairs are found through MinHash signatures of 16 bands of 4 rows (Broder 1997): a pair of
    similarity .7 is missed with probability (1 - .7^4)^16 = 1.2%, one of .8 with .02%; every pair found is verified.
    """
    shingles = [_shingles(text) for text in texts]
    coefficients = _coefficients()
    buckets: dict[tuple[int, bytes], list[int]] = defaultdict(list)
    kept = []
    for position, own in enumerate(shingles):
        signature = _signature(own, coefficients)
        keys = [(band, signature[band * ROWS : (band + 1) * ROWS].tobytes()) for band in range(BANDS)]
        rivals = {rival for key in keys for rival in buckets[key]}
        if any(_jaccard(own, shingles[rival]) >= threshold for rival in rivals):
            continue
        kept.append(position)
        for key in keys:
            buckets[key].append(position)
    return kept


def _shingles(text: str) -> NDArray[np.uint32]:
    """Sorted unique hashes of the text's runs of 4 words; of all its words if it has fewer."""
    words = _WORD.findall(text.lower())
    starts = range(max(1, len(words) - SHINGLE_WORDS + 1))
    hashes = {zlib.crc32(" ".join(words[start : start + SHINGLE_WORDS]).encode()) for start in starts}
    return np.array(sorted(hashes), dtype=np.uint32)


def _coefficients() -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """The factors a and terms b of the fixed hash functions, each [BANDS * ROWS, 1]."""
    generator = np.random.default_rng(0)
    a, b = generator.integers(0, 1 << 64, (2, BANDS * ROWS, 1), dtype=np.uint64)
    return a, b


def _signature(
    shingles: NDArray[np.uint32], coefficients: tuple[NDArray[np.uint64], NDArray[np.uint64]]
) -> NDArray[np.uint32]:
    """The minimum of each hash function over the shingles, [BANDS * ROWS].

    h(x) = (a x + b mod 2^64) >> 32, strongly universal for 32-bit x (Dietzfelbinger 1996).
    """
    a, b = coefficients
    return ((a * shingles.astype(np.uint64) + b) >> np.uint64(32)).min(axis=1).astype(np.uint32)


def _jaccard(one: NDArray[np.uint32], other: NDArray[np.uint32]) -> float:
    common = len(np.intersect1d(one, other, assume_unique=True))
    return common / (len(one) + len(other) - common)
