"""Documents with the same vector, indexed once.

A graph in which thousands of nodes lie at one point links these with each other and with little else, so a search ends
among them, and equal vectors fill what an inverted list or a list of candidates has room for. An approximate back end
is therefore given each distinct vector once, under the id of the first document that has it; what it finds is expanded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rankdistill import tables
from rankdistill.indexing.arrays import damaged
from rankdistill.indexing.base import Allowed, Ids, Index, Scores
from rankdistill.indexing.documents import named
from rankdistill.indexing.topk import Positions

DOCUMENTS_FILE = "documents.parquet"
"""Every document and the row of the back end that holds its vector; only where some share one."""

_SCHEMA = pa.schema([pa.field("doc_id", pa.string()), pa.field("row", pa.int64())])

Digests = NDArray[np.void]
"""16 bytes a vector: equal for equal vectors, and for others with a probability of 2^-128."""


class Positional(Index[Any], Protocol):
    """A back end that says what it found by position as well."""

    def find(self, vectors: Any, k: int, allowed: Allowed | None = None) -> tuple[Positions, Scores]:
        """As `search`, with positions in `ids` in place of the ids; negative where it found no more."""
        ...


@dataclass(frozen=True)
class Rows:
    """How the vectors of one kind are told apart.

    Args:
        check: `(ids, vectors, known ids)`; raises DataError as `Index.add` does.
        digests: of each row.
        some: `(vectors, positions)` -> those rows.
    """

    check: Callable[[Sequence[str], Any, Iterable[str]], None]
    digests: Callable[[Any], Digests]
    some: Callable[[Any, Positions], Any]


class DistinctIndex:
    """A back end that holds each distinct vector once, and all documents.

    It finds what the back end would find if it found every copy: `k` documents, equal scores in insertion order.

    Args:
        index: the back end, empty.
        rows: of its kind of vectors.
    """

    def __init__(self, index: Positional, rows: Rows) -> None:
        self.index = index
        self._rows = rows
        self._ids: list[str] | None = None  # None: every document has a vector of its own, and nothing is expanded
        self._row_of: Positions = np.empty(0, np.int64)
        self._known: Digests = np.empty(0, "V16")
        self._members: tuple[Positions, Positions] | None = None

    @property
    def ids(self) -> list[str]:
        """See `Index.ids`."""
        return self.index.ids if self._ids is None else self._ids

    def add(self, ids: Sequence[str], vectors: Any) -> None:
        """See `Index.add`. A vector that an earlier call added is known; after loading, those of the folder are not."""
        self._rows.check(ids, vectors, self.ids)
        digests = self._rows.digests(vectors)
        held = len(self.index.ids)
        # The back end may hold rows of a loaded index, which have no digest: those are before the known ones.
        first, group = _first_of_each(np.concatenate([self._known, digests]))
        known = len(self._known)
        new = first[first >= known]
        row_of_group = np.where(first < known, held - known + first, 0)
        row_of_group[first >= known] = held + np.arange(len(new))
        rows = row_of_group[group[known:]]
        fresh = new - known
        every = len(fresh) == len(ids)
        if len(fresh):
            given = vectors if every else self._rows.some(vectors, fresh)
            self.index.add([ids[place] for place in fresh.tolist()], given)
        if self._ids is None and not every:
            self._ids, self._row_of = self.index.ids[:held], np.arange(held)
        if self._ids is not None:
            self._ids.extend(ids)
            self._row_of = np.concatenate([self._row_of, rows])
        self._known = np.concatenate([self._known, digests[fresh]])
        self._members = None

    def search(self, vectors: Any, k: int, allowed: Allowed | None = None) -> tuple[Ids, Scores]:
        """See `Index.search`; the result has `min(k, documents)` columns."""
        if self._ids is None:
            return self.index.search(vectors, k, allowed)
        width = min(k, len(self._ids))
        if allowed is None:
            rows, scores = self.index.find(vectors, k)
            positions, best = self._expanded(rows, scores, width, self._grouped())
        else:
            held = np.zeros(len(self.index.ids), np.bool_)
            held[self._row_of[allowed]] = True
            rows, scores = self.index.find(vectors, k, held)
            positions, best = self._expanded(rows, scores, width, self._grouped_among(allowed))
        return named(positions, self._ids), best

    def rows_of(self, positions: Positions) -> Positions:
        """The rows of the back end that hold the vectors of these documents."""
        return positions if self._ids is None else self._row_of[positions]

    def save(self, folder: Path) -> None:
        """See `Index.save`; without equal vectors, the folder is the back end's own."""
        self.index.save(folder)
        if self._ids is not None:
            columns = [pa.array(self._ids, pa.string()), pa.array(self._row_of)]
            tables.write_parquet(folder / DOCUMENTS_FILE, pa.table(columns, schema=_SCHEMA))

    @classmethod
    def load(cls, folder: Path, index: Positional, rows: Rows) -> DistinctIndex:
        """What `save` wrote into `folder`, or the back end did by itself, which is loaded already as `index`.

        Raises:
            DataError: the table of documents does not fit the back end.
        """
        made = cls(index, rows)
        path = folder / DOCUMENTS_FILE
        if path.is_file():
            tables.check_schema(path, _SCHEMA)
            table = tables.read_parquet(path)
            made._ids = table.column("doc_id").to_pylist()
            made._row_of = np.asarray(table.column("row").to_numpy(), np.int64)
            distinct = np.unique(made._row_of)
            if not np.array_equal(distinct, np.arange(len(index.ids))):
                raise damaged(
                    f"documents of {len(index.ids)} distinct vectors in {path}", f"rows of {len(distinct)} of them"
                )
        return made

    def _expanded(
        self, rows: Positions, scores: Scores, width: int, grouped: tuple[Positions, Positions]
    ) -> tuple[Positions, Scores]:
        """Positions of the documents that have the vectors found, and their scores, `[queries, width]`."""
        members, starts = grouped
        positions = np.full((len(rows), width), -1, np.int64)
        best = np.full((len(rows), width), -np.inf, np.float32)
        if not len(members):
            return positions, best
        at = np.maximum(rows, 0)
        single = (rows < 0) | (starts[at + 1] - starts[at] == 1)
        plain = single.all(axis=1)  # most queries, where few documents are copies
        positions[plain, : rows.shape[1]] = np.where(rows < 0, -1, members[starts[at]])[plain]
        best[plain, : rows.shape[1]] = scores[plain]
        for query in np.flatnonzero(~plain):
            found = rows[query] >= 0
            held, values = rows[query][found], scores[query][found]
            sizes = np.minimum(starts[held + 1] - starts[held], width)
            reached = np.cumsum(sizes)
            if reached.size and reached[-1] > width:
                # What scores below the group with which k is reached is not wanted.
                kept = values >= values[np.searchsorted(reached, width)]
                held, values, sizes = held[kept], values[kept], sizes[kept]
                reached = np.cumsum(sizes)
            within = np.arange(sizes.sum()) - np.repeat(reached - sizes, sizes)
            documents = members[np.repeat(starts[held], sizes) + within]
            values = np.repeat(values, sizes)
            order = np.lexsort((documents, -values))[:width]
            positions[query, : len(order)], best[query, : len(order)] = documents[order], values[order]
        return positions, best

    def _grouped(self) -> tuple[Positions, Positions]:
        """Documents by row, in insertion order within each; row `r` has those from `starts[r]` to `starts[r + 1]`."""
        if self._members is None:
            counts = np.bincount(self._row_of, minlength=len(self.index.ids))
            starts = np.concatenate([[0], np.cumsum(counts)])
            self._members = np.argsort(self._row_of, kind="stable"), starts
        return self._members

    def _grouped_among(self, allowed: Allowed) -> tuple[Positions, Positions]:
        """As `_grouped`, of the allowed documents alone; other rows have none."""
        members, _ = self._grouped()
        counts = np.bincount(self._row_of[allowed], minlength=len(self.index.ids))
        return members[allowed[members]], np.concatenate([[0], np.cumsum(counts)])


def _first_of_each(digests: Digests) -> tuple[Positions, Positions]:
    """Where each distinct digest stands first, rising; and for each digest, its number among these."""
    _, first, group = np.unique(digests, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return first[order], rank[group]


def digests_of(rows: Iterable[Sequence[Any]]) -> Digests:
    """One for each row, which is one or more contiguous arrays."""
    made = [_digest(parts) for parts in rows]
    return np.frombuffer(b"".join(made), "V16") if made else np.empty(0, "V16")


def _digest(parts: Sequence[Any]) -> bytes:
    running = blake2b(digest_size=16)
    for part in parts:
        running.update(part)
    return running.digest()
