"""What an ensemble is worth: itself, each teacher alone, itself without each teacher, and with fitted weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace

import polars as pl

from rankdistill.data.identical_ids import without_own
from rankdistill.ensembles import fitting
from rankdistill.ensembles.combining import Coverage
from rankdistill.ensembles.source import Ensemble, Piece
from rankdistill.errors import DataError
from rankdistill.evaluation.comparing import compare_per_query
from rankdistill.evaluation.evaluating import mean_intervals
from rankdistill.evaluation.measures import TITLES, Evaluated, Qrels, evaluate_run
from rankdistill.evaluation.results import Comparison, System
from rankdistill.evaluation.system_table import Rows, comparison_table
from rankdistill.stores.reader import ScoreStore
from rankdistill.teachers.names import beside

ENSEMBLE = "ensemble"
FITTED = "ensemble, fitted weights (held-out queries)"
MEASURE = "ndcg_at_10"


@dataclass(frozen=True)
class Fit:
    """Weights fitted to labels.

    Args:
        weights: teacher_id -> weight, fitted to all queries: what to use.
        folds: the same, each fitted without the queries that it was evaluated on.
    """

    weights: Mapping[str, float]
    folds: Sequence[Mapping[str, float]]


@dataclass(frozen=True)
class Quality:
    """An ensemble beside its parts, on the judged queries that the store has scores of.

    Args:
        systems: the ensemble first; then teachers, the ensemble without each, and with fitted weights.
        comparisons: each other system minus the ensemble, in nDCG@10.
        queries: how many were evaluated.
        coverage: what was missing among their pairs.
        fit: the weights, where they were asked for.
    """

    systems: list[System]
    comparisons: list[Comparison]
    queries: int
    coverage: Coverage
    fit: Fit | None = None


def assess(
    ensemble: Ensemble, qrels: Qrels, *, fit: bool = False, seed: int = 0, own: Set[str] = frozenset()
) -> Quality:
    """Evaluate an ensemble and its parts on `qrels`.

    Each teacher ranks all documents that it scored, as a published figure of it would. Where the policy `intersect`
    left pairs out, each teacher is also shown on the pairs that the ensemble kept; without a teacher it keeps more.
    Fitted weights are evaluated by cross-validation: each query with weights that were fitted to other queries.

    Args:
        ensemble: what to assess; only the scores of judged queries are read.
        qrels: query_id -> doc_id -> label. Queries that no teacher scored are left out.
        fit: fit weights too.
        seed: of the permutations and resamples.
        own: queries of which the document of the same id is left out, as `Dataset.own_documents`.

    Raises:
        DataError: no teacher scored a judged query; or there are too few to fit on.
        StoreError: see `Ensemble.pieces`.
    """
    names = ensemble.names
    alone = {name: without_own(_raw(ensemble.store, name, qrels.keys()), own) for name in ensemble.members}
    judged = _judged(alone.values(), qrels)
    pieces = [replace(piece, members=without_own(piece.members, own)) for piece in ensemble.pieces(list(judged.keys()))]
    coverage = sum((piece.coverage for piece in pieces), Coverage.nothing(ensemble.members))
    combined = pl.concat([ensemble.combine(piece) for piece in pieces])
    runs = {ENSEMBLE: combined} | {names[name]: scores for name, scores in alone.items()}
    if coverage.dropped:
        same = {name: scores.join(combined, on=["query_id", "doc_id"], how="semi") for name, scores in alone.items()}
        runs |= {f"{names[name]} on the same pairs": scores for name, scores in same.items()}
    if len(ensemble.members) > 1:
        others = {name: _read(ensemble.without(name), judged.keys()) for name in ensemble.members}
        runs |= {f"without {names[name]}": without_own(scores, own) for name, scores in others.items()}
    found = None
    if fit:
        found, held_out = cross_validated(ensemble, pieces, judged)
        runs[FITTED] = held_out
    evaluated = {name: evaluate(scores, judged) for name, scores in runs.items()}
    return Quality(
        systems=[
            System(name=name, measures=one.means, intervals=mean_intervals(one)) for name, one in evaluated.items()
        ],
        comparisons=compare_per_query(
            {name: one.per_query for name, one in evaluated.items()}, ENSEMBLE, seed, measures=[MEASURE]
        ),
        queries=len(judged),
        coverage=coverage,
        fit=found,
    )


def cross_validated(ensemble: Ensemble, pieces: Iterable[Piece], qrels: Qrels) -> tuple[Fit, pl.DataFrame]:
    """Weights fitted to all queries; and scores of each query under weights that were fitted without it.

    A query without a relevant document among its pairs takes no part in a fit; it is scored with the weights of all.

    Args:
        ensemble: its calibration and policy are kept, its weights replaced.
        pieces: what it reads.
        qrels: query_id -> doc_id -> label.

    Raises:
        DataError: fewer usable queries than `fitting.FOLDS`.
    """
    held = list(pieces)
    examples = fitting.examples(pl.concat([piece.members for piece in held]), qrels)
    whole, parts, folds = fitting.fit(examples), [], []
    for chosen, held_out in fitting.folds(examples.query_ids):
        weights = fitting.fit(examples.of(chosen))
        folds.append(dict(zip(ensemble.members, weights, strict=True)))
        parts.append(_scores_of(ensemble.weighing(weights), held, {examples.query_ids[one] for one in held_out}))
    others = {query_id for piece in held for query_id in piece.members["query_id"].unique()} - set(examples.query_ids)
    parts.append(_scores_of(ensemble.weighing(whole), held, others))
    return Fit(dict(zip(ensemble.members, whole, strict=True)), folds), pl.concat(parts).sort("query_id", "doc_id")


def evaluate(scores: pl.DataFrame, qrels: Qrels) -> Evaluated:
    """The measures of `scores` (query_id, doc_id, score) as a run, on every query of `qrels`."""
    run: dict[str, dict[str, float]] = {}
    for query_id, doc_id, score in scores.select("query_id", "doc_id", "score").iter_rows():
        run.setdefault(query_id, {})[doc_id] = score
    return evaluate_run(run, qrels)


def quality_rows(quality: Quality) -> Rows:
    """A system a row: nDCG@10, and its difference from the ensemble."""
    header, others = comparison_table(quality.comparisons, MEASURE)
    value = {system.name: f"{system.measures[MEASURE]:.4f}" for system in quality.systems}
    rows = [[row[0], value[row[0]], *row[1:]] for row in others]
    return [header[0], TITLES[MEASURE], *header[1:]], [[ENSEMBLE, value[ENSEMBLE], *[""] * (len(header) - 1)], *rows]


def weight_rows(fit: Fit, names: Mapping[str, str]) -> Rows:
    """A teacher a row: its weight, and the smallest and largest over the folds."""
    rows = []
    for teacher_id, weight in fit.weights.items():
        over_folds = [fold[teacher_id] for fold in fit.folds]
        rows.append(
            [beside(names[teacher_id], teacher_id), f"{weight:.3f}", f"{min(over_folds):.3f} .. {max(over_folds):.3f}"]
        )
    return ["teacher", "weight", "over folds"], rows


def _read(ensemble: Ensemble, queries: Iterable[str]) -> pl.DataFrame:
    return pl.concat([ensemble.combine(piece) for piece in ensemble.pieces(list(queries))])


def _raw(store: ScoreStore, teacher_id: str, queries: Iterable[str]) -> pl.DataFrame:
    wanted = pl.Series(list(queries), dtype=pl.String)
    return store.scan(teacher_id).filter(pl.col("query_id").is_in(wanted.implode())).collect()


def _scores_of(ensemble: Ensemble, pieces: Iterable[Piece], queries: set[str]) -> pl.DataFrame:
    wanted = pl.col("query_id").is_in(sorted(queries))
    return pl.concat([ensemble.combine(replace(piece, members=piece.members.filter(wanted))) for piece in pieces])


def _judged(alone: Iterable[pl.DataFrame], qrels: Qrels) -> Qrels:
    """The qrels of the queries that a teacher scored."""
    scored = {query_id for scores in alone for query_id in scores["query_id"].unique()}
    found = {query_id: labels for query_id, labels in qrels.items() if query_id in scored}
    if not found:
        raise DataError(
            expected="scores of queries that the split judges",
            got=f"none of its {len(qrels):,} queries in the store",
            consequence="nothing was evaluated",
            remedy="give the data and the split that the candidates were mined from",
        )
    return found
