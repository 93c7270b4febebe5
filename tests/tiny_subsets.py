"""A tiny retrieval task with subsets that mteb takes for its own, and a folder with a collection of each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests import tiny_task

SUBSETS: Mapping[str, Mapping[str, str]] = {
    "en": tiny_task.QUERIES,
    "pt-BR": {key: tiny_task.QUERIES[key] for key in ("t1", "t3")},
}
"""Subset -> its queries; each has fewer documents than the tiny task without subsets."""

LANGUAGES = {"en": ["eng-Latn"], "pt-BR": ["por-Latn"]}


def documents(subset: str) -> dict[str, str]:
    """Those of a subset."""
    left = 23 if subset == "en" else 21
    return dict(list(tiny_task.DOCUMENTS.items())[:left])


@contextmanager
def known_to_mteb(folder: Path, name: str) -> Iterator[Path]:
    """The task `name` in mteb's table while the block lasts; its data are in `folder/name`.

    Args:
        folder: for the data.
        name: of the task; one of mteb's own gives way to it.
    """
    from mteb.abstasks.retrieval import AbsTaskRetrieval
    from mteb.abstasks.task_metadata import TaskMetadata
    from mteb.get_tasks import _TASKS_REGISTRY

    of_subsets = {}
    for subset, queries in SUBSETS.items():
        tiny_task.write_collection(folder / name / subset, queries, documents(subset))
        of_subsets[subset] = tiny_task.statistics(queries, documents(subset))["test"]
    told = folder / f"{name}.statistics.json"
    told.write_text(json.dumps({"test": {**of_subsets["en"], "hf_subset_descriptive_stats": of_subsets}}))

    class Told(TaskMetadata):
        @property
        def descriptive_stat_path(self) -> Path:
            return told

    class Task(AbsTaskRetrieval):
        metadata = Told(
            name=name,
            description="A tiny task with subsets",
            dataset={"path": f"local/{name}", "revision": tiny_task.REVISION},
            type="Retrieval",
            category="t2t",
            modalities=["text"],
            eval_splits=["test"],
            eval_langs=LANGUAGES,
            main_score="ndcg_at_10",
        )

    before: Any = _TASKS_REGISTRY.get(name)
    _TASKS_REGISTRY[name] = Task
    try:
        yield folder
    finally:
        del _TASKS_REGISTRY[name]
        if before is not None:
            _TASKS_REGISTRY[name] = before
