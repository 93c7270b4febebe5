"""From candidates and teacher scores to the (query, positive) rows that a student trains on, and their negatives.

Which document is the positive is decided here once, by label, and never by position or score.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from rankdistill.errors import DataError, StoreError
from rankdistill.training.config import FewNegatives, Missing, Unlabelled

PAIR = ["query_id", "doc_id"]


@dataclass(frozen=True)
class ViewReport:
    """What became of the candidates: rows that train, and what was left out and why."""

    rows: int
    queries: int
    declared_positives: int
    skipped_unlabelled_queries: int
    skipped_rows_with_few_negatives: int
    dropped_pairs_without_score: int
    dropped_likely_false_negatives: int

    def to_json(self) -> dict[str, int]:
        """The fields."""
        return asdict(self)


@dataclass(frozen=True)
class View:
    """Rows (one a query and positive) with all their possible negatives, as codes into the id lists.

    Args:
        query_ids: code -> query id.
        doc_ids: code -> document id.
        query: [rows], query code.
        positive: [rows], document code of the positive.
        positive_score: [rows], the positive's raw teacher score.
        start: [rows + 1]; negatives of row r are `negative[start[r]:start[r + 1]]`, at least one.
        negative: document codes.
        negative_score: raw teacher scores of `negative`.
        report: what was left out.
    """

    query_ids: list[str]
    doc_ids: list[str]
    query: NDArray[np.int32]
    positive: NDArray[np.int32]
    positive_score: NDArray[np.float32]
    start: NDArray[np.int64]
    negative: NDArray[np.int32]
    negative_score: NDArray[np.float32]
    report: ViewReport


def build(
    scores: pl.DataFrame,
    candidates: pl.DataFrame,
    negatives: int,
    unlabelled: Unlabelled = "skip",
    few_negatives: FewNegatives = "skip",
    missing: Missing = "error",
    min_margin: float | None = None,
) -> View:
    """Join candidates with one teacher's scores and split them into positives and negatives.

    A document with a label above 0 is a positive of its query and never a negative; several positives make several
    rows. A document that several sources proposed counts once, with its highest label.

    Args:
        scores: query_id, doc_id, score (raw, float32) of one teacher.
        candidates: query_id, doc_id, label (None: unjudged), one row a source.
        negatives: how many negatives a row needs.
        unlabelled: what to do with queries without a positive: `skip` them, or declare the teacher's `top` document.
        few_negatives: rows with fewer than `negatives`: `skip`, or let them `repeat` (a row without any is skipped).
        missing: a candidate without a score: `error`, or `drop` the pair and count it.
        min_margin: drop negatives less than this below their positive, in the teacher's unit.

    Raises:
        StoreError: scores are missing, not finite, or there are two for one pair.
        DataError: no row is left.
    """
    pairs, lacking = _score_pairs(scores, candidates, missing)
    labelled = candidates.filter(pl.col("label") > 0)["query_id"].unique()
    positives = pairs.filter(pl.col("label") > 0).drop("label")
    without_label = pairs.filter(~pl.col("query_id").is_in(labelled.implode()))
    declared = _top_documents(without_label) if unlabelled == "top" else without_label.drop("label").clear()
    rows = pl.concat([positives, declared]).sort(PAIR)

    others = pairs.filter(pl.col("label").fill_null(0) <= 0).drop("label").join(declared, on=PAIR, how="anti")
    table = (
        rows.with_row_index("row")
        .rename({"doc_id": "positive", "score": "positive_score"})
        .join(others, on="query_id")
        .sort("row", "doc_id")
    )
    kept = table if min_margin is None else table.filter(pl.col("positive_score") - pl.col("score") >= min_margin)
    counts = np.bincount(kept["row"].to_numpy(), minlength=rows.height)
    enough = counts >= (negatives if few_negatives == "skip" else 1)
    report = ViewReport(
        rows=int(enough.sum()),
        queries=rows.filter(pl.Series(enough))["query_id"].n_unique(),
        declared_positives=declared.height,
        skipped_unlabelled_queries=0 if unlabelled == "top" else without_label["query_id"].n_unique(),
        skipped_rows_with_few_negatives=int((~enough).sum()),
        dropped_pairs_without_score=lacking,
        dropped_likely_false_negatives=table.height - kept.height,
    )
    if not report.rows:
        raise _nothing_left(report, negatives)
    return _encode(rows.filter(pl.Series(enough)), kept.filter(pl.Series(enough[kept["row"].to_numpy()])), report)


def _score_pairs(scores: pl.DataFrame, candidates: pl.DataFrame, missing: Missing) -> tuple[pl.DataFrame, int]:
    """(query_id, doc_id, label, score) of each candidate pair that has a score, and how many have none."""
    if scores.select(PAIR).is_duplicated().any():
        raise StoreError(
            expected="one teacher score a (query, document) pair",
            got="pairs with several",
            consequence="negatives would be drawn twice, with contradicting targets",
            remedy="choose one teacher",
        )
    if not scores["score"].is_finite().all():
        raise StoreError(
            expected="finite teacher scores",
            got="NaN or infinite scores",
            consequence="the loss would become NaN",
            remedy="score these pairs again",
        )
    labels = candidates.group_by(PAIR).agg(pl.col("label").max())
    pairs = labels.join(scores.select(*PAIR, "score"), on=PAIR, how="left")
    lacking = pairs.filter(pl.col("score").is_null())
    if lacking.height and missing == "error":
        query_id, doc_id = lacking.sort(PAIR).select(PAIR).row(0)
        raise StoreError(
            expected="a teacher score for every candidate",
            got=f"{lacking.height} of {pairs.height} pairs without one, first query {query_id!r}, document {doc_id!r}",
            consequence="nothing was trained",
            remedy="finish scoring (`rankdistill score`), or set missing to drop",
        )
    return pairs.filter(pl.col("score").is_not_null()), lacking.height


def _top_documents(pairs: pl.DataFrame) -> pl.DataFrame:
    """Each query's document with the highest score; of equal ones, the first by id."""
    ordered = pairs.sort(["query_id", "score", "doc_id"], descending=[False, True, False])
    return ordered.unique("query_id", keep="first", maintain_order=True).drop("label")


def _encode(rows: pl.DataFrame, negatives: pl.DataFrame, report: ViewReport) -> View:
    query_ids = rows["query_id"].unique().sort()
    doc_ids = pl.concat([rows["doc_id"], negatives["doc_id"]]).unique().sort()
    sizes = negatives["row"].rle().struct.field("len").to_numpy()
    return View(
        query_ids=query_ids.to_list(),
        doc_ids=doc_ids.to_list(),
        query=_codes(rows["query_id"], query_ids),
        positive=_codes(rows["doc_id"], doc_ids),
        positive_score=rows["score"].to_numpy().astype(np.float32),
        start=np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)]),
        negative=_codes(negatives["doc_id"], doc_ids),
        negative_score=negatives["score"].to_numpy().astype(np.float32),
        report=report,
    )


def _codes(values: pl.Series, ids: pl.Series) -> NDArray[np.int32]:
    return values.cast(pl.Enum(ids)).to_physical().to_numpy().astype(np.int32)


def _nothing_left(report: ViewReport, negatives: int) -> DataError:
    reasons = ", ".join(f"{name} {count}" for name, count in report.to_json().items() if count)
    return DataError(
        expected=f"queries with a labelled positive and {negatives} negatives among their candidates",
        got=f"none; {reasons or 'no candidates'}",
        consequence="nothing was trained",
        remedy="mine with the split's qrels, ask for fewer negatives, or set unlabelled to top",
    )
