"""The quick retrieval test that runs while a student trains: nDCG@10 on a sample of the dev split."""

from __future__ import annotations

import hashlib
import heapq
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rankdistill.data import Dataset
from rankdistill.errors import DataError
from rankdistill.training.evaluation import Evaluation

if TYPE_CHECKING:
    from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator


NAME = "dev"


@dataclass(frozen=True)
class Sample:
    """Some judged queries and the documents they are searched in.

    Args:
        queries: query id -> text.
        documents: document id -> title and text.
        qrels: query id -> document id -> label, of documents in the sample.
    """

    queries: dict[str, str]
    documents: dict[str, str]
    qrels: dict[str, dict[str, int]]

    def relevant(self, query_id: str) -> set[str]:
        """The documents with a label above 0."""
        return {doc_id for doc_id, label in self.qrels[query_id].items() if label > 0}


def sample(dataset: Dataset, split: str, max_queries: int, max_documents: int) -> Sample:
    """Up to `max_queries` of the split's queries with their positives and a sample of the corpus.

    Queries and documents are those of the lowest hash, so the sample depends on nothing but the data. Every positive of
    a chosen query that the corpus holds is in it, also where they alone exceed `max_documents`. A document that has the
    id of a chosen query and is left out of its rankings (`Dataset.own_documents`) is not, unless another one needs it.

    Raises:
        DataError: no query of the split has a relevant document.
    """
    qrels = dataset.qrels(split)
    relevant = {
        query_id: {doc_id for doc_id, label in labels.items() if label > 0 and doc_id in dataset.document_lines}
        - ({query_id} & dataset.own_documents)
        for query_id, labels in qrels.items()
    }
    answerable = [query_id for query_id, found in relevant.items() if found]
    if not answerable:
        raise DataError(
            expected=f"queries with a relevant document in split {split!r}",
            got="none",
            consequence="nothing was trained: no checkpoint could be chosen",
            remedy="choose another dev split, or train without one",
        )
    chosen = heapq.nsmallest(max_queries, answerable, key=_hash)
    positives = {doc_id for query_id in chosen for doc_id in relevant[query_id]}
    documents = _pool(dataset, positives, dataset.own_documents.intersection(chosen), max_documents)
    texts = dataset.queries(split)
    return Sample(
        queries={query_id: texts[query_id] for query_id in chosen},
        documents=documents,
        qrels={query_id: _within(qrels[query_id], documents) for query_id in chosen},
    )


def retrieval(model: Any, dataset: Dataset, split: str, max_queries: int, max_documents: int) -> Evaluation:
    """Searches a `sample` of the split exactly, as `model` compares.

    Gains are binary (label above 0): the number is for choosing checkpoints, not for reporting.

    Raises:
        DataError: no query of the split has a relevant document.
    """
    drawn = sample(dataset, split, max_queries, max_documents)
    evaluator = _evaluator_of(model)(
        queries=drawn.queries,
        corpus=drawn.documents,
        relevant_docs={query_id: drawn.relevant(query_id) for query_id in drawn.qrels},
        mrr_at_k=[10],
        ndcg_at_k=[10],
        accuracy_at_k=[10],
        precision_recall_at_k=[10],
        map_at_k=[10],
        batch_size=64,
        name=NAME,
        write_csv=False,
    )
    return Evaluation(evaluator, f"{NAME}_{model.similarity_fn_name}_ndcg@10", _sparsity_of(model))


def _evaluator_of(model: Any) -> type[InformationRetrievalEvaluator]:
    """The library's retrieval test of that kind of model."""
    from sentence_transformers import MultiVectorEncoder, SparseEncoder
    from sentence_transformers.multi_vector_encoder.evaluation import MultiVectorInformationRetrievalEvaluator
    from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator
    from sentence_transformers.sparse_encoder.evaluation import SparseInformationRetrievalEvaluator

    if isinstance(model, SparseEncoder):
        _use_up_notice()
        return SparseInformationRetrievalEvaluator
    if isinstance(model, MultiVectorEncoder):
        return MultiVectorInformationRetrievalEvaluator
    return InformationRetrievalEvaluator


def _use_up_notice() -> None:
    """Let torch say unheard, as it does once a process, that CSR tensors are in beta: the sparse test uses them."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.zeros(1, 1).to_sparse_csr()


def _sparsity_of(model: Any) -> dict[str, str]:
    """Name in the log -> the library's measure of how sparse the vectors of the test are; empty for dense ones."""
    from sentence_transformers import SparseEncoder

    if not isinstance(model, SparseEncoder):
        return {}
    return {
        "query_terms": f"{NAME}_query_active_dims",
        "document_terms": f"{NAME}_corpus_active_dims",
        "flops": f"{NAME}_avg_flops",
    }


def _pool(dataset: Dataset, positives: set[str], own: frozenset[str], max_documents: int) -> dict[str, str]:
    fill, kept_out = max(0, max_documents - len(positives)), positives | own
    others = (document for document in dataset.documents() if document.doc_id not in kept_out)
    sampled = {document.doc_id for document in heapq.nsmallest(fill, others, key=lambda one: _hash(one.doc_id))}
    wanted = positives | sampled
    return {document.doc_id: document.contents for document in dataset.documents() if document.doc_id in wanted}


def _within(labels: dict[str, int], documents: dict[str, str]) -> dict[str, int]:
    return {doc_id: label for doc_id, label in labels.items() if doc_id in documents}


def _hash(identifier: str) -> bytes:
    return hashlib.sha256(identifier.encode()).digest()
