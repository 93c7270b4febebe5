"""Candidates of several sources for training queries, scored by teachers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rankdistill import tables
from rankdistill.data import Dataset
from rankdistill.mining import candidates
from rankdistill.mining.source import Source
from rankdistill.mining.window import Window
from rankdistill.stores.reader import ScoreStore
from rankdistill.stores.writer import ScoreWriter
from rankdistill.teachers.base import PairTeacher


def mined(
    dataset: Dataset,
    sources: Sequence[Source],
    teachers: Sequence[PairTeacher],
    work: Path,
    queries: int,
    depth: int,
    sample: int,
    unit_size: int = 4096,
) -> ScoreStore:
    """The store of `queries` training queries with `sample` of each source's best `depth`; interrupted, it goes on.

    `unit_size` pairs are scored at a time: an embedding teacher encodes a document once in each of them.
    """
    candidates.build(
        work / "candidates", dataset, "train", sources, depth, window=Window(sample=sample), limit_queries=queries
    )
    for teacher in teachers:
        writer = ScoreWriter(
            work / "store",
            queries=dataset.queries(None),
            documents=dataset.contents,
            candidates=work / "candidates" / tables.CANDIDATES_FILE,
            teacher=teacher,
            dataset_fingerprint=dataset.fingerprint,
            unit_size=unit_size,
        )
        print(teacher.teacher_id, writer.run(), flush=True)
    return ScoreStore(work / "store")
