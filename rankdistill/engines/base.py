"""What a search engine must do to take an index's vectors, and what is written into it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from rankdistill.indexing.base import Ids, Scores

LegName = Literal["dense", "sparse"]
"""Which of a collection's vectors; also the name of their field, column or vector in every engine."""

ID, TEXT, POSITION = "doc_id", "text", "position"
"""What is kept beside the vectors and the document's own fields: its id, its text, its place in the source."""

GRAPH: Mapping[str, int] = {"m": 16, "efConstruction": 200}
"""Parameters of a graph that are not given."""

RESERVED = (ID, TEXT, POSITION, "dense", "sparse")
"""Names that no field of a document may have."""


@dataclass(frozen=True)
class Leg:
    """One kind of vectors of a collection.

    Args:
        name: `dense` or `sparse`.
        space: of the documents, a `Space` or a `SparseSpace`.
        model: reference of the model that they were made with; None where it is not known.
        max_length: tokens a text; None means the model's own.
    """

    name: LegName
    space: Any
    model: str | None = None
    max_length: int | None = None


@dataclass(frozen=True)
class Batch:
    """Documents that are written together.

    Args:
        start: place of the first in the source.
        ids: the documents.
        dense: float32 `[n, dimension]`, or None.
        sparse: `csr_array` `[n, terms]`, or None.
        texts: of each, or its beginning; None where there is none.
        fields: of each: name -> value; those without a value are left out.
    """

    start: int
    ids: Sequence[str]
    dense: Any = None
    sparse: Any = None
    texts: Sequence[str | None] | None = None
    fields: Sequence[Mapping[str, Any]] | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def payloads(self) -> Iterator[dict[str, Any]]:
        """What is kept beside each document's vectors; values that are not there are left out."""
        for row, doc_id in enumerate(self.ids):
            text = None if self.texts is None else self.texts[row]
            own = {} if self.fields is None else self.fields[row]
            kept = {ID: doc_id, POSITION: self.start + row, TEXT: text, **own}
            yield {name: value for name, value in kept.items() if value is not None}

    def terms(self) -> Iterator[tuple[list[int], list[float]]]:
        """The sparse vectors: of each document the dimensions, rising, and their weights."""
        rows = self.sparse.sorted_indices()
        for row in range(len(self.ids)):
            own = slice(*rows.indptr[row : row + 2].tolist())
            yield rows.indices[own].tolist(), rows.data[own].tolist()


@dataclass(frozen=True)
class Shape:
    """What a collection is made for.

    Args:
        legs: its kinds of vectors.
        fields: of the documents: name -> type, as the index has them.
        texts: whether texts are kept.
        exact: whether every search computes every score: no graph is built.
        graph: of the graph: `m` (links a node) and `efConstruction` (candidates while it is built).
        documents: how many it will hold.
    """

    legs: Mapping[LegName, Leg]
    fields: Mapping[str, str] = field(default_factory=dict)
    texts: bool = False
    exact: bool = False
    graph: Mapping[str, int] = field(default_factory=dict)
    documents: int = 0

    @property
    def m(self) -> int:
        """Links a node."""
        return int(self.graph.get("m", GRAPH["m"]))

    @property
    def ef_construction(self) -> int:
        """Candidates while the graph is built."""
        return int(self.graph.get("efConstruction", GRAPH["efConstruction"]))


@dataclass(frozen=True)
class Look:
    """How a collection is searched.

    Args:
        k: documents a query.
        exact: every score is computed, whatever graph there is.
        ef: candidates of a search of a graph.
    """

    k: int
    exact: bool = False
    ef: int = 128


class Engine(Protocol):
    """One collection of one engine, which need not exist yet."""

    name: str
    """As `ENGINES` calls it."""
    collection: str
    kinds: tuple[LegName, ...]
    """The vectors that the engine can hold."""

    @property
    def version(self) -> str:
        """Of the engine that answers; `embedded` ones give their library's."""
        ...

    def read_note(self) -> str | None:
        """What `keep_note` kept; empty where the collection has none, None where there is no such collection."""
        ...

    def keep_note(self, note: str) -> None:
        """Keep a text in the collection."""
        ...

    def create(self, shape: Shape, note: str) -> None:
        """Make the collection, empty, with the note."""
        ...

    def drop(self) -> None:
        """Remove the collection."""
        ...

    def rewind(self, position: int) -> None:
        """What is written next begins at `position`: what a killed writer wrote from there on must not stay twice."""
        ...

    def write(self, batch: Batch) -> None:
        """Write documents that follow those written before, or where `rewind` went; they are kept when it returns."""
        ...

    def finish(self, shape: Shape) -> None:
        """Build what searches need, and wait until every document is found."""
        ...

    def count(self) -> int:
        """How many documents there are, counted and not estimated."""
        ...

    def search(self, leg: Leg, queries: Any, look: Look) -> tuple[Ids, Scores]:
        """As `Searcher.search`: ids and scores `[queries, k]`, best first; `NOTHING` where there are fewer.

        Args:
            leg: which vectors.
            queries: as the kind's encoder gives them: float32 `[n, dimension]`, or a `csr_array`.
            look: how.

        Raises:
            ConfigError: an exact search of a collection that has a graph only.
        """
        ...

    def close(self) -> None:
        """Let the connection go."""
        ...
