"""A counting, deterministic teacher and candidate tables to score with it."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from rankdistill import tables
from rankdistill.stores.writer import ScoreWriter
from rankdistill.teachers import TeacherSpec

QUERIES = {f"q{number:03d}": f"query {number}" for number in range(30)}
DOCUMENTS = {f"d{number:03d}": f"document {number}" for number in range(50)}


class HashTeacher:
    """Scores a pair by a checksum of its two texts and remembers which pairs it was given."""

    score_kind = "logit"

    def __init__(self, name: str = "hash", wrong: float | None = None, fail_after: int | None = None) -> None:
        self.teacher_id, self.fingerprint = f"{name}-0", {"name": name}
        self.seen: list[tuple[str, str]] = []
        self.wrong, self.fail_after = wrong, fail_after

    def score(self, pairs: Sequence[tuple[str, str]], progress: Callable[[int], object] | None = None) -> np.ndarray:
        if self.fail_after is not None and len(self.seen) >= self.fail_after:
            raise KeyboardInterrupt
        self.seen += pairs
        scores = np.array([expected_score(*pair) for pair in pairs], np.float32)
        if self.wrong is not None:
            scores[-1] = self.wrong
        if progress:
            progress(len(pairs))
        return scores


def expected_score(query: str, document: str) -> float:
    return zlib.crc32(f"{query}|{document}".encode()) / 2**32 * 20 - 10


@pytest.fixture
def candidates(tmp_path: Path) -> Path:
    """Thirty queries with ten documents each from one source and five of those from a second."""
    rows = []
    for number, query_id in enumerate(QUERIES):
        doc_ids = [f"d{(number * 7 + step * 3) % 50:03d}" for step in range(10)]
        rows += [(query_id, doc_id, "bm25", rank, 1.0 / rank, None) for rank, doc_id in enumerate(doc_ids, 1)]
        rows += [(query_id, doc_id, "dense", rank, 0.5, 1) for rank, doc_id in enumerate(doc_ids[::2], 1)]
    path = tmp_path / "candidates.parquet"
    columns = [list(column) for column in zip(*rows, strict=True)]
    tables.write_parquet(path, pa.table(columns, schema=tables.CANDIDATES))
    return path


@pytest.fixture
def writer(tmp_path: Path, candidates: Path) -> Callable[..., ScoreWriter]:
    """Makes a writer into `store` with shards of 64 pairs."""

    def make(
        teacher: HashTeacher,
        store: str = "store",
        table: Path = candidates,
        documents: Mapping[str, str] = DOCUMENTS,
        unit_size: int = 64,
        lock_wait: float = 10.0,
        spec: TeacherSpec | None = None,
    ) -> ScoreWriter:
        return ScoreWriter(
            tmp_path / store,
            queries=QUERIES,
            documents=documents,
            candidates=table,
            teacher=teacher,
            dataset_fingerprint="f" * 64,
            unit_size=unit_size,
            lock_wait=lock_wait,
            spec=spec,
        )

    return make
