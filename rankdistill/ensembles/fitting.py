"""Weights of an ensemble, fitted to relevance labels.

The list-wise cross-entropy (ListNet's top-one form, Cao et al. 2007, 10.1145/1273496.1273513) between labels and
combined scores is convex in the weights, so the fit has one optimum, needs no seed, and moves little from sample to
sample: climbing nDCG itself over a grid of weights reached more on the queries that it was fitted on and less on
others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import polars as pl
from numpy.typing import NDArray

from rankdistill.errors import DataError

Array = NDArray[np.float64]

FOLDS = 5
ITERATIONS = 500


@dataclass(frozen=True)
class Examples:
    """Labelled documents of the queries that a fit reads.

    Args:
        query_ids: [queries].
        start: [queries], where each query's documents begin.
        scores: [documents, teachers], calibrated.
        target: [documents], `2^label - 1` over the query's sum.
    """

    query_ids: list[str]
    start: NDArray[np.int64]
    scores: Array
    target: Array

    def of(self, chosen: Sequence[int]) -> Examples:
        """The queries with these numbers."""
        ends = np.append(self.start[1:], len(self.target))
        rows = [np.arange(self.start[query], ends[query]) for query in chosen]
        start = np.cumsum([0, *(len(one) for one in rows[:-1])])
        places = np.concatenate(rows)
        return Examples([self.query_ids[query] for query in chosen], start, self.scores[places], self.target[places])


def examples(members: pl.DataFrame, qrels: Mapping[str, Mapping[str, int]]) -> Examples:
    """The queries of `members` with a relevant document among theirs.

    Args:
        members: query_id, doc_id, a column of calibrated scores a teacher, sorted by query_id. A null is a teacher
            without any score of the query; it counts as 0, which no order depends on.
        qrels: query_id -> doc_id -> label; unjudged documents count as not relevant.

    Raises:
        DataError: there is no such query.
    """
    labels = pl.DataFrame(
        [(query_id, doc_id, label) for query_id, found in qrels.items() for doc_id, label in found.items()],
        schema={"query_id": pl.String, "doc_id": pl.String, "label": pl.Int64},
        orient="row",
    )
    table = members.join(labels, on=["query_id", "doc_id"], how="left", maintain_order="left").with_columns(
        gain=2.0 ** pl.col("label").fill_null(0).clip(0) - 1.0
    )
    table = table.with_columns(total=pl.col("gain").sum().over("query_id")).filter(pl.col("total") > 0)
    if not table.height:
        raise DataError(
            expected="queries with a relevant document among those that the teachers scored",
            got="none",
            consequence="no weights were fitted",
            remedy="give qrels of the queries in the store",
        )
    runs = table["query_id"].rle().struct.unnest()
    start = np.cumsum([0, *runs["len"].to_list()[:-1]])
    scores = table.select(members.columns[2:]).fill_null(0.0).to_numpy().astype(np.float64)
    return Examples(runs["value"].to_list(), start, scores, (table["gain"] / table["total"]).to_numpy())


def fit(found: Examples) -> list[float]:
    """Weights of 0 or more that sum to 1; equal ones where no teacher helps. The same examples, the same weights."""
    from scipy.optimize import minimize

    count = found.scores.shape[1]
    scale = float(found.scores.std()) or 1.0
    scores = found.scores / scale
    done = minimize(
        lambda weights: _loss(weights, scores, found.target, found.start),
        np.full(count, 1.0 / count),
        jac=True,
        bounds=[(0.0, None)] * count,
        method="L-BFGS-B",
        options={"maxiter": ITERATIONS},
    )
    total = float(done.x.sum())
    return [float(one) / total for one in done.x] if total > 0 else [1.0 / count] * count


def folds(query_ids: Sequence[str], count: int = FOLDS) -> Iterator[tuple[list[int], list[int]]]:
    """(numbers of the queries to fit on, numbers of those held out), `count` times; dealt out by a hash of the id.

    Raises:
        DataError: fewer queries than folds.
    """
    if len(query_ids) < count:
        raise DataError(
            expected=f"at least {count} queries to fit on some and report on the others",
            got=str(len(query_ids)),
            consequence="no weights were fitted",
            remedy="give a split with more queries",
        )
    order = sorted(range(len(query_ids)), key=lambda place: blake2b(query_ids[place].encode()).digest())
    for number in range(count):
        held_out = order[number::count]
        yield sorted(set(order) - set(held_out)), sorted(held_out)


def _loss(weights: Array, scores: Array, target: Array, start: NDArray[np.int64]) -> tuple[float, Array]:
    """Mean over queries of `-sum_i target_i log softmax(scores @ weights)_i`, and its gradient `[teachers]`."""
    sizes = np.diff(np.append(start, len(target)))
    combined = scores @ weights
    combined -= np.repeat(np.maximum.reduceat(combined, start), sizes)
    powers = np.exp(combined)
    totals = np.add.reduceat(powers, start)
    loss = float(np.log(totals).sum() - target @ combined)
    gradient = scores.T @ (powers / np.repeat(totals, sizes) - target)
    return loss / len(start), gradient / len(start)
