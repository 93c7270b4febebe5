"""Batches that have the in-batch teacher's scores of each query with every document of the batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from rankdistill.training.batch import IN_BATCH_SCORES, TEACHER_DOCUMENTS, TEACHER_QUERIES, Collator
from rankdistill.training.columns import QUERY, documents_of, first_column
from rankdistill.training.in_batch.teacher import InBatchTeacher


@dataclass(frozen=True)
class InBatchCollator:
    """Adds to a batch what the in-batch teacher says of it, from vectors that it has: no model runs.

    The scores go with the first column, float32 [batch, batch * docs], row by row as in `Candidates`, in the unit of
    the teacher. Several processes see batches of their own.

    Args:
        collate: makes the batch.
        teacher: knows the texts of the run; None: no scores are asked for.
        vectors: a dense teacher that knows them, whose vectors of the queries [batch, dim] and documents
            [batch * docs, dim] go with it too; None: no vectors are asked for.
    """

    collate: Collator
    teacher: InBatchTeacher | None
    vectors: InBatchTeacher | None = None

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """The batch with `<first column>_in_batch_scores`, and `_teacher_queries`, `_teacher_documents`."""
        batch = self.collate(rows)
        queries, documents = [row[QUERY] for row in rows], documents_of(rows)
        found = {}
        if self.teacher is not None:
            found[IN_BATCH_SCORES] = self.teacher.scores(queries, documents)
        if self.vectors is not None:
            found[TEACHER_QUERIES] = self.vectors.vectors(queries, "query")
            found[TEACHER_DOCUMENTS] = self.vectors.vectors(documents, "document")
        first = first_column(batch)
        return batch | {first + name: torch.from_numpy(value) for name, value in found.items()}
