"""Training groups: a query, one labelled positive and drawn negatives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from rankdistill.errors import DataError


@dataclass(frozen=True)
class Positive:
    """A labelled positive of a query with the documents that may stand as its negatives.

    Args:
        query: the query's text.
        document: the positive's contents.
        negatives: contents of candidates; none is labelled relevant or has the text of a relevant document.
    """

    query: str
    document: str
    negatives: tuple[str, ...]


def positives(
    queries: Mapping[str, str],
    qrels: Mapping[str, Mapping[str, int]],
    candidates: pl.DataFrame,
    contents: Mapping[str, str],
) -> list[Positive]:
    """Every labelled positive that has a text and a candidate negative, in the order of query and document ids.

    Args:
        queries: query id -> text.
        qrels: query id -> document id -> label; above 0 is relevant.
        candidates: query_id, doc_id, label, one row a source.
        contents: document id -> contents.

    Raises:
        DataError: no positive has a negative.
    """
    proposed = {
        query_id: doc_ids
        for query_id, doc_ids in candidates.group_by("query_id", maintain_order=True)
        .agg(pl.col("doc_id").unique(maintain_order=True))
        .iter_rows()
    }
    found = []
    for query_id in sorted(queries):
        relevant = sorted(
            doc_id for doc_id, label in qrels.get(query_id, {}).items() if label > 0 and doc_id in contents
        )
        texts = {contents[doc_id] for doc_id in relevant}
        negatives = tuple(
            contents[doc_id]
            for doc_id in proposed.get(query_id, [])
            if doc_id not in relevant and contents[doc_id] not in texts
        )
        if negatives:
            found += [Positive(queries[query_id], contents[doc_id], negatives) for doc_id in relevant]
    if not found:
        raise DataError(
            expected="candidates with unlabelled documents for the split's queries",
            got=f"{len(queries)} queries, {len(proposed)} with candidates, none with a positive and a negative",
            consequence="nothing was trained",
            remedy="mine candidates of the same split of the same data",
        )
    return found


def draw(given: Sequence[Positive], count: int, negatives: int, seed: int) -> Iterator[tuple[str, list[str]]]:
    """`count` groups (query, [positive, negatives...]): shuffled passes over `given`, negatives drawn uniformly."""
    done = 0
    while done < count:
        generator = np.random.default_rng([seed, done])
        for row in generator.permutation(len(given))[: count - done]:
            positive = given[row]
            size = min(negatives, len(positive.negatives))
            chosen = generator.choice(len(positive.negatives), size=size, replace=False)
            yield positive.query, [positive.document, *(positive.negatives[index] for index in sorted(chosen))]
            done += 1
