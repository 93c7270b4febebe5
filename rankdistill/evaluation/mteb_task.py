"""What mteb is given: a task over a local data set, and a searcher. Import this module only where mteb is installed."""

from __future__ import annotations

import re
from typing import Any

from datasets import Dataset as Table
from mteb.abstasks.retrieval import AbsTaskRetrieval
from mteb.abstasks.task_metadata import TaskMetadata
from mteb.models.model_meta import ModelMeta

from rankdistill.data import Dataset
from rankdistill.evaluation.measures import best_first
from rankdistill.evaluation.retrieve import Retriever, answer
from rankdistill.manifest import digest

CUTOFFS = (1, 3, 5, 10, 20, 100)


class RetrieverSearch:
    """One of our systems behind mteb's `SearchProtocol`. It has its documents already: `index` is told nothing new.

    Args:
        retriever: the system.
        dataset: whose documents it holds.
        name: what mteb files it under.
        revision: likewise.
    """

    def __init__(self, retriever: Retriever, dataset: Dataset, name: str, revision: str) -> None:
        self._retriever, self._dataset = retriever, dataset
        self.mteb_model_meta = ModelMeta.create_empty({"name": name, "revision": revision})

    def index(self, corpus: Table, **unused: Any) -> None:
        """Nothing: the system holds the documents of the same data set."""

    def search(self, queries: Table, *, top_k: int, **unused: Any) -> dict[str, dict[str, float]]:
        """The best `top_k` documents for each query; of equal scores in trec_eval's order, which mteb's MRR keeps."""
        texts = dict(zip(queries["id"], queries["text"], strict=True))
        run = answer(self._retriever, self._dataset, texts, top_k)
        return {query_id: dict(best_first(run.get(query_id, {}))) for query_id in texts}


def local_task(dataset: Dataset, split: str, depth: int) -> AbsTaskRetrieval:
    """A retrieval task over `dataset`; its revision hashes the content, and mteb asks systems for `depth` documents.

    It leaves out the document that has the query's own id where the data set does for every query; where it does for
    some, mteb has no such rule, and the system's answers have none of them.
    """
    content = [dataset.fingerprint, dataset.qrels_hash(split)]
    if left_out := dataset.left_out(split):
        content.append(f"{left_out} left out")

    class LocalTask(AbsTaskRetrieval):
        ignore_identical_ids = bool(dataset.ignore_identical_ids)
        metadata = TaskMetadata(
            name=re.sub(r"[^A-Za-z0-9_-]+", "-", dataset.name),
            description=f"The split {split} of a local BEIR folder",
            dataset={
                "path": f"local/{dataset.name}",
                "revision": digest(content)[:40],
            },
            type="Retrieval",
            eval_langs=["eng-Latn"],
            eval_splits=[split],
            main_score="ndcg_at_10",
        )
        k_values = tuple(sorted({*CUTOFFS, depth}))

        def load_data(self, num_proc: int | None = None, *, timer: Any = None, **unused: Any) -> None:
            documents = ({"id": row.doc_id, "title": row.title, "text": row.text} for row in dataset.documents())
            queries = [{"id": query_id, "text": text} for query_id, text in dataset.queries(split).items()]
            self.dataset = {
                "default": {
                    split: {
                        "corpus": Table.from_list(list(documents)),
                        "queries": Table.from_list(queries),
                        "relevant_docs": dataset.qrels(split),
                        "top_ranked": None,
                    }
                }
            }
            self.data_loaded = True

    return LocalTask()
