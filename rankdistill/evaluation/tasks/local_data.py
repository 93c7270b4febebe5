"""The data of an mteb task from a local folder: shown to be that of the task's revision, and put into the task."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rankdistill.data import Dataset, load
from rankdistill.errors import DataError
from rankdistill.evaluation.tasks.catalogue import OF_SUBSETS, SUBSET, reference_of
from rankdistill.records import Document

Collections = Dataset | Mapping[str, Dataset]
"""The data of a task: of one that has no subsets, or subset -> that of each."""


def by_subset(data: Collections) -> Mapping[str, Dataset]:
    """Subset -> its data."""
    return {SUBSET: data} if isinstance(data, Dataset) else data


def load_for(task: Any, folder: Path, splits: Sequence[str]) -> Dataset:
    """The collection in `folder`, under the task's own rule on documents with the id of a query.

    Raises:
        DataError: it cannot be read, or lacks a split.
    """
    dataset = load(folder, "strict", bool(task.ignore_identical_ids))
    for split in splits:
        dataset.queries(split)
    return dataset


def text_of(document: Document) -> str:
    """What mteb lets a model read of a document."""
    return f"{document.title} {document.text}".strip()


class _Counted:
    """How many texts there are, how many characters, and how many different texts by 64 bits of their hashes.

    Of ten million texts two different ones are taken for the same in 3 of a million such collections.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        import numpy as np

        hashes, self.characters = array("Q"), 0
        for text in texts:
            self.characters += len(text)
            found = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
            hashes.append(int.from_bytes(found, "little"))
        self.texts = len(hashes)
        in_order = np.asarray(hashes)
        in_order.sort()
        self.different = int(self.texts > 0) + int(np.count_nonzero(in_order[1:] != in_order[:-1]))


def counts(dataset: Dataset, split: str) -> dict[str, int]:
    """What mteb publishes of each revision of a task, counted here: documents, queries, judgements and characters.

    Texts are read one after the other; what is kept of a document are 8 bytes.
    """
    documents = _Counted(text_of(document) for document in dataset.documents())
    qrels = {query_id: judged for query_id, judged in dataset.qrels(split).items() if max(judged.values()) > 0}
    queries = [text for query_id, text in dataset.queries(split).items() if query_id in qrels]
    return {
        "documents": documents.texts,
        "characters of documents": documents.characters,
        "different documents": documents.different,
        "queries": len(queries),
        "characters of queries": sum(map(len, queries)),
        "relevant documents": sum(label > 0 for judged in qrels.values() for label in judged.values()),
    }


def published_counts(task: Any, split: str, subset: str = SUBSET) -> dict[str, int] | None:
    """The same as mteb's package has it for the task's revision; None where it has none for this split and subset."""
    statistics = (task.metadata.descriptive_stats or {}).get(split)
    if statistics is not None and subset != SUBSET:
        statistics = (statistics.get(OF_SUBSETS) or {}).get(subset)
    if statistics is None:
        return None
    documents, queries = statistics["documents_text_statistics"], statistics["queries_text_statistics"]
    return {
        "documents": statistics["num_documents"],
        "characters of documents": documents["total_text_length"],
        "different documents": documents["unique_texts"],
        "queries": statistics["num_queries"],
        "characters of queries": queries["total_text_length"],
        "relevant documents": statistics["relevant_docs_statistics"]["num_relevant_docs"],
    }


def differences(task: Any, dataset: Dataset, splits: Sequence[str], subset: str = SUBSET) -> list[str]:
    """How the collection differs from what mteb publishes of the task's revision, a line each; none if it is that.

    A split that mteb publishes nothing of is not compared.
    """
    found = []
    for split in splits:
        published = published_counts(task, split, subset)
        here = counts(dataset, split) if published is not None else {}
        found += [
            f"{split}: {here[name]:,} {name} instead of {value:,}"
            for name, value in (published or {}).items()
            if here[name] != value
        ]
    return found


def require_revision(task: Any, dataset: Dataset, splits: Sequence[str], subset: str = SUBSET) -> None:
    """Raise DataError unless the collection is, by its counts, that of a subset of the task at its revision."""
    if found := differences(task, dataset, splits, subset):
        name, revision = task.metadata.name, task.metadata.revision
        raise DataError(
            expected=f"the data of {name}{'' if subset == SUBSET else f', subset {subset},'} at revision {revision}",
            got=f"{dataset.path}, which has {'; '.join(found)}",
            consequence="nothing was evaluated: other data would be filed under that revision",
            remedy=f"fetch it: rankdistill data fetch {reference_of(name, subset)}; or evaluate this collection by "
            "--data",
        )


def fill(task: Any, data: Collections, splits: Sequence[str], documents: bool = True) -> Any:
    """`task` with collections as its data, and with these splits and these subsets to evaluate.

    Args:
        task: without data.
        data: the collection, or those of its subsets.
        splits: of them.
        documents: give the documents too, all in memory; False for what answers without them.
    """
    task.dataset = {}
    for subset, dataset in by_subset(data).items():
        table = _documents(dataset if documents else None)
        task.dataset[subset] = {split: _split(dataset, split, table) for split in splits}
    task.hf_subsets = list(task.dataset)
    task.data_loaded = True
    return task.filter_eval_splits(list(splits))


def _documents(dataset: Dataset | None) -> Any:
    from datasets import Dataset as Table
    from datasets import Features, Value

    found = [] if dataset is None else dataset.documents()
    rows = [{"id": row.doc_id, "title": row.title, "text": row.text} for row in found]
    columns = {name: [row[name] for row in rows] for name in ("id", "title", "text")}
    return Table.from_dict(columns, Features(dict.fromkeys(columns, Value("string"))))


def _split(dataset: Dataset, split: str, documents: Any) -> Mapping[str, Any]:
    from datasets import Dataset as Table

    return {
        "corpus": documents,
        "queries": Table.from_list([{"id": key, "text": text} for key, text in dataset.queries(split).items()]),
        "relevant_docs": dataset.qrels(split),
        "top_ranked": None,
    }
