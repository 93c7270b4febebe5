"""What an alignment run reads, as content hashes."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from rankdistill import models
from rankdistill.manifest import digest
from rankdistill.students.prepare import STATIC
from rankdistill.training.alignment.dev_sets import Dev
from rankdistill.training.alignment.source import EmbeddingSource
from rankdistill.training.table_hash import hash_rows


def hashes(store: EmbeddingSource, student: str, dev: Sequence[Dev]) -> dict[str, str]:
    """Name -> content hash of all that a run reads. Texts and teacher decide the vectors, so these are not read.

    Raises:
        ModelReferenceError: the student is not to be found.
    """
    texts = pl.DataFrame(pl.from_arrow(store.texts().select(["kind", "source", "text"])))
    found = {
        "teacher": store.teacher_id,
        "space": store.space.fingerprint,
        "embeddings": digest({"texts": hash_rows(texts), "dtype": str(store.vectors().dtype)}),
        "student": STATIC if student == STATIC else models.resolve(student).weights_hash,
    }
    for one in dev:
        found |= {
            f"{one.name}/texts": one.dataset.fingerprint,
            f"{one.name}/qrels": one.dataset.qrels_hash(one.split),
        }
    return found
