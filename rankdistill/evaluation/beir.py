"""The same run evaluated through beir."""

from __future__ import annotations

from rankdistill._extras import require
from rankdistill.evaluation.measures import Qrels, Run, ranked


def evaluate_through_beir(run: Run, qrels: Qrels, ignore_identical_ids: bool = False) -> dict[str, float]:
    """The means as beir's `EvaluateRetrieval` computes them (rounded to 5 digits).

    beir averages over the queries that the run answers: here the run answers all queries of `qrels`, some of them with
    nothing.

    Args:
        run: the system's.
        qrels: query_id -> doc_id -> label.
        ignore_identical_ids: let beir remove documents whose id equals the query's, which is its own default.

    Raises:
        MissingDependencyError: beir is not installed.
    """
    evaluation = require("beir.retrieval.evaluation", "evaluation through beir").EvaluateRetrieval
    order = ranked(run)
    complete = {query_id: order.get(query_id, {}) for query_id in qrels}
    labels = {query_id: dict(judged) for query_id, judged in qrels.items()}
    ndcg, mean_precision, recall, _ = evaluation.evaluate(
        labels, complete, [10, 100], ignore_identical_ids=ignore_identical_ids
    )
    reciprocal_rank = evaluation.evaluate_custom(labels, complete, [10], metric="mrr")
    return {
        "ndcg_at_10": ndcg["NDCG@10"],
        "recall_at_100": recall["Recall@100"],
        "mrr_at_10": reciprocal_rank["MRR@10"],
        "map_at_100": mean_precision["MAP@100"],
    }
