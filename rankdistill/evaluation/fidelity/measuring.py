"""A student's scores of the candidates that a teacher scored, and what becomes of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from rankdistill.data import Dataset
from rankdistill.data.identical_ids import without_own
from rankdistill.errors import DataError
from rankdistill.evaluation.fidelity import agreement, gap
from rankdistill.evaluation.fidelity.records import Agreement, Gap, Hit, Worst
from rankdistill.evaluation.hits import shortened
from rankdistill.evaluation.measures import Run, best_first
from rankdistill.evaluation.rerank import PairScorer, SelectiveScorer
from rankdistill.evaluation.significance import bootstrap_interval, ratio_interval
from rankdistill.inference.fidelity import spearman
from rankdistill.progress import Progress
from rankdistill.training.inputs import ScoreSource

SHOWN = 5
"""Documents that either ranking shows of a query that is copied badly."""

Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Candidates:
    """What a teacher scored of a split's queries.

    Args:
        queries: query id -> text, of those with scores.
        documents: document id -> text.
        teacher: query id -> document id -> score, both sorted by id.
        lacking: queries of the split without any score.
        added: pairs that no source found: they are candidates for being judged relevant.
    """

    queries: Mapping[str, str]
    documents: Mapping[str, str]
    teacher: Mapping[str, Mapping[str, float]]
    lacking: int
    added: frozenset[tuple[str, str]] = frozenset()

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """(query id, document id), in order."""
        return [(query_id, doc_id) for query_id, scores in self.teacher.items() for doc_id in scores]


def read(dataset: Dataset, store: ScoreSource, split: str, teacher_id: str) -> Candidates:
    """The teacher's scores of the queries that `split` judges, with the texts that were scored.

    The document that has the query's own id is left out where the data set leaves it out of rankings.

    Raises:
        DataError: no such split, or the store has no score of its queries.
    """
    wanted = dataset.queries(split)
    scores = without_own(store.scores(teacher_id), dataset.own_documents)
    found = scores.filter(pl.col("query_id").is_in(pl.Series("query_id", list(wanted), dtype=pl.String).implode()))
    if not found.height:
        raise DataError(
            expected=f"scores of {teacher_id} for queries of the split {split!r}",
            got=f"none for any of its {len(wanted):,} queries, in a store of {scores['query_id'].n_unique():,} others",
            consequence="nothing was measured: a student is held against its teacher on queries that both score",
            remedy=f"add them to the same store: `rankdistill mine --data {dataset.path} --split {split} --source bm25 "
            "--out CANDIDATES`, then `rankdistill score` with these candidates, the same teacher and --out the store",
        )
    teacher: dict[str, dict[str, float]] = {}
    for query_id, doc_id, score in found.select("query_id", "doc_id", "score").sort("query_id", "doc_id").iter_rows():
        teacher.setdefault(query_id, {})[doc_id] = score
    texts, documents = store.query_texts(), store.document_texts()
    kept = {doc_id for scores in teacher.values() for doc_id in scores}
    return Candidates(
        {query_id: texts[query_id] for query_id in teacher},
        {doc_id: documents[doc_id] for doc_id in sorted(kept)},
        teacher,
        len(wanted) - len(teacher),
        _added(store.candidates(), teacher),
    )


def _added(candidates: pl.DataFrame, teacher: Mapping[str, Mapping[str, float]]) -> frozenset[tuple[str, str]]:
    """Pairs of `teacher` that every source has without a rank, as mining adds judged positives that it did not find.

    A source without any rank, as of an imported file, does not tell which it found: it found them all.
    """
    if "rank" not in candidates.columns:
        return frozenset()
    ranked = candidates.filter(pl.col("rank").is_not_null())["source"].unique()
    found = pl.col("rank").is_not_null() | (pl.col("label").fill_null(0) <= 0)
    told = candidates.filter(pl.col("query_id").is_in(pl.Series("query_id", list(teacher), dtype=pl.String).implode()))
    told = told.with_columns(found=found | ~pl.col("source").is_in(ranked.implode()))
    pairs = told.group_by("query_id", "doc_id").agg(pl.col("found").any()).filter(~pl.col("found"))
    return frozenset(pairs.select("query_id", "doc_id").iter_rows())


@dataclass(frozen=True)
class Copied:
    """What a student makes of the candidates.

    Args:
        student: query id -> document id -> score; below all others of its query where the student has none.
        unscored: pairs without a score, as of a document that has no token that the student reads.
    """

    student: Mapping[str, Mapping[str, float]]
    unscored: frozenset[tuple[str, str]]


def score(candidates: Candidates, scorer: PairScorer, progress: Progress) -> Copied:
    """The student's scores of every candidate.

    Raises:
        TeacherError: a score is not finite.
    """
    pairs = candidates.pairs
    scoring = scorer.score_or_leave if isinstance(scorer, SelectiveScorer) else scorer.score
    texts = [(candidates.queries[query_id], candidates.documents[doc_id]) for query_id, doc_id in pairs]
    scores = np.asarray(scoring(texts, progress), dtype=np.float64)
    if scores.shape != (len(pairs),) or np.isnan(scores).any() or np.isposinf(scores).any():
        raise DataError(
            expected=f"{len(pairs)} finite scores of the student",
            got=f"an array of shape {list(scores.shape)} with {int(np.isnan(scores).sum())} NaN",
            consequence="nothing was measured",
            remedy="look at the student's weights",
        )
    left = np.isneginf(scores)
    finite = scores[~left]
    lowest = float(finite.min()) - 1.0 if finite.size else 0.0
    student: dict[str, dict[str, float]] = {}
    for (query_id, doc_id), value, none in zip(pairs, scores, left, strict=True):
        student.setdefault(query_id, {})[doc_id] = lowest if none else float(value)
    return Copied(student, frozenset(pair for pair, none in zip(pairs, left, strict=True) if none))


@dataclass(frozen=True)
class Agreed:
    """The agreement of all queries.

    Args:
        agreements: measure by measure.
        per_query: query_id, candidates and a column a measure; one row for each query with two candidates or more.
        scales: measure -> what the student's scores were multiplied with.
    """

    agreements: list[Agreement]
    per_query: pl.DataFrame
    scales: dict[str, float]


def agree(
    candidates: Candidates, copied: Copied, k: int, scale: float | None, temperature: float, seed: int = 0
) -> Agreed:
    """How well the student copies the teacher, over queries with two candidates or more that both scored.

    Args:
        candidates: the teacher's scores.
        copied: the student's.
        k: of the overlap.
        scale: from the student's scores to the teacher's unit; None: for each of the two measures that need one, that
            which suits these queries best.
        temperature: of both softmaxes.
        seed: of the resamples.

    Raises:
        DataError: no query has two candidates.
    """
    ids, docs, wanted, given = _lists(candidates, copied)
    scales = {"kl_divergence": scale, "margin_r2": scale}
    fits = {
        "kl_divergence": lambda: agreement.fitted_kl_scale(wanted, given, temperature),
        "margin_r2": lambda: agreement.fitted_margin_scale(wanted, given),
    }
    used = {name: fits[name]() if value is None else float(value) for name, value in scales.items()}
    values: dict[str, list[float]] = {}
    for names, first, second in zip(docs, wanted, given, strict=True):
        residual, total = agreement.margin_residual(first, second, used["margin_r2"])
        row = {
            "kl_divergence": agreement.kl_divergence(first, second, used["kl_divergence"], temperature),
            "spearman": spearman(first, second),
            "kendall": agreement.kendall(first, second),
            "margin_r2": 1 - residual / total if total else np.nan,
            "overlap": agreement.overlap(_ordered(names, first), _ordered(names, second), k),
            "residual": residual,
            "total": total,
            "uniform": agreement.kl_divergence(first, second, 0.0, temperature),
            "by_chance": min(k, len(names)) / len(names),
        }
        for name, value in row.items():
            values.setdefault(name, []).append(value)
    columns = {name: np.asarray(found) for name, found in values.items()}
    perfect = {"kl_divergence": 0.0}
    chance = {
        "kl_divergence": float(columns["uniform"].mean()),
        "overlap": float(columns["by_chance"].mean()),
    }
    measures = ["kl_divergence", "spearman", "kendall", "margin_r2", "overlap"]
    found = [
        Agreement(
            measure=name,
            value=_r2(columns) if name == "margin_r2" else float(columns[name].mean()),
            interval=_r2_interval(columns, seed)
            if name == "margin_r2"
            else bootstrap_interval(columns[name], seed=seed),
            median=float(np.nanmedian(columns[name])) if np.isfinite(columns[name]).any() else 0.0,
            copy_value=perfect.get(name, 1.0),
            chance=chance.get(name, 0.0),
        )
        for name in measures
    ]
    table = pl.DataFrame(
        {"query_id": ids, "candidates": list(map(len, docs)), **{name: columns[name] for name in measures}},
        schema_overrides={"query_id": pl.String, "candidates": pl.Int32},
    ).with_columns(pl.col("margin_r2").fill_nan(None))
    return Agreed(found, table, used)


def split_gap(
    dataset: Dataset, split: str, candidates: Candidates, copied: Copied, found: Run | None, seed: int = 0
) -> tuple[Gap | None, pl.DataFrame]:
    """The gap's parts, and the nDCG@10 of each ranking a query; None where no query has a relevant document.

    Candidates are those that a source found: with the judged positives that mining adds, no ceiling would show.

    Args:
        dataset: its judgements.
        split: whose.
        candidates: the teacher's scores.
        copied: the student's.
        found: what the student finds in the whole collection; None: that is not known.
        seed: of the resamples.
    """
    qrels = {query_id: labels for query_id, labels in dataset.qrels(split).items() if query_id in candidates.teacher}
    teacher, student = (_found(scores, candidates.added) for scores in (candidates.teacher, copied.student))
    runs = gap.rankings(qrels, teacher, student, found)
    values = gap.judged(runs, qrels)
    table = pl.DataFrame({"query_id": sorted(qrels), **{f"ndcg_{name}": column for name, column in values.items()}})
    return (gap.split(values, seed) if values[gap.PERFECT].any() else None), table


def _found(scores: Mapping[str, Mapping[str, float]], added: frozenset[tuple[str, str]]) -> dict[str, dict[str, float]]:
    return {
        query_id: {doc_id: value for doc_id, value in of.items() if (query_id, doc_id) not in added}
        for query_id, of in scores.items()
    }


def worst(
    candidates: Candidates, copied: Copied, agreed: Agreed, labels: Mapping[str, Mapping[str, int]], most: int
) -> list[Worst]:
    """The queries of the lowest Spearman correlation, with what either ranks first.

    Args:
        candidates: the teacher's scores.
        copied: the student's.
        agreed: of both.
        labels: query id -> document id -> judgement.
        most: how many queries.
    """
    rows = agreed.per_query.sort("spearman", "query_id").head(most)
    return [
        Worst(
            query_id=row["query_id"],
            text=candidates.queries[row["query_id"]],
            spearman=row["spearman"],
            kl_divergence=row["kl_divergence"],
            hits=_hits(candidates, copied, row["query_id"], labels.get(row["query_id"], {})),
        )
        for row in rows.iter_rows(named=True)
    ]


def _hits(candidates: Candidates, copied: Copied, query_id: str, labels: Mapping[str, int]) -> list[Hit]:
    ranks = [
        {doc_id: rank for rank, (doc_id, _) in enumerate(best_first(scores[query_id]), start=1)}
        for scores in (candidates.teacher, copied.student)
    ]
    chosen = [doc_id for doc_id in ranks[0] if min(rank[doc_id] for rank in ranks) <= SHOWN]
    return [
        Hit(
            doc_id=doc_id,
            text=shortened(candidates.documents[doc_id]),
            teacher_rank=ranks[0][doc_id],
            student_rank=ranks[1][doc_id],
            label=labels.get(doc_id),
        )
        for doc_id in chosen
    ]


def _lists(candidates: Candidates, copied: Copied) -> tuple[list[str], list[list[str]], list[Scores], list[Scores]]:
    """Ids, documents, and both scores of each query that has two candidates that the student scored."""
    found: list[tuple[str, list[str], Scores, Scores]] = []
    for query_id, teacher in candidates.teacher.items():
        docs = [doc_id for doc_id in teacher if (query_id, doc_id) not in copied.unscored]
        if len(docs) > 1:
            sides: Sequence[Mapping[str, float]] = (teacher, copied.student[query_id])
            first, second = (np.array([side[doc_id] for doc_id in docs]) for side in sides)
            found.append((query_id, docs, first, second))
    if not found:
        raise DataError(
            expected="queries with two candidates or more that the student scores too",
            got=f"none of {len(candidates.teacher)} queries",
            consequence="nothing was measured: there is no order to compare",
            remedy="mine and score more candidates a query",
        )
    ids, every, first_lists, second_lists = (list(column) for column in zip(*found, strict=True))
    return ids, every, first_lists, second_lists


def _ordered(names: Sequence[str], scores: Scores) -> list[str]:
    return [doc_id for doc_id, _ in best_first(dict(zip(names, map(float, scores), strict=True)))]


def _r2(columns: Mapping[str, Any]) -> float:
    """Over the margins of all queries together; of a teacher without any, whether the student has none either."""
    total, residual = columns["total"].sum(), columns["residual"].sum()
    return float(1 - residual / total) if total else float(residual == 0)


def _r2_interval(columns: Mapping[str, Any], seed: int) -> tuple[float, float]:
    if not columns["total"].any():
        return _r2(columns), _r2(columns)
    low, high = ratio_interval(columns["residual"], columns["total"], seed=seed)
    return 1 - high, 1 - low
