"""Documents by number; many of them lie on disk, where `rankdistill.data.spill` says."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import overload

from rankdistill.data.spill import Spill
from rankdistill.records import Document

_FIELDS = len(Document._fields)


class Documents(Sequence[Document]):
    """A list of documents that is read only; each is read when it is asked for.

    Args:
        documents: in their order.

    Raises:
        OutputError: the folder for temporary files is full.
    """

    def __init__(self, documents: Iterable[Document]) -> None:
        self._held, self._ends = Spill(), array("q")
        for document in documents:
            for field in document:
                self._held.append(field.encode("utf-8", "surrogatepass"))
                self._ends.append(len(self._held))
        self._held.flush()

    def __len__(self) -> int:
        return len(self._ends) // _FIELDS

    @overload
    def __getitem__(self, number: int) -> Document: ...
    @overload
    def __getitem__(self, number: slice) -> list[Document]: ...
    def __getitem__(self, number: int | slice) -> Document | list[Document]:
        if isinstance(number, slice):
            return [self[one] for one in range(*number.indices(len(self)))]
        place = range(len(self))[number] * _FIELDS  # IndexError as of a list
        start = self._ends[place - 1] if place else 0
        ends = self._ends[place : place + _FIELDS]
        read = self._held.read(start, ends[-1])
        starts = [0, *(end - start for end in ends)]
        fields = (read[one:other] for one, other in pairwise(starts))
        return Document(*(field.decode("utf-8", "surrogatepass") for field in fields))

    def __iter__(self) -> Iterator[Document]:
        return (self[number] for number in range(len(self)))
