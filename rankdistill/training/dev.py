"""The quick retrieval test that runs while a student trains: nDCG@10 on a sample of the dev split."""

from __future__ import annotations

import hashlib
import heapq
from typing import TYPE_CHECKING

from rankdistill.data import Dataset
from rankdistill.errors import DataError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator

NAME = "dev"


def evaluator(
    dataset: Dataset, split: str, max_queries: int, max_documents: int, batch_size: int = 64
) -> InformationRetrievalEvaluator:
    """Searches up to `max_queries` of the split's queries in their positives and a sample of the corpus.

    Queries and documents are those of the lowest hash, so the sample depends on nothing but the data. Every positive of
    a chosen query is in the pool, also where they alone exceed `max_documents`. Gains are binary (label above 0): the
    number is for choosing checkpoints, not for reporting.

    Raises:
        DataError: no query of the split has a relevant document.
    """
    from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator

    relevant = {
        query_id: {doc_id for doc_id, label in labels.items() if label > 0}
        for query_id, labels in dataset.qrels(split).items()
    }
    answerable = [query_id for query_id, doc_ids in relevant.items() if doc_ids]
    if not answerable:
        raise DataError(
            expected=f"queries with a relevant document in split {split!r}",
            got="none",
            consequence="nothing was trained: no checkpoint could be chosen",
            remedy="choose another dev split, or train without one",
        )
    chosen = heapq.nsmallest(max_queries, answerable, key=_hash)
    texts = dataset.queries(split)
    positives = set().union(*(relevant[query_id] for query_id in chosen))
    return InformationRetrievalEvaluator(
        queries={query_id: texts[query_id] for query_id in chosen},
        corpus=_pool(dataset, positives, max_documents),
        relevant_docs={query_id: relevant[query_id] for query_id in chosen},
        mrr_at_k=[10],
        ndcg_at_k=[10],
        accuracy_at_k=[10],
        precision_recall_at_k=[10],
        map_at_k=[10],
        batch_size=batch_size,
        name=NAME,
        write_csv=False,
    )


def metric(student: SentenceTransformer) -> str:
    """The evaluator's name of nDCG@10 for this student."""
    return f"{NAME}_{student.similarity_fn_name}_ndcg@10"


def _pool(dataset: Dataset, positives: set[str], max_documents: int) -> dict[str, str]:
    fill = max(0, max_documents - len(positives))
    others = (document for document in dataset.documents() if document.doc_id not in positives)
    sampled = {document.doc_id for document in heapq.nsmallest(fill, others, key=lambda one: _hash(one.doc_id))}
    wanted = positives | sampled
    return {document.doc_id: document.contents for document in dataset.documents() if document.doc_id in wanted}


def _hash(identifier: str) -> bytes:
    return hashlib.sha256(identifier.encode()).digest()
