"""From candidates and teacher scores to the (query, positive) rows that a student trains on, and their negatives.

Which document is the positive is decided here once, by label, and never by position or score.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from rankdistill.errors import ConfigError, DataError, StoreError
from rankdistill.training.config import FewNegatives, Missing, Unlabelled, UnscoredPositives
from rankdistill.training.false_negatives import NO_FILTER, FalseNegativeFilters
from rankdistill.training.known_positives import KnownPositives

PAIR = ["query_id", "doc_id"]

MOST_SOURCES = 64
"""Bits to tell them apart by."""


@dataclass(frozen=True)
class ViewReport:
    """What became of the candidates: rows that train, and what was left out and why.

    Args:
        negatives_by_source: the sources that proposed a negative, joined by `+` -> how many such negatives there are.
        dropped_by_filter: filter of likely false negatives -> how many it alone would drop.
        positives_at_maximum: positives without a score that got the query's highest.
    """

    rows: int
    queries: int
    declared_positives: int
    skipped_unlabelled_queries: int
    skipped_rows_with_few_negatives: int
    dropped_pairs_without_score: int
    dropped_likely_false_negatives: int
    dropped_of_other_sources: int = 0
    dropped_known_positives: int = 0
    positives_at_maximum: int = 0
    negatives_by_source: Mapping[str, int] = field(default_factory=dict)
    dropped_by_filter: Mapping[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The fields; one that came later is left out where it is 0."""
        found = asdict(self)
        return found if self.positives_at_maximum else {k: v for k, v in found.items() if k != "positives_at_maximum"}


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
        sources: names of the sources, at most 64.
        negative_sources: which of them proposed `negative`: bit s stands for `sources[s]`.
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
    sources: list[str]
    negative_sources: NDArray[np.uint64]
    report: ViewReport


def build(
    scores: pl.DataFrame,
    candidates: pl.DataFrame,
    negatives: int,
    unlabelled: Unlabelled = "skip",
    few_negatives: FewNegatives = "skip",
    missing: Missing = "error",
    filters: FalseNegativeFilters = NO_FILTER,
    sources: Sequence[str] | None = None,
    known: KnownPositives | None = None,
    positives_without_score: UnscoredPositives = "error",
) -> View:
    """Join candidates with one teacher's scores and split them into positives and negatives.

    A document with a label above 0 is a positive of its query and never a negative; several positives make several
    rows. A document that several sources proposed counts once, with its highest label. What is `known` to be no
    negative of the query, and what has the text of the row's own positive, is no negative either.

    Args:
        scores: query_id, doc_id, score (raw, float32) of one teacher.
        candidates: query_id, doc_id, source, label (None: unjudged), one row a source.
        negatives: how many negatives a row needs.
        unlabelled: what to do with queries without a positive: `skip` them, or declare the teacher's `top` document.
        few_negatives: rows with fewer than `negatives`: `skip`, or let them `repeat` (a row without any is skipped).
        missing: a candidate without a score: `error`, or `drop` the pair and count it.
        filters: negatives that are dropped as likely false.
        sources: only what one of these proposed is a negative; None: of all sources.
        known: what the labels of all splits, and the texts, say of the candidates; None: nothing.
        positives_without_score: labelled positives without a score: as `missing` says (`error`), or with the highest
            score among the query's candidates (`maximum`; a query without any score stays as `missing` says).

    Raises:
        StoreError: scores are missing, not finite, or there are two for one pair.
        ConfigError: none of the candidates is of one of `sources`.
        DataError: no row is left, or a filter does not suit the scores.
    """
    names = candidates["source"].unique().sort().to_list()
    wanted = _mask(names, sources)
    pairs, lacking, raised = _score_pairs(scores, _pairs(candidates, names), missing, positives_without_score)
    labelled = candidates.filter(pl.col("label") > 0)["query_id"].unique()
    positives = pairs.filter(pl.col("label") > 0).drop("label", "proposed")
    without_label = pairs.filter(~pl.col("query_id").is_in(labelled.implode()))
    declared = _top_documents(without_label) if unlabelled == "top" else positives.clear()
    rows = pl.concat([positives, declared]).sort(PAIR)

    others = pairs.filter(pl.col("label").fill_null(0) <= 0).drop("label").join(declared, on=PAIR, how="anti")
    every = (
        rows.with_row_index("row")
        .rename({"doc_id": "positive", "score": "positive_score"})
        .join(others, on="query_id")
        .sort("row", "doc_id")
    )
    possible = every if known is None else _without_known(every, known)
    table = possible.filter(pl.col("proposed") & pl.lit(wanted, pl.UInt64) != 0)
    kept, dropped_by_filter = filters.apply(table, rows["score"])
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
        dropped_of_other_sources=possible.height - table.height,
        dropped_known_positives=every.height - possible.height,
        negatives_by_source=_count_sources(kept, names),
        dropped_by_filter=dropped_by_filter,
        positives_at_maximum=raised,
    )
    if not report.rows:
        raise _nothing_left(report, negatives)
    trained = kept.filter(pl.Series(enough[kept["row"].to_numpy()]))
    return _encode(rows.filter(pl.Series(enough)), trained, names, report)


