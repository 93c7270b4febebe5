"""How many items a work unit has: as many as take about half a minute, so that a kill costs no more than that."""

from __future__ import annotations

import time
from collections.abc import Callable

from rankdistill.notes import tell

UNIT_SIZE = 8192
"""Items a work unit at most, unless another size is asked for."""

LEAST_UNIT = 64
"""Below it, shards would be more files than a file system likes."""

SECONDS = 30.0
"""Of work a unit."""

UNMEASURED = 256
"""So few items are a unit whatever they take, and a speed measured on fewer is not worth its time."""

MEASURED = 64
ENOUGH = 1.0
"""At most so many items are measured, and none more once they took so many seconds."""


def is_exact(asked: int | None, encodes_texts: bool) -> bool:
    """Whether a size that was asked for is taken as it is.

    One beyond `UNIT_SIZE` is for teachers that encode each text once a shard, for which few large shards take less;
    another teacher, put in the place of such a one, would lose hours to a kill: its size is measured.
    """
    return asked is not None and (encodes_texts or asked <= UNIT_SIZE)


def size_for(rate: float) -> int:
    """Items a work unit at `rate` items a second: a power of two, so that measurements that differ little agree."""
    size = LEAST_UNIT
    while size < UNIT_SIZE and size * 2 <= rate * SECONDS:
        size *= 2
    return size


def measured_size(work: Callable[[int], object], items: int, called: str) -> int:
    """Items a work unit of a teacher whose speed is measured here; told where it is not the usual size.

    Args:
        work: does so many items, at most `MEASURED`; what they give is thrown away.
        items: there are, at most.
        called: what the items are, for what is told.
    """
    if items <= UNMEASURED:
        return UNIT_SIZE
    work(1)  # loads and compiles
    count, seconds = 1, 0.0
    while seconds < ENOUGH and count < MEASURED:
        count *= 2
        started = time.perf_counter()
        work(count)
        seconds = time.perf_counter() - started
    rate = count / max(seconds, 1e-9)
    size = size_for(rate)
    if size < UNIT_SIZE:
        tell(f"{size:,} {called} a shard, about {SECONDS:.0f} s of work at {rate:,.0f} {called}/s")
    return size
