"""The check before a long run: a teacher on a back end that is not exact, against float32, on a few candidates."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rankdistill import integrity, plain_json
from rankdistill.inference.fidelity import LEAST, Fidelity, Measure, compare
from rankdistill.stores.layout import Layout
from rankdistill.stores.sampling import draw, texts_of
from rankdistill.teachers.base import ApproximateTeacher, PairTeacher

Record = dict[str, Any]
"""The figures of a `Fidelity`, and the content hash of the `candidates` that were sampled; JSON values."""

PAIRS = 256
"""Candidates that are scored twice."""

PAIRS_A_QUERY = 16
"""So many of one query, so that its ranking can be compared."""


@dataclass(frozen=True)
class FidelityCheck:
    """What is asked of a teacher that is not exact.

    Args:
        least: smallest Spearman correlation with float32 accepted; 0 leaves the check out.
        measure: judges rankings, where candidates have labels.
    """

    least: float = LEAST
    measure: Measure | None = None

    def run(
        self,
        layout: Layout,
        teacher: PairTeacher,
        candidates: Path,
        candidates_hash: str,
        queries: Mapping[str, str],
        documents: Mapping[str, str],
    ) -> Record | None:
        """Compare `teacher` with its exact form, unless the store holds the figures of that already. Writes nothing.

        Args:
            layout: the store.
            teacher: asked for scores of at most `PAIRS` pairs.
            candidates: the candidate table.
            candidates_hash: its content hash.
            queries: query id -> text.
            documents: document id -> text.

        Returns:
            What `keep_fidelity` takes; None for a teacher that is exact.

        Raises:
            BackendFidelityError: the scores are too far from float32's.
            DataError: the candidates name ids that the data set lacks.
        """
        exact = teacher.exact() if self.least and isinstance(teacher, ApproximateTeacher) else None
        if exact is None:
            return None
        record = read_fidelity(layout, teacher.teacher_id)
        if record is None or record["candidates"] != candidates_hash:
            sample = draw(candidates, PAIRS, PAIRS_A_QUERY)
            texts = texts_of(sample, queries, documents)
            found = compare(sample, exact().score(texts), teacher.score(texts), self.measure)
            record = {"candidates": candidates_hash, **found.record}
        of_record(record).require(self.least, teacher.teacher_id)
        return record


def of_record(record: Record) -> Fidelity:
    """The figures of a record."""
    return Fidelity(**{name: value for name, value in record.items() if name != "candidates"})


def keep_fidelity(layout: Layout, teacher_id: str, record: Record) -> None:
    """Put the figures into the store; idempotent. Call it while holding the store's lock."""
    text = json.dumps(record, indent=1, sort_keys=True) + "\n"
    with integrity.replacing(layout.fidelity(teacher_id), layout.root) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_fidelity(layout: Layout, teacher_id: str) -> Record | None:
    """The figures that the store holds for a teacher, if any."""
    path = layout.fidelity(teacher_id)
    return plain_json.read(integrity.require(path)) if integrity.is_there(path, layout.root) else None
