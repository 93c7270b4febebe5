"""Measures per query, by ir-measures (trec_eval's definitions)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from rankdistill.errors import DataError

Run = Mapping[str, Mapping[str, float]]
"""query_id -> doc_id -> score, higher is better."""

Qrels = Mapping[str, Mapping[str, int]]
"""query_id -> doc_id -> label; above 0 is relevant, 0 is judged and not relevant."""

MEASURES = {"ndcg_at_10": "nDCG@10", "recall_at_100": "R@100", "mrr_at_10": "RR@10", "map_at_100": "AP@100"}
"""Our key -> the name in ir-measures. Add a measure here."""

TITLES = {"ndcg_at_10": "nDCG@10", "recall_at_100": "R@100", "mrr_at_10": "MRR@10", "map_at_100": "MAP@100"}
"""Our key -> what tables and plots call it."""


CONVERSATIONAL = {"ndcg_at_3": "nDCG@3", "ndcg_at_5": "nDCG@5", "mrr": "RR", "recall_at_10": "R@10"}
"""What evaluations of conversations have besides, as their literature reports it; `mrr` is over all that was found."""

EVERY_TITLE = TITLES | {"ndcg_at_3": "nDCG@3", "ndcg_at_5": "nDCG@5", "mrr": "MRR", "recall_at_10": "R@10"}
"""`TITLES`, and what the measures of conversations are called."""


@dataclass(frozen=True)
class Evaluated:
    """The measures of one run.

    Args:
        per_query: `query_id` and one float column a measure; one row for each query of the qrels, sorted by id.
    """

    per_query: pl.DataFrame

    @property
    def means(self) -> dict[str, float]:
        """Measure -> mean over all queries of the qrels."""
        columns = self.per_query.drop("query_id")
        return {name: float(columns.get_column(name).to_numpy().mean()) for name in columns.columns}


def evaluate_run(
    run: Run, qrels: Qrels, ignore_identical_ids: bool = False, besides: Mapping[str, str] | None = None
) -> Evaluated:
    """Evaluate `run` on every query of `qrels`.

    A query that the run does not answer counts 0; queries of the run without qrels are left out. Documents without a
    judgement count as not relevant; relevant ones that no corpus holds count in the ideal ranking and in recall. Equal
    scores are ordered as trec_eval does, see `ranked`.

    Args:
        run: the system's.
        qrels: query_id -> doc_id -> label.
        ignore_identical_ids: leave out documents that have the query's own id: beir's default, and in mteb a property
            of the task. `evaluating.evaluate` needs no such word: its runs follow the data set, see
            `rankdistill.data.identical_ids`.
        besides: further measures, as `MEASURES`.

    Raises:
        DataError: there are no qrels, or a score is not finite.
    """
    import ir_measures

    if not qrels:
        raise DataError(expected="qrels to evaluate on", got="none", consequence="nothing was evaluated", remedy="")
    every = MEASURES | dict(besides or {})
    wanted = {ir_measures.parse_measure(name): key for key, name in every.items()}
    answered = ranked(
        {
            query_id: {
                doc_id: score for doc_id, score in scores.items() if not (ignore_identical_ids and doc_id == query_id)
            }
            for query_id, scores in run.items()
            if query_id in qrels
        }
    )
    values = {query_id: dict.fromkeys(every, 0.0) for query_id in sorted(qrels)}
    for metric in ir_measures.iter_calc(list(wanted), _for_tools(qrels), answered):
        values[metric.query_id][wanted[metric.measure]] = float(metric.value)
    rows = [{"query_id": query_id, **row} for query_id, row in values.items()]
    return Evaluated(pl.DataFrame(rows, schema={"query_id": pl.String, **dict.fromkeys(every, pl.Float64)}))


def _for_tools(qrels: Qrels) -> dict[str, dict[str, int]]:
    """Labels below 0 as 0: trec_eval's code takes -1 and -2 for marks of its own, and writes beside its tables."""
    return {query_id: {doc_id: max(0, label) for doc_id, label in judged.items()} for query_id, judged in qrels.items()}


def ndcg_at_10(run: Run, qrels: Qrels) -> float:
    """Mean nDCG@10 of `run` over the queries of `qrels`; see `evaluate_run`."""
    return evaluate_run(run, qrels).means["ndcg_at_10"]


def ranked(run: Run) -> dict[str, dict[str, float]]:
    """The run with each query's documents best first, and scores 0, -1, -2, ... without ties.

    Equal scores are ordered by falling document id: trec_eval's rule. Fixing the order here gives every tool the same
    ranking; they break ties differently (ir-measures' own RR@10 and beir's MRR keep the order of the run).

    Raises:
        DataError: a score is not finite.
    """
    for query_id, scores in run.items():
        for doc_id, score in scores.items():
            if not math.isfinite(score):
                raise DataError(
                    expected="finite scores in the run",
                    got=f"{score} for query {query_id!r}, document {doc_id!r}",
                    consequence="nothing was evaluated: such a document has no rank",
                    remedy="check the model or the run file",
                )
    return {
        query_id: {doc_id: float(-rank) for rank, (doc_id, _) in enumerate(best_first(scores))}
        for query_id, scores in run.items()
    }


def best_first(scores: Mapping[str, float]) -> list[tuple[str, float]]:
    """(doc_id, score) by falling score; of equal scores by falling document id, which is trec_eval's rule."""
    return sorted(scores.items(), key=lambda pair: (pair[1], pair[0]), reverse=True)
