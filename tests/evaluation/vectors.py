"""Random vectors of a small space: documents by a teacher, queries near their relevant documents."""

from __future__ import annotations

import numpy as np

from rankdistill.evaluation.embedded import Embedded, Pairing
from rankdistill.evaluation.measures import Qrels


def pairings(documents: int = 120, queries: int = 15, dimension: int = 24, seed: int = 3) -> tuple[Pairing, ...]:
    """Teacher, student and asymmetric; the student's vectors are the teacher's with noise."""
    rng = np.random.default_rng(seed)
    doc_ids = [f"d{number:03d}" for number in rng.permutation(documents)]
    query_ids = [f"q{number}" for number in range(queries)]
    by_teacher = rng.normal(size=(documents, dimension)).astype(np.float32)
    targets = by_teacher[:queries] + rng.normal(size=(queries, dimension), scale=0.8).astype(np.float32)
    by_student = by_teacher + rng.normal(size=by_teacher.shape, scale=0.3).astype(np.float32)
    queried = targets + rng.normal(size=targets.shape, scale=0.5).astype(np.float32)
    teacher, student = Embedded(doc_ids, by_teacher), Embedded(doc_ids, by_student)
    return (
        Pairing("teacher", Embedded(query_ids, targets), teacher),
        Pairing("student", Embedded(query_ids, queried), student),
        Pairing("asymmetric", Embedded(query_ids, queried), teacher),
    )


def qrels_of(pairing: Pairing, relevant: int = 3) -> Qrels:
    """Each query's own document and the next ones."""
    ids = pairing.documents.ids
    return {
        query_id: {ids[(number + more) % len(ids)]: relevant - more for more in range(relevant)}
        for number, query_id in enumerate(pairing.queries.ids)
    }
