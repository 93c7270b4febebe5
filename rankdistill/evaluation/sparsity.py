"""What sparse vectors cost, and what is lost where they are cut to fewer terms.

FLOPS is the number of products that the dot product of a random query and a random document takes: the sum over the
terms of (share of queries with the term) x (share of documents with it), as in SPLADE (Formal et al., SIGIR 2021).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence, Set
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rankdistill import files
from rankdistill.data.trec import Qrels
from rankdistill.display import Table
from rankdistill.errors import ConfigError
from rankdistill.evaluation.embedded import Judged, run_of
from rankdistill.evaluation.measured import Measured
from rankdistill.evaluation.measures import TITLES, evaluate_run
from rankdistill.indexing.sparse.base import SparseVectors
from rankdistill.indexing.sparse.exact import ExactSparseIndex
from rankdistill.progress import Progress

if TYPE_CHECKING:
    import polars as pl

FILE_NAME = "sparsity.json"
DEPTH = 100
POSTING_BYTES, TERM_BYTES = 8, 8
"""Of the exact index: a weight and a document number, each of 4 bytes; and where a term's postings begin."""


@dataclass(frozen=True)
class Pruning:
    """How vectors are cut.

    Args:
        document_terms: heaviest terms kept of a document; None keeps all.
        query_terms: heaviest terms kept of a query; None keeps all.
        threshold: weights of documents below it are left out.

    Raises:
        ConfigError: a number of terms below 1, or a threshold below 0.
    """

    document_terms: int | None = None
    query_terms: int | None = None
    threshold: float = 0.0

    def __post_init__(self) -> None:
        terms = [one for one in (self.document_terms, self.query_terms) if one is not None]
        if min(terms, default=1) < 1 or not 0 <= self.threshold < np.inf:
            raise ConfigError(
                expected="at least 1 term, and a threshold of at least 0",
                got=f"{self.document_terms} document terms, {self.query_terms} query terms, {self.threshold:g}",
                consequence="nothing was measured",
                remedy="give other numbers, or none",
            )

    @property
    def name(self) -> str:
        """What tables call it."""
        parts = {
            "document terms": self.document_terms,
            "query terms": self.query_terms,
            "weights from": self.threshold or None,
        }
        return ", ".join(f"{part} {value:g}" for part, value in parts.items() if value is not None) or "all terms"


@dataclass(frozen=True)
class Cost:
    """How many terms vectors have.

    Args:
        query_terms: mean active terms of a query.
        document_terms: mean active terms of a document.
        flops: see the module.
        index_bytes: postings of the exact index.
        empty_documents: documents without any term, which no query finds.
    """

    query_terms: float
    document_terms: float
    flops: float
    index_bytes: int
    empty_documents: int


@dataclass(frozen=True)
class Row:
    """One pruning: what is left, and how good it is."""

    pruning: str
    cost: Cost
    measures: Mapping[str, float]


@dataclass(frozen=True, repr=False)
class Sparsity(Measured):
    """The prunings of one model on one split; the first row is without any. They print as one table."""

    data: str
    split: str
    queries: int
    documents: int
    rows: list[Row]
    signature: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Sparsity({self.data}, {self.split}: {self.queries:,} queries, {len(self.rows) - 1:,} prunings)"

    def tables(self) -> list[Table]:
        """A pruning a row: its costs and measures."""
        header = ["kept", "query terms", "document terms", "FLOPS", "index MB", "empty", *TITLES.values()]
        rows = [
            [
                row.pruning,
                f"{row.cost.query_terms:.1f}",
                f"{row.cost.document_terms:.1f}",
                f"{row.cost.flops:.3g}",
                f"{row.cost.index_bytes / 1e6:.3g}",
                str(row.cost.empty_documents),
                *(f"{row.measures[name]:.4f}" for name in TITLES),
            ]
            for row in self.rows
        ]
        return [Table(f"{self.data}, {self.split}, {self.queries} queries", header, rows)]

    def to_polars(self) -> pl.DataFrame:
        """A pruning a row: what is kept, its costs as in `Cost`, and its measures."""
        import polars as pl

        return pl.DataFrame([{"kept": row.pruning, **asdict(row.cost), **row.measures} for row in self.rows])

    def to_json(self) -> dict[str, Any]:
        """All fields."""
        return asdict(self)

    def write(self, folder: Path) -> None:
        """Write `sparsity.json`."""
        files.write_text(folder / FILE_NAME, json.dumps(self.to_json(), indent=1, ensure_ascii=False) + "\n")


