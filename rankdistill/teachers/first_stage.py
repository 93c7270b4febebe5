"""The order in which a list teacher meets the documents: by another teacher's scores, or by BM25 among them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rankdistill.mining.bm25 import Bm25
from rankdistill.teachers.base import PairTeacher


def bm25_order(query: str, documents: Sequence[str]) -> list[int]:
    """Places in `documents` by BM25, the best first; term statistics are those of `documents` alone.

    Documents that share no word with the query come last, in the order given.
    """
    found, _ = Bm25({str(place): text for place, text in enumerate(documents)}).retrieve([query], len(documents))
    best = [int(place) for place in found[0]]
    rest = sorted(set(range(len(documents))) - set(best))
    return [*best, *rest]


def teacher_order(teacher: PairTeacher, query: str, documents: Sequence[str]) -> list[int]:
    """Places in `documents` by the scores of `teacher`, the best first; equal ones in the order given."""
    scores = teacher.score([(query, document) for document in documents])
    return [int(place) for place in np.argsort(-scores, kind="stable")]
