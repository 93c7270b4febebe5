"""nDCG@10 of three pairs of towers on one sample: student and student, student and teacher, teacher and teacher."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rankdistill.mining.top_k import top_indices
from rankdistill.training.alignment.geometry import unit

if TYPE_CHECKING:
    from rankdistill.training.dev import Sample

DEPTH = 10

Vectors = NDArray[np.float32]
Encode = Callable[[Sequence[str], str], Vectors]
"""(texts, kind) -> float32[n, dim]."""


@dataclass(frozen=True)
class Triangle:
    """A dev sample with the teacher's vectors.

    Args:
        sample: queries, documents, judgements.
        queries: the teacher's vectors of the queries, float32[queries, dim].
        documents: the teacher's vectors of the documents, float32[documents, dim].
        similarity: `cosine` or `dot`.
    """

    sample: Sample
    queries: Vectors
    documents: Vectors
    similarity: str

    def teacher(self) -> float:
        """nDCG@10 of the teacher on both sides."""
        return self._ndcg(self.queries, self.documents)

    def student(self, encode: Encode) -> dict[str, float]:
        """`standard`: the student on both sides; `asymmetric`: its queries against the teacher's documents."""
        queries = encode(list(self.sample.queries.values()), "query")
        documents = encode(list(self.sample.documents.values()), "document")
        return {"standard": self._ndcg(queries, documents), "asymmetric": self._ndcg(queries, self.documents)}

    def _ndcg(self, queries: Vectors, documents: Vectors) -> float:
        """With the judged gains, over the documents of the sample; equal scores are ordered as trec_eval does."""
        from ir_measures import calc_aggregate, nDCG

        if self.similarity == "cosine":
            queries, documents = unit(queries), unit(documents)
        ids = list(self.sample.documents)
        run = {}
        for query_id, scores in zip(self.sample.queries, queries @ documents.T, strict=True):
            run[query_id] = {ids[place]: float(scores[place]) for place in top_indices(scores, DEPTH)}
        measure = nDCG @ DEPTH
        return float(calc_aggregate([measure], self.sample.qrels, run)[measure])
