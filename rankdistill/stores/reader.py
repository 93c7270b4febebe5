"""Reading a finished score store."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from rankdistill import manifest
from rankdistill.errors import StoreError
from rankdistill.stores.layout import ARTEFACT, Layout
from rankdistill.stores.texts import read_texts


class ScoreStore:
    """A finished store, read only.

    Args:
        path: its folder.

    Raises:
        DataError: the folder is absent, or scoring has not finished (no manifest).
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.layout = Layout(self.path)
        self.manifest = manifest.expect(self.path, ARTEFACT, "score")

    @property
    def identity(self) -> str:
        """Content hash of the store: the hash of its files' hashes."""
        return manifest.digest(self.manifest.outputs)

    @cached_property
    def teacher_ids(self) -> list[str]:
        """The teachers whose scores are here, sorted."""
        return self.layout.teacher_ids()

    def fingerprint(self, teacher_id: str) -> dict[str, Any]:
        """Everything that defines one teacher."""
        return json.loads(self.layout.teacher(self._known(teacher_id)).read_text())

    def scan(self, teacher_id: str | None = None) -> pl.LazyFrame:
        """One teacher's scores (query_id, doc_id, teacher_id, score, key), as a lazy frame.

        Args:
            teacher_id: whose; may be left out where the store holds one teacher.

        Raises:
            StoreError: no such teacher, several to choose from, or a shard is missing.
        """
        chosen = self._known(teacher_id)
        shards = self.layout.shards(chosen)
        listed = sum(name.startswith(f"scores/{chosen}/") for name in self.manifest.outputs)
        if len(shards) != listed:
            raise StoreError(
                expected=f"the {listed} shards of {chosen} that the manifest lists",
                got=f"{len(shards)} in {self.path}",
                consequence="nothing was read: scores would be missing silently",
                remedy="run the same `rankdistill score` again: it makes the missing ones",
            )
        return pl.scan_parquet(shards)

    def scores(self, teacher_id: str | None = None) -> pl.DataFrame:
        """One teacher's raw scores: query_id, doc_id, score (float32), sorted by query_id, doc_id."""
        return self.scan(teacher_id).select("query_id", "doc_id", "score").sort("query_id", "doc_id").collect()

    def count(self, teacher_id: str | None = None) -> int:
        """How many scores one teacher has here."""
        return int(self.scan(teacher_id).select(pl.len()).collect().item())

    def candidates(self) -> pl.DataFrame:
        """Every candidate row that was scored: the columns of `tables.CANDIDATES`, sorted."""
        rows = pl.read_parquet(sorted(self.layout.candidates.glob("*.parquet")))
        return rows.unique().sort("query_id", "source", "rank", "doc_id", nulls_last=True)

    def query_texts(self) -> dict[str, str]:
        """Query id -> text."""
        return read_texts(self.layout.queries)

    def document_texts(self) -> dict[str, str]:
        """Document id -> text (title and text, as the teacher read it)."""
        return read_texts(self.layout.documents)

    def _known(self, teacher_id: str | None) -> str:
        if teacher_id is None and len(self.teacher_ids) == 1:
            return self.teacher_ids[0]
        if teacher_id in self.teacher_ids and teacher_id is not None:
            return teacher_id
        raise StoreError(
            expected=f"one of the store's teachers: {', '.join(self.teacher_ids) or 'none'}",
            got="no choice among several" if teacher_id is None else repr(teacher_id),
            consequence="no score was read",
            remedy="name one of them",
        )
