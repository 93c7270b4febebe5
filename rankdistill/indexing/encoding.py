"""Texts to vectors for an index: what is needed of an encoder, and a whole corpus in blocks."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Protocol

import numpy as np

from rankdistill.data.packed import Numbers
from rankdistill.indexing.arrays import RowsFile
from rankdistill.indexing.base import Vectors
from rankdistill.indexing.topk import Positions
from rankdistill.indexing.vectors import check_finite, refused
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
    """How many of `texts` stood there before; memory holds some 60 bytes a text."""
    known = Numbers()
    return sum(known.setdefault(_digest(text), number) != number for number, text in enumerate(texts))


def distinct(texts: Iterable[str]) -> int:
    """How many different ones there are among `texts`; memory as of `copies`."""
    known = Numbers()
    for text in texts:
        known.setdefault(_digest(text), 0)
    return len(known)


@dataclass(frozen=True)
class Block:
    """Texts that are encoded together: each for the first time.

    Args:
        texts: of the block.
        rows: where each stands among all texts, rising.
    """

    texts: list[str]
    rows: Positions


class DistinctBlocks:
    """Texts that are read once, as blocks of different ones; then `copies` says where the others are.

    Args:
        texts: all of them, in their order.
        at_once: texts a block.
    """

    def __init__(self, texts: Iterable[str], at_once: int) -> None:
        self._texts, self._at_once = texts, at_once
        self._again, self._first = array("q"), array("q")

    def __iter__(self) -> Iterator[Block]:
        known, texts, rows = Numbers(), [], array("q")
        for row, text in enumerate(self._texts):
            first = known.setdefault(_digest(text), row)
            if first != row:
                self._again.append(row)
                self._first.append(first)
                continue
            texts.append(text)
            rows.append(row)
            if len(texts) == self._at_once:
                yield Block(texts, np.array(rows, np.int64))
                texts, rows = [], array("q")
        if texts:
            yield Block(texts, np.array(rows, np.int64))

    @property
    def copies(self) -> tuple[Positions, Positions]:
        """Rows whose text stood before, rising, and where it stood first."""
        return np.array(self._again, np.int64), np.array(self._first, np.int64)


def write(
    vectors_of: Callable[[Block], Vectors],
    ids: Sequence[str],
    texts: Iterable[str],
    out: RowsFile,
    prepare: Callable[[Vectors], Vectors],
    progress: Progress,
    at_once: int | None = None,
) -> None:
    """Write the vectors of all `texts`, one a row of `out`; memory holds one block's.

    Args:
        vectors_of: the block's texts -> their vectors, float32 `[n, dimension]`.
        ids: of the documents.
        texts: of the documents, one a row of `out`.
        out: where they go.
        prepare: what each vector becomes on its way.
        progress: called with the number of texts that are copies of earlier ones.
        at_once: different texts that are asked for together; `ENCODED_AT_ONCE` unless given.

    Raises:
        DataError: a vector has another length or is not finite.
    """
    blocks = DistinctBlocks(texts, at_once or ENCODED_AT_ONCE)
    for block in blocks:
        vectors, wanted = vectors_of(block), (len(block.texts), out.shape[1])
        if vectors.shape != wanted:
            raise refused(f"vectors of shape {list(wanted)}", f"shape {list(vectors.shape)}")
        check_finite([ids[row] for row in block.rows.tolist()], vectors)
        out.put(block.rows, prepare(vectors))
    again, first = blocks.copies
    for start in range(0, len(again), ENCODED_AT_ONCE):
        some = slice(start, start + ENCODED_AT_ONCE)
        out.put(again[some], out.get(first[some]))
    if len(again):
        progress(len(again))


def _digest(text: str) -> str:
    """A short string that stands for a text: equal for equal ones."""
    return blake2b(text.encode(), digest_size=16).digest().decode("latin-1")


def encode(encoder: DocumentEncoder, texts: Sequence[str], progress: Progress) -> Vectors:
    """The vectors of documents, float32 `[n, dimension]`; encoded in blocks so that memory holds one block's tokens."""
    vectors = np.empty((len(texts), encoder.space.dimension), np.float32)
    for start in range(0, len(texts), ENCODED_AT_ONCE):
        block = texts[start : start + ENCODED_AT_ONCE]
        vectors[start : start + len(block)] = encoder.encode_documents(block, progress)
    return vectors
