"""The fixed evaluation of a teacher in training: re-ranking a dev split's candidates."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from rankdistill.data import Dataset
from rankdistill.data.identical_ids import without_own
from rankdistill.errors import DataError

if TYPE_CHECKING:
    from sentence_transformers.cross_encoder.evaluation import CrossEncoderRerankingEvaluator

METRIC = "dev_ndcg@10"


def evaluator(dataset: Dataset, split: str, candidates: pl.DataFrame, limit: int) -> CrossEncoderRerankingEvaluator:
    """nDCG@10 (binary labels) of the candidates re-ranked, over the first `limit` query ids that have any.

    Positives that the candidates' source did not retrieve are left out of the ranking, and count as missed; those that
    the corpus lacks have no text to be known by, and do not count.
    """
    from sentence_transformers.cross_encoder.evaluation import CrossEncoderRerankingEvaluator

    queries, qrels, contents = dataset.queries(split), dataset.qrels(split), dataset.contents
    pairs = without_own(candidates, dataset.own_documents)
    retrieved = pairs.filter(pl.col("rank").is_not_null()).sort("query_id", "rank", "doc_id")
    samples: list[dict[str, object]] = []
    for (query_id,), rows in retrieved.group_by("query_id", maintain_order=True):
        if query_id in queries and len(samples) < limit:
            labels = qrels[str(query_id)].items()
            relevant = [contents[doc_id] for doc_id, label in labels if label > 0 and doc_id in contents]
            doc_ids = rows["doc_id"].unique(maintain_order=True).to_list()
            documents = [contents[doc_id] for doc_id in doc_ids]
            sample = {"query": queries[str(query_id)], "positive": relevant, "documents": documents}
            samples.append(sample | {"query_id": query_id, "doc_ids": doc_ids})  # these two are not the evaluator's
    return CrossEncoderRerankingEvaluator(
        samples, at_k=10, always_rerank_positives=False, name="dev", batch_size=64, write_csv=False
    )


def require_comparable(test: CrossEncoderRerankingEvaluator, split: str, candidates: Path) -> None:
    """Raise DataError where `test` has nothing to rank, or nothing that one ranking could put higher than another.

    Args:
        test: of `evaluator`.
        split: of the data.
        candidates: the folder that they lie in.
    """
    if any(document in sample["positive"] for sample in test.samples for document in sample["documents"]):
        return
    raise DataError(
        expected=f"candidates of queries of the split {split!r}, some of them relevant",
        got=f"{candidates}: "
        + (f"no relevant document for any of {len(test.samples):,}" if test.samples else "no query of that split"),
        consequence="nothing was trained: the teacher could not be compared with anything",
        remedy="mine deeper, or from another source"
        if test.samples
        else f"mine the candidates of that split (`mine --split {split}`), or name theirs as the dev split",
    )
