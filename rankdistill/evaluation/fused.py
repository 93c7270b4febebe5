"""Several systems as one: each is asked, and their rankings are fused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rankdistill.data import Dataset
from rankdistill.errors import ConfigError
from rankdistill.evaluation.evaluating import DEPTH
from rankdistill.evaluation.measures import Run, best_first, ndcg_at_10
from rankdistill.evaluation.retrieve import Retriever
from rankdistill.fusion import Fusion
from rankdistill.fusion.fitting import fit_weights
from rankdistill.progress import Progress


class FusedRetriever:
    """A system made of others.

    Args:
        parts: the systems, in the order of the fusion's weights.
        fusion: the method.
        depth: documents a query that each part is asked for, at least as many as are asked of the whole.
        name: what tables call it.

    Raises:
        ConfigError: fewer than two parts, or weights that do not fit them.
    """

    def __init__(self, parts: Sequence[Retriever], fusion: Fusion, depth: int = DEPTH, name: str | None = None) -> None:
        fusion.require_systems(len(parts))
        self.parts, self.fusion, self.depth = tuple(parts), fusion, depth
        self.name = name or f"{fusion.method} of " + " + ".join(part.name for part in parts)

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """The parts', the method with its settings, and the depth."""
        parts = [dict(part.fingerprint) for part in self.parts]
        return {"fusion": {**self.fusion.parameters, "depth": self.depth, "parts": parts}}

    def retrieve(self, queries: Mapping[str, str], k: int) -> Run:
        """The best `k` of what the parts return; scores are the method's."""
        runs = [part.retrieve(queries, max(k, self.depth)) for part in self.parts]
        return {query_id: dict(list(ranking.items())[:k]) for query_id, ranking in fuse_runs(runs, self.fusion).items()}


def fuse_runs(runs: Sequence[Run], fusion: Fusion) -> dict[str, dict[str, float]]:
    """The fused ranking of each query that any of `runs` answers, best first.

    Equal scores within a run are ranked by falling document id, trec_eval's rule.

    Raises:
        ConfigError: weights that do not fit.
        DataError: a score is not finite, and the method reads scores.
    """
    ordered = [{query_id: dict(best_first(scores)) for query_id, scores in run.items()} for run in runs]
    query_ids = dict.fromkeys(query_id for run in runs for query_id in run)
    return {query_id: fusion([run.get(query_id, {}) for run in ordered]) for query_id in query_ids}


@dataclass(frozen=True)
class Fitted:
    """A fusion whose weights were fitted.

    Args:
        fusion: with its weights.
        split: whose queries they were fitted on.
        quality: its nDCG@10 there.
        queries: how many those were.
    """

    fusion: Fusion
    split: str
    quality: float
    queries: int

    def __str__(self) -> str:
        shown = ",".join(f"{weight:g}" for weight in self.fusion.weights or ())
        return f"weights fitted on {self.split}: {shown} (nDCG@10 {self.quality:.4f}, {self.queries:,} queries)"


def fit_on(
    parts: Sequence[Retriever],
    fusion: Fusion,
    dataset: Dataset,
    split: str,
    tested: str,
    *,
    depth: int = DEPTH,
    progress: Progress = lambda done: None,
) -> tuple[Fusion, float]:
    """`fusion` with the weights of the highest nDCG@10 on `split`, and that nDCG@10.

    Args:
        parts: the systems, in the order of the weights.
        fusion: the method.
        dataset: the collection.
        split: whose queries the weights are fitted on.
        tested: the split that the fused system is going to be judged on.
        depth: documents a query that each part is asked for.
        progress: called with 1 for each setting tried.

    Raises:
        ConfigError: `split` is a test split, is the tested one or shares queries with it; or too many parts.
    """
    require_no_test(dataset, split, tested)
    qrels = dataset.qrels(split)
    runs = [part.retrieve(dataset.queries(split), depth) for part in parts]
    return fit_weights(fusion, len(parts), lambda tried: ndcg_at_10(fuse_runs(runs, tried), qrels), progress)


def require_no_test(dataset: Dataset, split: str, tested: str) -> None:
    """Raise ConfigError if weights fitted on `split` would know queries that `tested` or the test split judges."""
    for judged in dict.fromkeys([tested, *(name for name in dataset.splits if name.startswith("test"))]):
        shared = dataset.qrels(split).keys() & dataset.qrels(judged).keys()
        if split == judged or shared:
            raise ConfigError(
                expected=f"weights fitted on a split without queries of {judged!r}",
                got=f"{split!r}, which shares {len(shared)} queries with it",
                consequence="nothing was fitted: the result would be too good to be true",
                remedy="fit on a dev or train split",
            )
