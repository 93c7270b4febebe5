"""What a student is prepared from: texts with their teacher's vectors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa
    from sentence_transformers import SentenceTransformer


Longest = Mapping[Literal["query", "document"], int | None]
"""Kind of text -> tokens of it that are read at most; None or no entry: as the model does."""

WHOLE: Longest = {}


class Rows(Protocol):
    """Vectors that are read by row number: an array, a memory map, or a selection of one."""

    def __getitem__(self, rows: np.ndarray, /) -> np.ndarray:
        """Those rows, float[len(rows), dim]."""


class Embeddings(Protocol):
    """The part of an embedding store that preparation reads."""

    @property
    def reference(self) -> str:
        """The teacher's model reference."""

    def texts(self) -> pa.Table:
        """Columns `kind`, `text`; row i belongs to `vectors()[i]`."""

    def vectors(self) -> Rows:
        """The teacher's vectors, float[n, dim]."""


@dataclass(frozen=True)
class Targets:
    """Texts and their teacher's vectors, in memory.

    Args:
        texts: the texts, without prompts.
        are_queries: whether each is like a query or like a document, bool[n].
        vectors: float32[n, dim].
    """

    texts: Sequence[str]
    are_queries: np.ndarray
    vectors: np.ndarray

    def thinned(self, limit: int) -> Targets:
        """At most `limit` of them, evenly spaced."""
        rows = spaced(len(self.texts), limit)
        return Targets([self.texts[int(row)] for row in rows], self.are_queries[rows], self.vectors[rows])


def spaced(total: int, limit: int) -> np.ndarray:
    """At most `limit` of the rows 0 to `total` - 1, evenly spaced, int64: the same ones every time."""
    return np.unique(np.linspace(0, total - 1, min(limit, total)).round().astype(np.int64))


def sample(store: Embeddings, limit: int) -> Targets:
    """At most `limit` rows of `store`, evenly spaced over it: the same ones every time."""
    table = store.texts().select(["kind", "text"])
    rows = spaced(table.num_rows, limit)
    taken = table.take(rows)
    are_queries = np.array([kind == "query" for kind in taken["kind"].to_pylist()], dtype=bool)
    return Targets(taken["text"].to_pylist(), are_queries, np.asarray(store.vectors()[rows], dtype=np.float32))


def texts_of(store: Embeddings, limit: int) -> list[str]:
    """At most `limit` texts of `store`, evenly spaced over it: the same ones every time."""
    column = store.texts().column("text")
    return list(column.take(spaced(len(column), limit)).to_pylist())


def encode(model: SentenceTransformer, targets: Targets, longest: Longest = WHOLE) -> np.ndarray:
    """What `model` gives for the texts of `targets`, each with its own prompt for its kind, float32[n, dim].

    Args:
        model: left as it was.
        targets: the texts.
        longest: tokens that are read, where that is fewer than the model reads.
    """
    vectors = np.empty((len(targets.texts), int(model.get_embedding_dimension())), dtype=np.float32)
    encoders: Mapping[Literal["query", "document"], Callable[..., np.ndarray]] = {
        "query": model.encode_query,
        "document": model.encode_document,
    }
    for kind, encoder in encoders.items():
        rows = np.flatnonzero(targets.are_queries == (kind == "query"))
        if len(rows):
            texts = [targets.texts[int(row)] for row in rows]
            with reading(model, longest.get(kind)):
                vectors[rows] = encoder(texts, convert_to_numpy=True, show_progress_bar=False)
    return vectors


@contextmanager
def reading(model: SentenceTransformer, limit: int | None) -> Iterator[None]:
    """Read `limit` tokens of a text at most, for a while; a token table reads whole texts whatever the limit."""
    own = model.max_seq_length
    if limit is None or own == inf or (own is not None and own <= limit):
        yield
        return
    model.max_seq_length = limit
    try:
        yield
    finally:
        model.max_seq_length = own
