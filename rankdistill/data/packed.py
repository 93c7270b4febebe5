"""Many short strings in little memory: their bytes one after the other, found by place, and by content where asked.

A list of Python strings takes some 70 bytes a string of ten letters and a dict from them to numbers 170; `Strings`
takes 18 and `Numbers` 50.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence, ValuesView
from typing import TYPE_CHECKING, Any, overload

if TYPE_CHECKING:
    import pyarrow as pa

_FIRST_SLOTS = 64
_MOST_BYTES = 1 << 30
"""Of strings in one array of Arrow, whose places have 32 bits."""


class Strings(Sequence[str]):
    """A list that only grows.

    Args:
        strings: the first ones.
    """

    __hash__ = None  # type: ignore[assignment]  # as of a list

    def __init__(self, strings: Iterable[str] = ()) -> None:
        self._bytes, self._ends = bytearray(), array("q")
        self.extend(strings)

    def append(self, string: str) -> None:
        """Put `string` behind the others."""
        self._bytes += string.encode("utf-8", "surrogatepass")
        self._ends.append(len(self._bytes))

    def extend(self, strings: Iterable[str]) -> None:
        """Put `strings` behind the others."""
        for string in strings:
            self.append(string)

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(len(self)))]
        end = self._ends[place]  # IndexError as of a list
        place += len(self) if place < 0 else 0
        start = self._ends[place - 1] if place else 0
        return self._bytes[start:end].decode("utf-8", "surrogatepass")

    def __iter__(self) -> Iterator[str]:
        start = 0
        for end in self._ends:
            yield self._bytes[start:end].decode("utf-8", "surrogatepass")
            start = end

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Strings):
            return self._ends == other._ends and self._bytes == other._bytes
        if isinstance(other, Sequence) and not isinstance(other, str):
            return len(self) == len(other) and all(one == two for one, two in zip(self, other, strict=True))
        return NotImplemented

    def __repr__(self) -> str:
        return f"Strings({list(self)!r})"

    def to_arrow(self, start: int = 0, end: int | None = None) -> pa.ChunkedArray:
        """Those from `start` to `end`, as Arrow's strings."""
        import numpy as np
        import pyarrow as pa

        chunks, end = [], len(self) if end is None else min(end, len(self))
        while start < end:
            first = self._ends[start - 1] if start else 0
            stop = start + 1
            step = end - start
            while step:  # the furthest place whose strings fit into one array
                if stop + step <= end and self._ends[stop + step - 1] - first <= _MOST_BYTES:
                    stop += step
                else:
                    step //= 2
            places = np.array([first, *self._ends[start:stop]], np.int64) - first
            held = pa.py_buffer(bytes(self._bytes[first : first + int(places[-1])]))
            chunks.append(pa.StringArray.from_buffers(stop - start, pa.py_buffer(places.astype(np.int32)), held))
            start = stop
        return pa.chunked_array(chunks, pa.string())


class Numbers(Mapping[str, int]):
    """A dict from strings to numbers that only grows; in the order of insertion."""

    def __init__(self) -> None:
        self.strings = Strings()
        self._numbers, self._hashes = array("q"), array("q")
        self._slots = array("i", [-1]) * _FIRST_SLOTS

    def setdefault(self, string: str, number: int) -> int:
        """The number of `string`, which is `number` from now on if it had none."""
        code = hash(string)
        slot, place = self._find(string, code)
        if place >= 0:
            return self._numbers[place]
        self._slots[slot] = len(self.strings)
        self.strings.append(string)
        self._numbers.append(number)
        self._hashes.append(code)
        if 3 * len(self._hashes) > 2 * len(self._slots):
            self._spread(2 * len(self._slots))
        return number

    def place(self, string: str) -> int:
        """How many were inserted before `string`; -1 where it is not there."""
        return self._find(string, hash(string))[1]

    def __getitem__(self, string: str) -> int:
        place = self.place(string) if isinstance(string, str) else -1
        if place < 0:
            raise KeyError(string)
        return self._numbers[place]

    def __contains__(self, string: object) -> bool:
        return isinstance(string, str) and self.place(string) >= 0

    def __len__(self) -> int:
        return len(self.strings)

    def __iter__(self) -> Iterator[str]:
        return iter(self.strings)

    def values(self) -> ValuesView[int]:
        """The numbers, in the order of insertion."""
        return _InOrder(self)

    def __getstate__(self) -> Any:
        return self.strings, self._numbers

    def __setstate__(self, state: Any) -> None:
        # The hash of a string differs from process to process.
        self.strings, self._numbers = state
        self._hashes = array("q", map(hash, self.strings))
        slots = _FIRST_SLOTS
        while 3 * len(self._hashes) > 2 * slots:
            slots *= 2
        self._spread(slots)

    def _find(self, string: str, code: int) -> tuple[int, int]:
        """The slot that `string` has, or would get, and its place; -1 where it has none."""
        slots, hashes, last = self._slots, self._hashes, len(self._slots) - 1
        slot = code & last
        while (place := slots[slot]) >= 0:
            if hashes[place] == code and self.strings[place] == string:
                return slot, place
            slot = (slot + 1) & last
        return slot, -1

    def _spread(self, size: int) -> None:
        slots, last = array("i", [-1]) * size, size - 1
        for place, code in enumerate(self._hashes):
            slot = code & last
            while slots[slot] >= 0:
                slot = (slot + 1) & last
            slots[slot] = place
        self._slots = slots


class _InOrder(ValuesView[int]):
    """The numbers without looking each string up."""

    def __iter__(self) -> Iterator[int]:
        found: Numbers = self._mapping  # type: ignore[attr-defined]
        return iter(found._numbers)
