"""The texts of a collection or a store by id; many of them lie on disk, where `rankdistill.data.spill` says."""

from __future__ import annotations

from array import array
from collections.abc import ItemsView, Iterable, Iterator, Mapping, Sequence, ValuesView
from typing import Any, cast

from rankdistill.data.packed import Numbers
from rankdistill.data.spill import Spill

_READ_AT_ONCE = 1 << 20


class Texts(Mapping[str, str]):
    """Id -> text, in the order of insertion; read only.

    Args:
        ids: of the texts.
        texts: one an id, in their order.

    Raises:
        OutputError: the folder for temporary files is full.
    """

    def __init__(self, ids: Numbers, texts: Iterable[str]) -> None:
        self._ids, self._ends, self._held = ids, array("q"), Spill()
        for text in texts:
            self._held.append(text.encode("utf-8", "surrogatepass"))
            self._ends.append(len(self._held))
        self._held.flush()
        if len(self._ends) != len(ids):
            raise ValueError(f"{len(ids)} ids, {len(self._ends)} texts")

    @classmethod
    def of_pairs(cls, pairs: Iterable[tuple[str, str]]) -> Texts:
        """Texts by id; of two with one id the first counts."""
        ids = Numbers()

        def texts() -> Iterator[str]:
            for identifier, text in pairs:
                if ids.setdefault(identifier, held := len(ids)) == held:
                    yield text

        return cls(ids, texts())

    def __getitem__(self, identifier: str) -> str:
        place = self._ids.place(identifier) if isinstance(identifier, str) else -1
        if place < 0:
            raise KeyError(identifier)
        return self.at(place)

    def at(self, place: int) -> str:
        """The text that `place` others stand before."""
        start = self._ends[place - 1] if place else 0
        return self._held.read(start, self._ends[place]).decode("utf-8", "surrogatepass")

    def places(self, ids: Iterable[str]) -> array[int]:
        """Where the text of each id stands; -1 where it has none."""
        return array("i", map(self._ids.place, ids))

    def __contains__(self, identifier: object) -> bool:
        return identifier in self._ids

    def __len__(self) -> int:
        return len(self._ends)

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids)

    def values(self) -> ValuesView[str]:
        """The texts, read from first to last."""
        return _Values(self)

    def items(self) -> ItemsView[str, str]:
        """Id and text, read from first to last."""
        return _Items(self)

    def __getstate__(self) -> Any:
        return self._ids, list(self.values())

    def __setstate__(self, state: Any) -> None:
        ids, texts = state
        self.__init__(ids, texts)  # type: ignore[misc]

    def _in_order(self) -> Iterator[str]:
        start, first, held = 0, 0, b""
        for end in self._ends:
            if end - first > len(held):
                first, held = start, self._held.read(start, max(end, start + _READ_AT_ONCE))
            yield held[start - first : end - first].decode("utf-8", "surrogatepass")
            start = end


class Chosen(Sequence[str]):
    """Some texts by number, each read when it is asked for.

    Args:
        texts: id -> text.
        ids: whose texts are the first, the second, ...; `texts` has all of them.
    """

    def __init__(self, texts: Mapping[str, str], ids: Sequence[str]) -> None:
        self._texts, self._ids = texts, ids
        self._places = texts.places(ids) if isinstance(texts, Texts) else None

    def __len__(self) -> int:
        return len(self._ids)

    def __getitem__(self, number: Any) -> Any:
        if isinstance(number, slice):
            return [self[one] for one in range(*number.indices(len(self)))]
        if self._places is None:
            return self._texts[self._ids[number]]
        return cast(Texts, self._texts).at(self._places[number])


class _Values(ValuesView[str]):
    def __iter__(self) -> Iterator[str]:
        return cast(Texts, self._mapping)._in_order()  # type: ignore[attr-defined]


class _Items(ItemsView[str, str]):
    def __iter__(self) -> Iterator[tuple[str, str]]:
        found = cast(Texts, self._mapping)  # type: ignore[attr-defined]
        return zip(found, found._in_order(), strict=True)
