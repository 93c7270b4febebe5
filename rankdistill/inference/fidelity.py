"""How near the scores of a fast back end are to float32's, and whether that is near enough to be distilled from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from rankdistill.errors import BackendFidelityError

LEAST = 0.99
"""Spearman correlation with float32 below which a back end is refused."""

WITHIN_A_QUERY = 5.0
"""So many times the loss of correlation is accepted within a query: its few candidates are more alike than the rest."""

_DIGITS = 6
"""Decimals kept: machines differ in the last bits, a store must not."""

Ranking = Mapping[str, Mapping[str, float]]
"""query_id -> doc_id -> score."""

Measure = Callable[[Ranking, Mapping[str, Mapping[str, int]]], float]
"""Judges a ranking by labels, as nDCG@10 does."""


@dataclass(frozen=True)
class SamplePair:
    """A pair that is scored twice.

    Args:
        query_id: its query's id.
        doc_id: its document's id.
        label: the judgement, where there is one.
    """

    query_id: str
    doc_id: str
    label: int | None = None


@dataclass(frozen=True)
class Fidelity:
    """A back end's scores against float32's on the same pairs.

    Args:
        pairs: how many.
        queries: how many distinct ones.
        spearman: rank correlation over all pairs, pooled: much of it is that queries differ.
        spearman_per_query: mean of the rank correlations within each query of two or more pairs, which is what students
            learn from; 1 if there is none.
        max_difference: largest absolute difference, in the scores' unit.
        mean_difference: mean absolute difference.
        ndcg_change: nDCG@10 of the back end's ranking of the sample less that of float32's; None without labels.
    """

    pairs: int
    queries: int
    spearman: float
    spearman_per_query: float
    max_difference: float
    mean_difference: float
    ndcg_change: float | None

    @property
    def record(self) -> dict[str, Any]:
        """The figures as JSON values."""
        return {
            name: round(value, _DIGITS) if isinstance(value, float) else value for name, value in asdict(self).items()
        }

    @property
    def shown(self) -> str:
        """Both correlations, for people; pooled pairs differ by their queries, so the first is the kinder one."""
        text = (
            f"Spearman with float32 {self.spearman:.4f} over {self.pairs:,} pairs, "
            f"{self.spearman_per_query:.4f} within a query (mean; {self.queries:,} queries)"
        )
        return text if self.ndcg_change is None else f"{text}, nDCG@10 {self.ndcg_change:+.4f}"

    def require(self, least: float, backend: str) -> None:
        """Stop a back end that drifts.

        Args:
            least: smallest Spearman correlation accepted over all pairs; as the mean within queries, 1 less
                `WITHIN_A_QUERY` times as much is.
            backend: what the message calls it.

        Raises:
            BackendFidelityError: it is less.
        """
        least_within = 1 - WITHIN_A_QUERY * (1 - least)
        if self.spearman >= least and self.spearman_per_query >= least_within:
            return
        raise BackendFidelityError(
            expected=f"{backend} to rank as float32 does: a Spearman correlation of {least:g} or more over all "
            f"pairs, of {least_within:g} or more within a query",
            got=f"{self.spearman:.4f} over {self.pairs} sampled pairs, {self.spearman_per_query:.4f} within a query; "
            f"scores differ by {self.mean_difference:.3g} on average, {self.max_difference:.3g} at most",
            consequence="nothing was scored: students would learn the errors of the number format",
            remedy="take another back end (auto is exact) or dtype float32, or accept these scores with a lower "
            "--min-fidelity",
        )


def compare(
    pairs: Sequence[SamplePair], reference: np.ndarray, scores: np.ndarray, measure: Measure | None = None
) -> Fidelity:
    """Compare two lots of scores.

    Args:
        pairs: what was scored.
        reference: float[n], the float32 scores.
        scores: float[n], the back end's.
        measure: judges rankings by the labels of `pairs`, if any is above 0.
    """
    rows: dict[str, list[int]] = {}
    for row, pair in enumerate(pairs):
        rows.setdefault(pair.query_id, []).append(row)
    within = [spearman(reference[some], scores[some]) for some in rows.values() if len(some) > 1]
    differences = np.abs(reference - scores)
    return Fidelity(
        pairs=len(pairs),
        queries=len(rows),
        spearman=spearman(reference, scores),
        spearman_per_query=float(np.mean(within)) if within else 1.0,
        max_difference=float(differences.max()),
        mean_difference=float(differences.mean()),
        ndcg_change=_change(pairs, reference, scores, measure),
    )


def spearman(left: np.ndarray, right: np.ndarray) -> float:
    """Spearman's rank correlation with tied ranks averaged; 1 where both are constant, 0 where one is."""
    from scipy.stats import rankdata

    ranks = [rankdata(values) for values in (left, right)]
    deviations = [values - values.mean() for values in ranks]
    lengths = [float(np.linalg.norm(values)) for values in deviations]
    if not all(lengths):
        return float(lengths[0] == lengths[1])
    return float(deviations[0] @ deviations[1] / (lengths[0] * lengths[1]))


def _change(
    pairs: Sequence[SamplePair], reference: np.ndarray, scores: np.ndarray, measure: Measure | None
) -> float | None:
    qrels: dict[str, dict[str, int]] = {}
    for pair in pairs:
        if pair.label is not None:
            qrels.setdefault(pair.query_id, {})[pair.doc_id] = pair.label
    judged = {query_id: labels for query_id, labels in qrels.items() if any(label > 0 for label in labels.values())}
    if measure is None or not judged:
        return None
    before, after = (measure(_ranking(pairs, values, judged), judged) for values in (reference, scores))
    return after - before


def _ranking(pairs: Sequence[SamplePair], scores: np.ndarray, wanted: Mapping[str, object]) -> Ranking:
    ranking: dict[str, dict[str, float]] = {}
    for pair, score in zip(pairs, scores, strict=True):
        if pair.query_id in wanted:
            ranking.setdefault(pair.query_id, {})[pair.doc_id] = float(score)
    return ranking
