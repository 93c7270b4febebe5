"""Tiny retrieval tasks that mteb takes for its own, with data that lie in a folder of their name."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

REVISION = "0123456789abcdef0123456789abcdef01234567"

DOCUMENTS = {
    f"p{place}": f"{animal} of the {colour} {land} sleeps by day and hunts at night in winter {place}"
    for place, (animal, colour, land) in enumerate(
        (animal, colour, land)
        for animal in ("owl", "lynx", "otter", "stoat")
        for colour in ("white", "brown", "grey")
        for land in ("forest", "moor")
    )
}
"""Of other words than the tiny collections that students are trained on."""

QUERIES = {
    "t0": "where does the white owl sleep during the day",
    "t1": "which lynx hunts on the brown moor",
    "t2": "when is the grey otter of the forest awake",
    "t3": "stoat in winter",
}
JUDGED = {"t0": ["p0", "p1"], "t1": ["p9"], "t2": ["p16"], "t3": ["p18", "p19", "p20"]}


def write_collection(folder: Path, queries: Mapping[str, str], documents: Mapping[str, str] = DOCUMENTS) -> Path:
    """A BEIR folder with these queries as its test split."""
    (folder / "qrels").mkdir(parents=True)
    rows = [{"_id": key, "title": text.split()[0], "text": text} for key, text in documents.items()]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    asked = [{"_id": key, "text": text} for key, text in queries.items()]
    (folder / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in asked))
    lines = [f"{key}\t{doc_id}\t1" for key in queries for doc_id in JUDGED[key]]
    (folder / "qrels" / "test.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *lines]) + "\n")
    return folder


def statistics(queries: Mapping[str, str], documents: Mapping[str, str] = DOCUMENTS) -> dict[str, Any]:
    """What mteb's package would say of such a task."""
    texts = [f"{text.split()[0]} {text}" for text in documents.values()]
    return {
        "test": {
            "num_samples": len(texts) + len(queries),
            "num_documents": len(texts),
            "num_queries": len(queries),
            "documents_text_statistics": {"total_text_length": sum(map(len, texts)), "unique_texts": len(set(texts))},
            "queries_text_statistics": {"total_text_length": sum(map(len, queries.values()))},
            "relevant_docs_statistics": {"num_relevant_docs": sum(len(JUDGED[key]) for key in queries)},
        }
    }


@contextmanager
def known_to_mteb(folder: Path, tasks: Mapping[str, Mapping[str, str]]) -> Iterator[Path]:
    """Tasks by name, with their queries, in mteb's table while the block lasts; their data are in `folder`."""
    from mteb.get_tasks import _TASKS_REGISTRY

    make_known(folder, tasks)
    try:
        yield folder
    finally:
        for name in tasks:
            del _TASKS_REGISTRY[name]


def make_known(folder: Path, tasks: Mapping[str, Mapping[str, str]]) -> None:
    """The same for as long as the process lasts."""
    from mteb.abstasks.retrieval import AbsTaskRetrieval
    from mteb.abstasks.task_metadata import TaskMetadata
    from mteb.get_tasks import _TASKS_REGISTRY

    for name, queries in tasks.items():
        write_collection(folder / name, queries)
        told = folder / f"{name}.statistics.json"
        told.write_text(json.dumps(statistics(queries)))
        _TASKS_REGISTRY[name] = _task(AbsTaskRetrieval, TaskMetadata, name, told)


def _task(base: Any, metadata_class: Any, called: str, told: Path) -> Any:
    class Told(metadata_class):  # type: ignore[misc]
        @property
        def descriptive_stat_path(self) -> Path:
            return told

    class Task(base):  # type: ignore[misc]
        metadata = Told(
            name=called,
            description="A tiny task",
            dataset={"path": f"local/{called}", "revision": REVISION},
            type="Retrieval",
            category="t2t",
            modalities=["text"],
            eval_splits=["test"],
            eval_langs=["eng-Latn"],
            main_score="ndcg_at_10",
        )

    return Task
