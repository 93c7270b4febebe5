"""mteb's own search for test samples in training data, on queries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rankdistill._extras import require


def found_by_mteb(trained: Sequence[str], tested: Sequence[str]) -> list[int]:
    """Positions of the texts of `tested` that `mteb.data_cleaning.remove_train_leakage` takes out.

    mteb does not clean the splits of retrieval tasks against each other, as they share their documents by design. The
    queries are given to it as the samples of a task without labels to tell apart.

    Raises:
        MissingDependencyError: mteb is not installed.
    """
    require("mteb", "mteb's data cleaning")
    from datasets import Dataset, DatasetDict
    from mteb.abstasks import AbsTaskClassification
    from mteb.abstasks.task_metadata import TaskMetadata
    from mteb.data_cleaning import remove_train_leakage

    class Samples(AbsTaskClassification):
        metadata = TaskMetadata(
            name="Samples",
            description="Queries of training and of a test",
            dataset={"path": "local/samples", "revision": "0"},
            type="Classification",
            category="t2c",
            modalities=["text"],
            eval_splits=["test"],
            eval_langs=["eng-Latn"],
            main_score="accuracy",
        )

    def table(texts: Sequence[str]) -> Any:
        return Dataset.from_dict({"text": list(texts), "label": [0] * len(texts), "place": list(range(len(texts)))})

    if not trained or not tested:
        return []
    task = Samples()
    task.dataset = DatasetDict({"train": table(trained), "test": table(tested)})
    task.data_loaded = True
    kept = set(remove_train_leakage(task).dataset["test"]["place"])
    return [place for place in range(len(tested)) if place not in kept]
