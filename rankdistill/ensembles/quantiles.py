"""Exact quantiles of scores that do not fit in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rankdistill import tables
from rankdistill.errors import StoreError

Chunks = Callable[[], Iterable[NDArray[np.float32]]]
"""Gives all scores, part by part, each time it is called."""

CHUNK_ROWS = 1 << 20

_HALF = 16
_BUCKETS = 1 << _HALF
_SIGN = np.uint32(1 << 31)


def quantiles(chunks: Chunks, shares: Sequence[float]) -> list[float]:
    """The quantiles of float32 scores, linear between neighbours (`numpy.quantile`'s default); 0 where there are none.

    A float32's bits, with the sign turned, rise as it does: one pass counts their upper halves, which tells the bucket
    of each neighbour, and a second the lower halves in those buckets. Memory holds a few arrays of 65,536 counts, and
    the order of the scores makes no difference.

    Args:
        chunks: read twice.
        shares: from 0 to 1.
    """
    upper = np.zeros(_BUCKETS, dtype=np.int64)
    for chunk in chunks():
        upper += np.bincount(_keys(chunk) >> _HALF, minlength=_BUCKETS)
    ends = np.cumsum(upper)
    total = int(ends[-1])
    if not total:
        return [0.0] * len(shares)
    places = [share * (total - 1) for share in shares]
    ranks = sorted({rank for place in places for rank in (int(place), min(int(place) + 1, total - 1))})
    bucket_of = {rank: int(np.searchsorted(ends, rank, side="right")) for rank in ranks}
    lower = {bucket: np.zeros(_BUCKETS, dtype=np.int64) for bucket in set(bucket_of.values())}
    for chunk in chunks():
        keys = _keys(chunk)
        for bucket, counts in lower.items():
            counts += np.bincount(keys[keys >> _HALF == bucket] & (_BUCKETS - 1), minlength=_BUCKETS)
    values = {}
    for rank, bucket in bucket_of.items():
        inside = rank - int(ends[bucket] - upper[bucket])
        low_half = int(np.searchsorted(np.cumsum(lower[bucket]), inside, side="right"))
        values[rank] = _value(bucket << _HALF | low_half)
    return [
        values[int(place)] + (values[min(int(place) + 1, total - 1)] - values[int(place)]) * (place - int(place))
        for place in places
    ]


def scores_of(teacher_id: str, shards: Sequence[Path]) -> Iterator[NDArray[np.float32]]:
    """The scores in `shards`, part by part; raises StoreError if one is not finite."""
    for path in shards:
        with tables.open_parquet(path) as shard:
            for batch in shard.iter_batches(CHUNK_ROWS, columns=["score"]):
                scores = batch.column(0).to_numpy(zero_copy_only=False)
                if not np.isfinite(scores).all():
                    raise StoreError(
                        expected=f"finite scores of {teacher_id}",
                        got=f"{scores[~np.isfinite(scores)][0]} in {path.name}",
                        consequence="nothing was combined",
                        remedy="score or import this teacher again, into a new store",
                    )
                yield scores


def _keys(scores: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Whole numbers in the order of the scores: negative floats have their bits turned, others only the sign."""
    bits = np.ascontiguousarray(scores, dtype=np.float32).view(np.uint32)
    return np.where(bits & _SIGN, ~bits, bits | _SIGN)


def _value(key: int) -> float:
    bits = np.uint32(key)
    return float((bits ^ _SIGN if bits & _SIGN else ~bits).view(np.float32))
