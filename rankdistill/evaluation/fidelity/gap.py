"""Which stage a student's gap to a perfect ranking comes from: candidates, teacher or student.

Five rankings of the same queries are judged by nDCG@10, each with what the one before it had taken away: the judged
documents in the order of their labels; the candidates in that order; the candidates in the teacher's order; in the
student's; and, where it is known, what the student finds in the whole collection. The parts of the gap are the
differences from one to the next, so they add up to it, query by query.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from rankdistill.evaluation.fidelity.records import Gap, Part, Rung
from rankdistill.evaluation.measures import Qrels, Run, evaluate_run
from rankdistill.evaluation.significance import RESAMPLES, bootstrap_interval

PERFECT, CEILING, TEACHER, STUDENT, SEARCH = "perfect", "ceiling", "teacher", "student", "search"

PARTS: Mapping[str, tuple[str, str]] = {
    "candidate_ceiling": (PERFECT, CEILING),
    "teacher_error": (CEILING, TEACHER),
    "student_error": (TEACHER, STUDENT),
    "search": (STUDENT, SEARCH),
}
"""Part of the gap -> the rankings whose difference it is."""

MEASURE = "ndcg_at_10"

Values = NDArray[np.float64]


def rankings(
    qrels: Qrels, teacher: Run, student: Run, found: Run | None = None
) -> dict[str, Mapping[str, Mapping[str, float]]]:
    """Ranking -> its run, over the queries of `teacher`, in the order of the parts.

    Args:
        qrels: of these queries at least.
        teacher: scores of the candidates that were found.
        student: of the same candidates.
        found: what the student finds in the whole collection; None: that is not known.
    """
    perfect = {query_id: _floats(qrels[query_id]) for query_id in teacher}
    ceiling = {
        query_id: {doc_id: float(qrels[query_id].get(doc_id, 0)) for doc_id in docs}
        for query_id, docs in teacher.items()
    }
    named = {PERFECT: perfect, CEILING: ceiling, TEACHER: teacher, STUDENT: student}
    return named if found is None else {**named, SEARCH: found}


def judged(runs: Mapping[str, Run], qrels: Qrels) -> dict[str, Values]:
    """Ranking -> nDCG@10 of each query of `qrels`, sorted by id."""
    return {
        name: evaluate_run(run, qrels).per_query.get_column(MEASURE).to_numpy().astype(np.float64)
        for name, run in runs.items()
    }


def split(values: Mapping[str, Values], seed: int = 0) -> Gap:
    """The gap and its parts, with paired bootstrap intervals.

    Args:
        values: ranking -> nDCG@10 a query, the same queries in the same order.
        seed: of the resamples.
    """
    parts = {name: values[above] - values[below] for name, (above, below) in PARTS.items() if below in values}
    last = STUDENT if SEARCH not in values else SEARCH
    largest = _largest(list(parts.values()), seed)
    return Gap(
        queries=len(values[PERFECT]),
        rungs=[
            Rung(name=name, ndcg_at_10=float(of.mean()), interval=bootstrap_interval(of, seed=seed))
            for name, of in values.items()
        ],
        parts=[
            Part(
                name=name,
                difference=float(of.mean()),
                interval=bootstrap_interval(of, seed=seed),
                largest=share,
            )
            for (name, of), share in zip(parts.items(), largest, strict=True)
        ],
        gap=float((values[PERFECT] - values[last]).mean()),
        interval=bootstrap_interval(values[PERFECT] - values[last], seed=seed),
    )


def _largest(parts: Sequence[Values], seed: int) -> list[float]:
    """For each part the share of resamples of the queries in which no other is larger."""
    table = np.stack(parts)
    rng = np.random.default_rng(seed)
    wins = np.zeros(len(parts))
    for _ in range(RESAMPLES // _AT_ONCE):
        drawn = rng.multinomial(table.shape[1], np.full(table.shape[1], 1 / table.shape[1]), size=_AT_ONCE)
        wins += np.bincount((table @ drawn.T).argmax(axis=0), minlength=len(parts))
    return [float(share) for share in wins / (RESAMPLES // _AT_ONCE * _AT_ONCE)]


_AT_ONCE = 500


def _floats(labels: Mapping[str, int]) -> dict[str, float]:
    return {doc_id: float(label) for doc_id, label in labels.items()}
