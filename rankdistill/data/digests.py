"""Sets of 16-byte hashes in little memory: a Python set takes some 100 bytes a hash, `Digests` 16."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

BYTES = 16

FEW = 1 << 16
"""Hashes that came or went singly and are held as Python's bytes at least, before they are sorted in."""

PART = 16
"""At most one in so many is held so, beyond `FEW`: what a change costs does not grow with the set."""

Hashes = np.ndarray
"""S16[n]: hashes that compare and sort as wholes. Zeros at the end of one are part of it, though numpy hides them."""


def packed(hashes: Iterable[bytes] | bytes) -> Hashes:
    """Hashes as an array.

    Args:
        hashes: 16 bytes each, or all of them one after the other.
    """
    return np.frombuffer(hashes if isinstance(hashes, bytes) else b"".join(hashes), f"S{BYTES}")


class Digests:
    """A set of hashes, 16 bytes each: sorted in one array, and few beside it that came or went since.

    Args:
        hashes: the first ones, in any order.
        count: how many these are at most, where it is known: no memory is taken twice for them then.
    """

    def __init__(self, hashes: Iterable[Hashes] = (), count: int = 0) -> None:
        held, filled = np.empty(count, f"S{BYTES}"), 0
        for some in hashes:
            if filled + len(some) > len(held):
                held = np.concatenate([held[:filled], np.empty(max(filled // 2, len(some)), held.dtype)])
            held[filled : filled + len(some)] = some
            filled += len(some)
        self._sorted = held[:filled]
        self._sorted.sort()
        self._came: set[bytes] = set()
        self._gone: set[bytes] = set()

    def add(self, one: bytes) -> bool:
        """Put one hash in; whether it was not there."""
        if one in self._gone:
            self._gone.discard(one)
            return True
        if one in self._came or self._is_sorted_in(one):
            return False
        self._came.add(one)
        self._settle()
        return True

    def discard(self, one: bytes) -> None:
        """Take one hash out, if it is there."""
        self._came.discard(one)
        if self._is_sorted_in(one):
            self._gone.add(one)
            self._settle()

    def __contains__(self, one: object) -> bool:
        return isinstance(one, bytes) and (one in self._came or (one not in self._gone and self._is_sorted_in(one)))

    def holds(self, hashes: Hashes) -> np.ndarray:
        """bool[n]: which of `hashes` are there."""
        self._settle(at_once=True)
        if not len(self._sorted):
            return np.zeros(len(hashes), dtype=bool)
        places = np.minimum(np.searchsorted(self._sorted, hashes), len(self._sorted) - 1)
        return np.asarray(self._sorted[places] == hashes)

    def _is_sorted_in(self, one: bytes) -> bool:
        place = int(self._sorted.searchsorted(np.frombuffer(one, self._sorted.dtype))[0])
        return place < len(self._sorted) and self._sorted[place : place + 1].tobytes() == one

    def _settle(self, at_once: bool = False) -> None:
        """Sort in what came, and take out what went, if these are many."""
        if len(self._came) + len(self._gone) <= (0 if at_once else max(FEW, len(self._sorted) // PART)):
            return
        held = self._sorted
        if self._gone:
            held = held[~np.isin(held, packed(self._gone))]
        self._sorted = np.concatenate([held, packed(self._came)])
        self._sorted.sort(kind="stable")  # two runs are merged
        self._came, self._gone = set(), set()
