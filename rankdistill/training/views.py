"""From candidates and teacher scores to the (query, positive) rows that a student trains on, and their negatives.

Which document is the positive is decided here once, by label, and never by position or score.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from rankdistill.data.packed import Numbers, Strings
from rankdistill.data.spill import Spill, release
from rankdistill.errors import ConfigError, DataError, StoreError
from rankdistill.training.config import FewNegatives, Missing, Unlabelled, UnscoredPositives
from rankdistill.training.false_negatives import NO_FILTER, FalseNegativeFilters
from rankdistill.training.known_positives import KnownPositives

PAIR = ["query_id", "doc_id"]

MOST_SOURCES = 64
"""Bits to tell them apart by."""

_CODES_AT_ONCE = 1 << 20


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

    query_ids: Sequence[str]
    doc_ids: Sequence[str]
    query: NDArray[np.int32]
    positive: NDArray[np.int32]
    positive_score: NDArray[np.float32]
    start: NDArray[np.int64]
    negative: NDArray[np.int32]
    negative_score: NDArray[np.float32]
    sources: list[str]
    negative_sources: NDArray[np.uint64]
    report: ViewReport

    def in_parts(self, negatives: int) -> Iterator[View]:
        """The rows in their order, as views of about so many negatives, whose codes are the same."""
        first, rows = 0, len(self.query)
        while first < rows:
            last = int(np.searchsorted(self.start, self.start[first] + negatives, "right")) - 1
            last = min(max(last, first + 1), rows)
            inside, among = slice(first, last), slice(int(self.start[first]), int(self.start[last]))
            yield replace(
                self,
                query=self.query[inside],
                positive=self.positive[inside],
                positive_score=self.positive_score[inside],
                start=self.start[first : last + 1] - self.start[first],
                negative=self.negative[among],
                negative_score=self.negative_score[among],
                negative_sources=self.negative_sources[among],
            )
            for array in (self.negative, self.negative_score):
                release(array)
            first = last


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
    return build_parts(
        lambda: [(scores, candidates, known)],
        negatives,
        unlabelled,
        few_negatives,
        missing,
        filters,
        sources,
        positives_without_score,
    )


Parts = Callable[[], Iterable[tuple[pl.DataFrame, pl.DataFrame, KnownPositives | None]]]
"""Scores, candidates, and what is known of these, of ranges of whole queries, by rising queries; read several times."""


def build_parts(
    parts: Parts,
    negatives: int,
    unlabelled: Unlabelled = "skip",
    few_negatives: FewNegatives = "skip",
    missing: Missing = "error",
    filters: FalseNegativeFilters = NO_FILTER,
    sources: Sequence[str] | None = None,
    positives_without_score: UnscoredPositives = "error",
    names: list[str] | None = None,
) -> View:
    """As `build`, of tables that are read part by part: the same view, of which memory holds what is not a negative's.

    `names` are the sources in the candidates, sorted, where they are known.

    Raises:
        OutputError: the folder for temporary files is full.
    """
    if names is None:
        names = sorted({name for _, candidates, _ in parts() for name in candidates["source"].unique()})
    wanted = _mask(names, sources)
    lacking = _Lacking()
    joined = partial(_joined, names=names, unlabelled=unlabelled, positives_without_score=positives_without_score)
    positive_scores = pl.Series(dtype=pl.Float32)
    if filters.of_all_positives:
        positive_scores = pl.concat([joined(*part, lacking=_Lacking()).rows["score"] for part in parts()])
    made = _Gathering()
    for scores, candidates, known in parts():
        one = joined(scores, candidates, known, lacking=lacking)
        every = (
            one.rows.with_row_index("row")
            .rename({"doc_id": "positive", "score": "positive_score"})
            .join(one.others, on="query_id")
            .sort("row", "doc_id")
        )
        possible = every if known is None else _without_known(every, known)
        table = possible.filter(pl.col("proposed") & pl.lit(wanted, pl.UInt64) != 0)
        kept, dropped_by_filter = filters.apply(table, positive_scores)
        counts = np.bincount(kept["row"].to_numpy(), minlength=one.rows.height)
        enough = counts >= (negatives if few_negatives == "skip" else 1)
        made.report(
            rows=int(enough.sum()),
            queries=one.rows.filter(pl.Series(enough))["query_id"].n_unique(),
            declared_positives=one.declared,
            skipped_unlabelled_queries=one.without_label,
            skipped_rows_with_few_negatives=int((~enough).sum()),
            dropped_likely_false_negatives=table.height - kept.height,
            dropped_of_other_sources=possible.height - table.height,
            dropped_known_positives=every.height - possible.height,
        )
        made.by_source.update(dict(kept.group_by("proposed").len().iter_rows()))
        made.by_filter.update(dropped_by_filter)
        trained = kept.filter(pl.Series(enough[kept["row"].to_numpy()], dtype=pl.Boolean))
        made.take(one.rows.filter(pl.Series(enough, dtype=pl.Boolean)), trained)
    if missing == "error":
        lacking.require_none()
    report = ViewReport(
        **made.counts,
        dropped_pairs_without_score=lacking.pairs,
        negatives_by_source=_named(made.by_source, names),
        dropped_by_filter=dict(made.by_filter),
        positives_at_maximum=lacking.raised,
    )
    if not report.rows:
        raise _nothing_left(report, negatives)
    return made.view(names, report)


class _Joined(NamedTuple):
    """The positives (query_id, doc_id, score) and the other documents of some queries.

    `declared`: positives that no label names; `without_label`: queries without a positive, which stay so.
    """

    rows: pl.DataFrame
    others: pl.DataFrame
    declared: int
    without_label: int


def _joined(
    scores: pl.DataFrame,
    candidates: pl.DataFrame,
    known: KnownPositives | None,
    names: list[str],
    unlabelled: Unlabelled,
    positives_without_score: UnscoredPositives,
    lacking: _Lacking,
) -> _Joined:
    pairs = _score_pairs(scores, _pairs(candidates, names), positives_without_score, lacking)
    labelled = candidates.filter(pl.col("label") > 0)["query_id"].unique()
    positives = pairs.filter(pl.col("label") > 0).drop("label", "proposed")
    without_label = pairs.filter(~pl.col("query_id").is_in(labelled.implode()))
    declared = _top_documents(without_label) if unlabelled == "top" else positives.clear()
    rows = pl.concat([positives, declared]).sort(PAIR)
    others = pairs.filter(pl.col("label").fill_null(0) <= 0).drop("label").join(declared, on=PAIR, how="anti")
    left = 0 if unlabelled == "top" else without_label["query_id"].n_unique()
    return _Joined(rows, others, declared.height, left)


class _Lacking:
    """The candidates without a score, and the positives that got one all the same, counted over all parts."""

    def __init__(self) -> None:
        self.pairs = self.of = self.raised = 0
        self._first: tuple[str, str] | None = None
        self._positives = True

    def count(self, pairs: pl.DataFrame, raised: int) -> None:
        """Take the pairs (query_id, doc_id, label, score) of a part, in which so many positives were raised."""
        lacking = pairs.filter(pl.col("score").is_null())
        self.of, self.raised = self.of + pairs.height, self.raised + raised
        if lacking.height:
            self.pairs += lacking.height
            self._first = self._first or lacking.sort(PAIR).select(PAIR).row(0)
            self._positives &= bool((lacking["label"].fill_null(0) > 0).all())

    def require_none(self) -> None:
        """Raise StoreError if a pair lacks a score."""
        if self._first is None:
            return
        query_id, doc_id = self._first
        usual = "finish scoring (`rankdistill score`), or set missing to drop"
        if self._positives:
            usual += "; positives alone lack one, and positives_without_score: maximum gives them the query's highest"
        raise StoreError(
            expected="a teacher score for every candidate",
            got=f"{self.pairs} of {self.of} pairs without one, first query {query_id!r}, document {doc_id!r}",
            consequence="nothing was trained",
            remedy=usual,
        )


class _Gathering:
    """The rows of a view, part by part; negatives go to disk once they are many."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.by_source: Counter[int] = Counter()
        self.by_filter: Counter[str] = Counter()
        self._documents, self._query_ids = Numbers(), Strings()
        self._query: list[NDArray[np.int32]] = []
        self._positive: list[NDArray[np.int32]] = []
        self._positive_score: list[NDArray[np.float32]] = []
        self._sizes: list[NDArray[np.int64]] = []
        self._negative, self._negative_score, self._sources = Spill(), Spill(), Spill()

    def report(self, **counts: int) -> None:
        """Add counts of a part."""
        for name, count in counts.items():  # Counter.update would leave out what is 0
            self.counts[name] += count

    def take(self, rows: pl.DataFrame, negatives: pl.DataFrame) -> None:
        """Add rows (query_id, doc_id, score) and their negatives (row, doc_id, score, proposed), in order."""
        if not rows.height:
            return
        queries = rows["query_id"].unique().sort()
        self._query.append(_codes(rows["query_id"], queries) + np.int32(len(self._query_ids)))
        self._query_ids.extend(queries)
        documents = pl.concat([rows["doc_id"], negatives["doc_id"]]).unique().sort()
        code = np.array([self._documents.setdefault(one, len(self._documents)) for one in documents], np.int32)
        self._positive.append(code[_codes(rows["doc_id"], documents)])
        self._positive_score.append(rows["score"].to_numpy().astype(np.float32))
        self._sizes.append(negatives["row"].rle().struct.field("len").to_numpy().astype(np.int64))
        self._negative.append_array(code[_codes(negatives["doc_id"], documents)])
        self._negative_score.append_array(negatives["score"].to_numpy().astype(np.float32))
        self._sources.append_array(negatives["proposed"].to_numpy().astype(np.uint64))

    def view(self, sources: list[str], report: ViewReport) -> View:
        """The view, in which documents have their places in the order of their ids as codes."""
        import pyarrow.compute as pc

        order = pc.sort_indices(self._documents.strings.to_arrow()).to_numpy()
        rank = np.empty(len(order), np.int32)
        rank[order] = np.arange(len(order), dtype=np.int32)
        negative, found = Spill(), self._negative.array(np.int32)
        for start in range(0, len(found), _CODES_AT_ONCE):
            negative.append_array(rank[found[start : start + _CODES_AT_ONCE]])
        release(found)
        return View(
            query_ids=self._query_ids,
            doc_ids=Strings(self._documents.strings[place] for place in order.tolist()),
            query=np.concatenate(self._query),
            positive=rank[np.concatenate(self._positive)],
            positive_score=np.concatenate(self._positive_score),
            start=np.concatenate([[0], np.cumsum(np.concatenate(self._sizes), dtype=np.int64)]),
            negative=negative.array(np.int32),
            negative_score=self._negative_score.array(np.float32),
            sources=sources,
            negative_sources=self._sources.array(np.uint64),
            report=report,
        )


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


def _named(counted: Mapping[int, int], names: list[str]) -> dict[str, int]:
    """The names of the sources of a negative, joined by `+` -> negatives with just these."""
    return {
        "+".join(name for place, name in enumerate(names) if proposed >> place & 1): count
        for proposed, count in sorted(counted.items())
    }


def _score_pairs(
    scores: pl.DataFrame, candidates: pl.DataFrame, positives: UnscoredPositives, counted: _Lacking
) -> pl.DataFrame:
    """`candidates` (one row a pair) with a column `score`, of each that has one; the others are `counted`."""
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
    counted.count(pairs, raised)
    return pairs.filter(pl.col("score").is_not_null())


def _top_documents(pairs: pl.DataFrame) -> pl.DataFrame:
    """Each query's document with the highest score; of equal ones, the first by id."""
    ordered = pairs.sort(["query_id", "score", "doc_id"], descending=[False, True, False])
    return ordered.unique("query_id", keep="first", maintain_order=True).drop("label", "proposed")


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
