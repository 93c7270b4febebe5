"""Batches that know which of their documents are no negatives of which of their queries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from rankdistill.data.positives import Positives
from rankdistill.training.batch import LABELLED, Collator
from rankdistill.training.columns import QUERY, documents_of, first_column


@dataclass(frozen=True)
class LabellingCollator:
    """Adds to a batch which documents of all its rows are no negatives of which queries.

    They go with the first column, [batch, batch * docs], row by row as in `Candidates`; the objective takes them out.

    Args:
        collate: makes the batch.
        positives: by text.
    """

    collate: Collator
    positives: Positives

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """The batch with `<first column>_labelled`."""
        batch = self.collate(rows)
        known = self.positives.mask([row[QUERY] for row in rows], documents_of(rows))
        return batch | {first_column(batch) + LABELLED: torch.from_numpy(np.ascontiguousarray(known))}
