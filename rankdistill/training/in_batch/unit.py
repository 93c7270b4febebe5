"""From the in-batch teacher's unit to that of the teacher whose scores are stored."""

from __future__ import annotations

import numpy as np

from rankdistill.errors import ConfigError
from rankdistill.training.columns import QUERY, documents_of
from rankdistill.training.in_batch.teacher import InBatchTeacher
from rankdistill.training.rows import TrainingRows

UNIT_ROWS = 1000
ROWS_AT_ONCE = 16
"""Rows whose own margins both teachers are compared by, and how many at a time."""


def in_batch_unit(teacher: InBatchTeacher, rows: TrainingRows) -> float:
    """Standard deviation of the stored margins over that of the in-batch teacher's, of the first rows' own pairs.

    The student's scores are scaled to the stored scores' unit, a cross-encoder's logits for instance; times this number
    the in-batch teacher's, cosines for instance, are in that unit too. It is 1, to rounding, where both are the same.

    Args:
        teacher: knows the texts of these rows.
        rows: of the run, in their seeded order.

    Raises:
        ConfigError: one of the two is zero: all margins are equal.
    """
    count = min(UNIT_ROWS, len(rows))
    margins = []
    for start in range(0, count, ROWS_AT_ONCE):
        some = [rows[index] for index in range(start, min(start + ROWS_AT_ONCE, count))]
        blocks = teacher.scores([row[QUERY] for row in some], documents_of(some)).reshape(len(some), len(some), -1)
        own = blocks[np.arange(len(some)), np.arange(len(some))].astype(np.float64)
        margins.append(own[:, :1] - own[:, 1:])
    stored = rows.scores[:count].astype(np.float64)
    ours, theirs = float((stored[:, :1] - stored[:, 1:]).std()), float(np.concatenate(margins).std())
    if not (ours > 0 and theirs > 0):
        raise ConfigError(
            expected="margins of the stored scores and of the in-batch teacher that differ from row to row",
            got=f"standard deviations: stored {ours}, in-batch teacher {theirs}",
            consequence="nothing was trained: the one's scores cannot be brought to the other's unit",
            remedy="check both, or leave in_batch_teacher out",
        )
    return ours / theirs