def cost(queries: SparseVectors, documents: SparseVectors) -> Cost:
    """What `queries` and `documents`, both `csr_array` `[n, vocabulary]`, cost.

    Raises:
        ConfigError: there are no queries or no documents.
    """
    if not queries.shape[0] or not documents.shape[0]:
        raise ConfigError(
            expected="at least one query and one document",
            got=f"{queries.shape[0]} and {documents.shape[0]}",
            consequence="nothing was measured",
            remedy="choose another split or collection",
        )
    shares = [_counts(vectors) / vectors.shape[0] for vectors in (queries, documents)]
    lengths = np.diff(documents.indptr)
    return Cost(
        query_terms=float(np.diff(queries.indptr).mean()),
        document_terms=float(lengths.mean()),
        flops=float(shares[0] @ shares[1]),
        index_bytes=int(documents.nnz * POSTING_BYTES + (documents.shape[1] + 1) * TERM_BYTES),
        empty_documents=int(np.count_nonzero(lengths == 0)),
    )


def prune(vectors: SparseVectors, terms: int | None = None, threshold: float = 0.0) -> SparseVectors:
    """The rows of `vectors` with their `terms` heaviest weights that reach `threshold`; ties by the term's number.

    Weights of 0 are left out in any case.
    """
    from scipy.sparse import csr_array

    rows = vectors.sorted_indices()
    owner = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
    kept = (rows.data != 0) & (rows.data >= threshold)
    if terms is not None:
        order = np.lexsort((rows.indices, -rows.data, owner))
        rank = np.empty(len(order), np.int64)
        rank[order] = np.arange(len(order)) - rows.indptr[:-1][owner[order]]
        kept &= rank < terms
    starts = np.concatenate([[0], np.cumsum(np.bincount(owner[kept], minlength=rows.shape[0]))])
    return csr_array((rows.data[kept], rows.indices[kept], starts), shape=rows.shape)


def measure(
    queries: tuple[Sequence[str], SparseVectors],
    documents: tuple[Sequence[str], SparseVectors],
    qrels: Qrels,
    prunings: Sequence[Pruning],
    progress: Progress = lambda done: None,
    own: Set[str] = frozenset(),
) -> list[Row]:
    """Search exactly with each pruning, after the whole vectors.

    Args:
        queries: ids and their vectors.
        documents: ids and their vectors.
        qrels: of the queries.
        prunings: to be tried.
        progress: called with 1 after each search.
        own: queries of which the document of the same id is left out.
    """
    rows, depth = [], Judged(qrels, own).depth(DEPTH)
    for pruning in dict.fromkeys((Pruning(), *prunings)):
        left = prune(queries[1], pruning.query_terms)
        right = prune(documents[1], pruning.document_terms, pruning.threshold)
        index = ExactSparseIndex(right.shape[1])
        index.add(documents[0], right)
        run = run_of(list(queries[0]), *index.search(left, depth), own)
        rows.append(Row(pruning.name, cost(left, right), evaluate_run(run, qrels).means))
        progress(1)
    return rows


def _counts(vectors: SparseVectors) -> np.ndarray:
    """In how many rows each term is."""
    return np.bincount(vectors.indices, minlength=vectors.shape[1]).astype(np.float64)