def _without_known(every: pl.DataFrame, known: KnownPositives) -> pl.DataFrame:
    """The rows of `every` (query_id, positive, doc_id) whose document may be a negative."""
    own = known.texts.rename({"doc_id": "positive", "document_text": "positive_text"})
    unlabelled = every.join(known.pairs, on=PAIR, how="anti")
    compared = unlabelled.join(known.texts, on="doc_id", how="left").join(own, on="positive", how="left")
    differs = compared.filter((pl.col("document_text") != pl.col("positive_text")).fill_null(True))
    return differs.select(every.columns).sort("row", "doc_id")


def _mask(names: list[str], chosen: Sequence[str] | None) -> int:
    """The bits of the `chosen` ones among `names`."""
    if len(names) > MOST_SOURCES or (unknown := sorted(set(chosen or ()) - set(names))):
        raise ConfigError(
            expected=f"negatives of the sources in the candidates: {', '.join(names[:MOST_SOURCES])}",
            got=f"{len(names)} sources" if len(names) > MOST_SOURCES else ", ".join(unknown),
            consequence="nothing was trained",
            remedy=f"name some of those; at most {MOST_SOURCES} sources can be told apart",
        )
    return sum(1 << place for place, name in enumerate(names) if chosen is None or name in chosen)


def _pairs(candidates: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    """(query_id, doc_id, label, proposed) of each pair: its highest label, and the bits of the sources that have it."""
    bit = pl.col("source").replace_strict(
        {name: 1 << place for place, name in enumerate(names)}, return_dtype=pl.UInt64
    )
    return candidates.group_by(PAIR).agg(pl.col("label").max(), proposed=bit.bitwise_or())


def _count_sources(negatives: pl.DataFrame, names: list[str]) -> dict[str, int]:
    """The names of the sources of a negative, joined by `+` -> negatives with just these."""
    counted = negatives.group_by("proposed").len().sort("proposed")
    return {
        "+".join(name for place, name in enumerate(names) if proposed >> place & 1): count
        for proposed, count in counted.iter_rows()
    }


def _score_pairs(
    scores: pl.DataFrame, candidates: pl.DataFrame, missing: Missing, positives: UnscoredPositives
) -> tuple[pl.DataFrame, int, int]:
    """`candidates` (one row a pair) with a column `score`, of each that has one, how many have none, and how many
    positives got the query's highest.
    """
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
    pairs = candidates.join(scores.select(*PAIR, "score"), on=PAIR, how="left")
    raised = 0
    if positives == "maximum":
        unscored = pl.col("score").is_null() & (pl.col("label") > 0)
        highest = pl.when(unscored).then(pl.col("score").max().over("query_id")).otherwise(pl.col("score"))
        filled = pairs.with_columns(score=highest)
        raised = pairs["score"].null_count() - filled["score"].null_count()
        pairs = filled
    lacking = pairs.filter(pl.col("score").is_null())
    if lacking.height and missing == "error":
        query_id, doc_id = lacking.sort(PAIR).select(PAIR).row(0)
        raise StoreError(
            expected="a teacher score for every candidate",
            got=f"{lacking.height} of {pairs.height} pairs without one, first query {query_id!r}, document {doc_id!r}",
            consequence="nothing was trained",
            remedy=_how_to_score(lacking),
        )
    return pairs.filter(pl.col("score").is_not_null()), lacking.height, raised


def _how_to_score(lacking: pl.DataFrame) -> str:
    usual = "finish scoring (`rankdistill score`), or set missing to drop"
    if (lacking["label"].fill_null(0) > 0).all():
        return f"{usual}; positives alone lack one, and positives_without_score: maximum gives them the query's highest"
    return usual


def _top_documents(pairs: pl.DataFrame) -> pl.DataFrame:
    """Each query's document with the highest score; of equal ones, the first by id."""
    ordered = pairs.sort(["query_id", "score", "doc_id"], descending=[False, True, False])
    return ordered.unique("query_id", keep="first", maintain_order=True).drop("label", "proposed")


def _encode(rows: pl.DataFrame, negatives: pl.DataFrame, sources: list[str], report: ViewReport) -> View:
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
        sources=sources,
        negative_sources=negatives["proposed"].to_numpy().astype(np.uint64),
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
        remedy=_remedy(report),
    )


def _remedy(report: ViewReport) -> str:
    if report.dropped_likely_false_negatives:
        return "loosen the filters of likely false negatives, or ask for fewer negatives"
    if report.skipped_unlabelled_queries and not report.skipped_rows_with_few_negatives:
        return (
            "no query has a labelled positive, as in a query log; --unlabelled top (`unlabelled: top` in --config) "
            "trains from one, with the teacher's top document for the positive; or mine with the split's qrels"
        )
    return "mine with the split's qrels, ask for fewer negatives, or set unlabelled to top (--unlabelled top)"
