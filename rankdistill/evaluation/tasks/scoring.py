"""The measures of mteb itself of a run on one of its tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rankdistill._extras import require
from rankdistill.data import Dataset
from rankdistill.evaluation.measures import Run, best_first
from rankdistill.evaluation.tasks import local_data
from rankdistill.evaluation.tasks.catalogue import SUBSET
from rankdistill.evaluation.tasks.local_data import Collections

ENCODE_SETTINGS: Mapping[str, Any] = {"show_progress_bar": False}
"""Of the runs: batches are made by tokens, and what runs the model does not change the numbers."""


class _Answers:
    """Runs behind mteb's `SearchProtocol`: subset -> split -> what was found before."""

    def __init__(self, runs: Mapping[str, Mapping[str, Run]], meta: Any) -> None:
        self._runs, self.mteb_model_meta = runs, meta

    def index(self, corpus: Any, **unused: Any) -> None:
        """Nothing: the answers are there."""

    def search(
        self, queries: Any, *, hf_split: str, hf_subset: str, top_k: int, **unused: Any
    ) -> dict[str, dict[str, float]]:
        """The best `top_k` documents for each query, of equal scores in trec_eval's order."""
        run = self._runs[hf_subset][hf_split]
        return {query_id: dict(best_first(run.get(query_id, {}))[:top_k]) for query_id in queries["id"]}


def depth_of(task: Any) -> int:
    """How many documents a query the task's deepest measure needs."""
    return int(max(task.k_values))


def score(task: Any, data: Collections, splits: Sequence[str], runs: Mapping[str, Any], meta: Any) -> Any:
    """The `TaskResult` of mteb of `runs`, with every measure that the task has.

    Args:
        task: without data; it gets the collections' queries and judgements.
        data: the task's data, or those of its subsets.
        splits: to evaluate.
        runs: split -> the run, as deep as `depth_of` says; of subsets subset -> split -> the run.
        meta: `ModelMeta` of what answered.

    Raises:
        MissingDependencyError: mteb is not installed.
    """
    mteb = require("mteb", "the measures of a task of mteb")
    found = mteb.evaluate(
        _Answers({SUBSET: runs} if isinstance(data, Dataset) else runs, meta),
        local_data.fill(task, data, splits, documents=False),
        cache=None,
        co2_tracker=False,
        show_progress_bar=False,
        encode_kwargs=dict(ENCODE_SETTINGS),
    )
    return found.task_results[0]
