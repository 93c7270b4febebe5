"""Vectors of texts that were encoded lately."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Any, NamedTuple

LARGEST = 64_000_000
"""Bytes of all kept vectors and texts."""

LONGEST_TEXT = 2000
"""Characters: longer texts are hardly asked for twice."""


class Kept(NamedTuple):
    """An output of a row, and its tokens."""

    output: Any
    tokens: int
    whole: int


class VectorCache:
    """The least recently used goes first; used from one event loop.

    Args:
        limit: vectors kept at most; 0 keeps none.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._kept: OrderedDict[Hashable, tuple[Kept, int]] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def bytes(self) -> int:
        """Of all that is kept."""
        return self._bytes

    def get(self, text: str, context: Hashable) -> Kept | None:
        """What was kept for `text` in that context (side and prompt)."""
        found = self._kept.get((text, context))
        if found is None:
            return None
        self._kept.move_to_end((text, context))
        return found[0]

    def put(self, text: str, context: Hashable, kept: Kept) -> None:
        """Keep a vector; nothing else may write to its array."""
        if not self.limit or len(text) > LONGEST_TEXT:
            return
        key = (text, context)
        size = int(kept.output.nbytes) + 4 * len(text) + 300
        before = self._kept.pop(key, None)
        if before is not None:
            self._bytes -= before[1]
        self._kept[key] = (kept, size)
        self._bytes += size
        while len(self._kept) > self.limit or self._bytes > LARGEST:
            self._bytes -= self._kept.popitem(last=False)[1][1]
