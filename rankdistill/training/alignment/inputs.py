"""What an alignment run reads, as content hashes."""

from __future__ import annotations

from collections.abc import Sequence

from rankdistill import models
from rankdistill.students.prepare import STATIC
from rankdistill.training.alignment.dev_sets import Dev
from rankdistill.training.alignment.source import EmbeddingSource


def hashes(store: EmbeddingSource, student: str, dev: Sequence[Dev]) -> dict[str, str]:
    """Name -> content hash of all that a run reads.

    Raises:
        ModelReferenceError: the student is not to be found.
    """
    found = {
        "teacher": store.teacher_id,
        "embeddings": store.identity,
        "student": STATIC if student == STATIC else models.resolve(student).weights_hash,
    }
    for one in dev:
        found |= {
            f"{one.name}/texts": one.dataset.fingerprint,
            f"{one.name}/qrels": one.dataset.qrels_hash(one.split),
        }
        if left_out := one.dataset.left_out(one.split):
            found[f"{one.name}/own_documents"] = str(left_out)
    return found
