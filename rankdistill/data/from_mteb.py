"""MTEB retrieval tasks as collections."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from rankdistill._extras import require
from rankdistill.data import catalogue_rows
from rankdistill.data.merging import merge
from rankdistill.data.meta import Meta
from rankdistill.data.writer import Collection
from rankdistill.errors import DataError


class TaskData(NamedTuple):
    """What a task holds.

    Args:
        data: subset -> split -> `corpus`, `queries`, `relevant_docs`.
        ignore_identical_ids: whether it leaves out the document that has the query's own id.
    """

    data: Mapping[str, Mapping[str, Mapping[str, Any]]]
    ignore_identical_ids: bool


def download(name: str) -> TaskData:
    """The data of the MTEB task `name`.

    Raises:
        DataError: there is no such task, or it is no retrieval task.
    """
    mteb = require("mteb", "fetching an MTEB task")
    try:
        task = mteb.get_task(name)
    except KeyError as error:
        raise _unusable("the name of an MTEB retrieval task", str(error).strip("'\"")) from error
    if task.metadata.type not in ("Retrieval", "InstructionRetrieval", "Reranking"):
        raise _unusable("an MTEB retrieval task", f"{name!r} is of type {task.metadata.type}")
    task.load_data()
    task.convert_v1_dataset_format_to_v2(num_proc=None)
    return TaskData(task.dataset, bool(task.ignore_identical_ids))


def convert(
    data: Mapping[str, Mapping[str, Mapping[str, Any]]],
    subset: str | None = None,
    ignore_identical_ids: bool | None = None,
) -> Collection:
    """The collection in one subset of a task's data, with the task's own splits.

    Args:
        data: as in `TaskData`; `corpus` rows have `id`, `text` and perhaps `title`, `queries` rows `id` and
            `text`, `relevant_docs` is query_id -> doc_id -> label.
        subset: which one; None: the only one.
        ignore_identical_ids: what the task says, for the folder's `meta.json`.

    Raises:
        DataError: no such subset, an id or a label is unfit, or two splits hold different texts under one id.
    """
    if subset is None and len(data) == 1:
        subset = next(iter(data))
    if subset is None or subset not in data:
        raise _unusable(f"one of the subsets {', '.join(sorted(data))} (as mteb:TASK/SUBSET)", str(subset))
    splits = data[subset]
    documents = (
        row for name, split in splits.items() for row in catalogue_rows.documents(split["corpus"], f"corpus {name}")
    )
    queries = (
        row for name, split in splits.items() for row in catalogue_rows.queries(split["queries"], f"queries {name}")
    )
    qrels = {name: catalogue_rows.judgements(_judged(split), f"qrels {name}") for name, split in splits.items()}
    return Collection(merge(documents), merge(queries), qrels, Meta(ignore_identical_ids))


def _judged(split: Mapping[str, Any]) -> Iterator[tuple[Any, Any, Any]]:
    for query_id, labels in split["relevant_docs"].items():
        for doc_id, label in labels.items():
            yield query_id, doc_id, label


def _unusable(expected: str, got: str) -> DataError:
    return DataError(expected=expected, got=got, consequence="nothing was written", remedy="check the name")
