"""Which documents are no negatives of a query, by their texts: ids say too little, since a text may have several."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from rankdistill.data.beir import Dataset

TEXT_BYTES = 8
"""Of a text's hash: two of a million texts share one with probability 3e-8, and a negative would be lost by it."""


BLOCK = 100_000
"""Pairs of ids that are Python objects at a time."""


@dataclass(frozen=True)
class Positives:
    """Pairs of a query's and a document's text that are never query and negative.

    Texts are hashes and pairs are places in their sorted arrays, so a pair takes 8 bytes, and is found by bisection.

    Args:
        queries: sorted `hashes` of the queries' texts.
        documents: sorted `hashes` of the documents' texts.
        pairs: sorted, `place of the query * len(documents) + place of the document`.
    """

    queries: NDArray[np.uint64]
    documents: NDArray[np.uint64]
    pairs: NDArray[np.int64]

    @property
    def content_hash(self) -> str:
        """SHA-256 (hex) of all pairs."""
        digest = hashlib.sha256()
        for part in (self.queries, self.documents, self.pairs):
            digest.update(len(part).to_bytes(8, "little") + part.astype(part.dtype.newbyteorder("<")).tobytes())
        return digest.hexdigest()

    def mask(self, queries: Sequence[str], documents: Sequence[str]) -> NDArray[np.bool_]:
        """[queries, documents]: which of these texts are no negatives of which of these queries."""
        rows, columns = _places(self.queries, hashes(queries)), _places(self.documents, hashes(documents))
        distinct_rows, row_of = np.unique(rows, return_inverse=True)
        distinct_columns, column_of = np.unique(columns, return_inverse=True)
        size = len(self.documents)
        first = np.searchsorted(self.pairs, distinct_rows * size)
        counts = np.where(distinct_rows < 0, 0, np.searchsorted(self.pairs, (distinct_rows + 1) * size) - first)
        row = np.repeat(np.arange(len(distinct_rows)), counts)
        within = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
        wanted = self.pairs[first[row] + within] - distinct_rows[row] * size
        column = np.searchsorted(distinct_columns, wanted)
        there = column < len(distinct_columns)
        there[there] = distinct_columns[column[there]] == wanted[there]
        found = np.zeros((len(distinct_rows), len(distinct_columns)), dtype=bool)
        found[row[there], column[there]] = True
        return found[row_of][:, column_of]

    def include(self, queries: NDArray[np.uint64], documents: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """[pairs]: which pairs of texts, given as `hashes`, are among these."""
        rows, columns = _places(self.queries, queries), _places(self.documents, documents)
        known = (rows >= 0) & (columns >= 0)
        return known & (_places(self.pairs, rows * len(self.documents) + columns) >= 0)


def hashes(texts: Iterable[str]) -> NDArray[np.uint64]:
    """BLAKE2b of each text (UTF-8), 8 bytes; texts are equal where the store's content keys of them are."""
    return np.frombuffer(b"".join(map(_hash, texts)), dtype="<u8").astype(np.uint64)


def gather(
    dataset: Dataset,
    queries: Mapping[str, str],
    documents: Mapping[str, str],
    labelled: Iterable[tuple[str, str]] = (),
    own: Collection[str] | None = None,
) -> Positives:
    """All that is known to be no negative of `queries`.

    These are the texts of the documents that a split of the data set labels above 0 for the query or for another one of
    the same text; those of `labelled`; the document of the query's own id, where that is the query itself; and a
    document that says what the query says. Of documents that neither `documents` nor the corpus has, nothing is known.

    Args:
        dataset: whose splits are read, all of them.
        queries: id -> text.
        documents: id -> text; where an id is missing, the corpus is read.
        labelled: query id and document id of more positives, such as a candidate table's own.
        own: ids of the queries that are themselves the document of their id; None: as the data set has it. In
            collections numbered from 1 on both sides equal ids mean nothing.
    """
    asked = _asked(dataset, queries)
    themselves = dataset.own_documents if own is None else own
    named = chain(_judged(dataset), labelled, ((one, one) for one in themselves))
    pairs = pl.concat(
        [_frame(block).join(asked, on="query_id").select("query", "doc_id") for block in _blocks(named)]
        or [pl.DataFrame(schema={"query": pl.UInt64, "doc_id": pl.String})]
    ).unique()
    found = pairs.join(_document_hashes(dataset, documents, pairs["doc_id"].unique()), on="doc_id")
    texts = asked["query"].unique().to_numpy()  # a document may say what the query says
    return _of_hashes(
        np.concatenate([found["query"].to_numpy(), texts]), np.concatenate([found["document"].to_numpy(), texts])
    )


def _asked(dataset: Dataset, queries: Mapping[str, str]) -> pl.DataFrame:
    """query_id, query: the hashes of the texts of `queries`, and of the data set's other queries that say the same."""
    given = _hashed("query_id", list(queries), "query", hashes(queries.values()))
    known = _hashed("query_id", list(dataset.query_texts), "query", hashes(dataset.query_texts.values()))
    same = known.join(given, on="query_id", how="anti").join(given, on="query", how="semi")
    return pl.concat([given, same])


def _judged(dataset: Dataset) -> Iterator[tuple[str, str]]:
    for split in dataset.splits:
        for query_id, labels in dataset.judgements[split].items():
            yield from ((query_id, doc_id) for doc_id, label in labels.items() if label > 0)


def _blocks(pairs: Iterable[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    """The pairs, some at a time: as Python objects they take ten times as much as in a frame."""
    rest = iter(pairs)
    while block := list(islice(rest, BLOCK)):
        yield block


def _frame(block: Sequence[tuple[str, str]]) -> pl.DataFrame:
    return pl.DataFrame(block, schema={"query_id": pl.String, "doc_id": pl.String}, orient="row")


def _hashed(name: str, ids: Sequence[str], column: str, found: NDArray[np.uint64]) -> pl.DataFrame:
    return pl.DataFrame({name: ids, column: found}, schema={name: pl.String, column: pl.UInt64})


def _document_hashes(dataset: Dataset, documents: Mapping[str, str], wanted: pl.Series) -> pl.DataFrame:
    """doc_id, document: the texts' hashes, of those of `wanted` that there are; the corpus is read only if needed."""
    here = [doc_id for doc_id in wanted if doc_id in documents]
    found = [_hashed("doc_id", here, "document", hashes(documents[doc_id] for doc_id in here))]
    absent = {doc_id for doc_id in wanted if doc_id not in documents and doc_id in dataset.document_lines}
    if absent:
        read = ((one.doc_id, one.contents) for one in dataset.documents() if one.doc_id in absent)
        ids, texts = zip(*((doc_id, _hash(text)) for doc_id, text in read), strict=True)
        found.append(_hashed("doc_id", ids, "document", np.frombuffer(b"".join(texts), dtype="<u8").astype(np.uint64)))
    return pl.concat(found)


def _of_hashes(queries: NDArray[np.uint64], documents: NDArray[np.uint64]) -> Positives:
    """The pairs that the two name, row by row."""
    distinct_queries, row = np.unique(queries, return_inverse=True)
    distinct, column = np.unique(documents, return_inverse=True)
    return Positives(distinct_queries, distinct, np.unique(row.astype(np.int64) * len(distinct) + column))


def _places(ordered: NDArray[Any], values: NDArray[Any]) -> NDArray[np.int64]:
    """Where in `ordered` (sorted) each value is; -1: nowhere."""
    if not len(ordered):
        return np.full(len(values), -1)
    place = np.minimum(np.searchsorted(ordered, values), len(ordered) - 1)
    return np.where(ordered[place] == values, place, -1)


def _hash(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=TEXT_BYTES).digest()
