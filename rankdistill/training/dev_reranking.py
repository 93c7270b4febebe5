"""The quick test of students that score pairs: nDCG@10 of BM25's first documents in their order, on a dev sample."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sentence_transformers.base.evaluation import BaseEvaluator

from rankdistill.data import Dataset
from rankdistill.mining.bm25 import Bm25
from rankdistill.training.dev import NAME, sample
from rankdistill.training.evaluation import Evaluation

DEPTH = 20
"""Documents a query."""


def reranking(
    dataset: Dataset,
    split: str,
    max_queries: int,
    max_documents: int,
    predictor: Callable[[Any], Any] = lambda model: model,
) -> Evaluation:
    """Re-ranks the first documents of BM25 for the queries of a `sample`; the positives among them count alone.

    Args:
        dataset: whose split it is.
        split: with qrels.
        max_queries: of the sample.
        max_documents: of the sample, as `dev.sample` has it.
        predictor: student -> what has the `predict` of a `CrossEncoder`.

    Raises:
        DataError: no query of the split has a relevant document.
    """
    from sentence_transformers.cross_encoder.evaluation import CrossEncoderRerankingEvaluator

    drawn = sample(dataset, split, max_queries, max_documents)
    found, _ = Bm25(drawn.documents).retrieve(list(drawn.queries.values()), DEPTH)
    samples = [
        {
            "query": text,
            "positive": [drawn.documents[doc_id] for doc_id in sorted(drawn.relevant(query_id))],
            "documents": [drawn.documents[doc_id] for doc_id in ids],
        }
        for (query_id, text), ids in zip(drawn.queries.items(), found, strict=True)
    ]
    evaluator = CrossEncoderRerankingEvaluator(
        samples, at_k=10, always_rerank_positives=False, name=NAME, write_csv=False
    )
    return Evaluation(_Test(evaluator, predictor), f"{NAME}_ndcg@10")


class _Test(BaseEvaluator):
    """`evaluator` on what `predictor` makes of a student."""

    def __init__(self, evaluator: BaseEvaluator, predictor: Callable[[Any], Any]) -> None:
        super().__init__()
        self.primary_metric = evaluator.primary_metric
        self._evaluator, self._predictor = evaluator, predictor

    def __call__(
        self, model: Any, output_path: str | None = None, epoch: int = -1, steps: int = -1
    ) -> dict[str, float]:
        """The measures by name."""
        found: dict[str, float] = self._evaluator(self._predictor(model), output_path, epoch, steps)
        return found
