"""Scoring into a store: plan, score unit by unit, write each shard atomically, write the manifest last."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from rankdistill import files, manifest, tables
from rankdistill.stores.keys import text_hasher, unit_digest
from rankdistill.stores.layout import ARTEFACT, Layout
from rankdistill.stores.plan import Plan, count_missing, discard_plan, make_plan
from rankdistill.stores.texts import add_texts, require_known
from rankdistill.teachers.base import PairTeacher, check_scores

UNIT_SIZE = 8192
"""Pairs a work unit: what a kill at the wrong instant costs."""

Progress = Callable[[int], None]


@dataclass(frozen=True)
class Missing:
    """What a scoring run would do: `missing` of `wanted` unique pairs."""

    wanted: int
    missing: int


@dataclass(frozen=True)
class Scored:
    """What a scoring run did: `scored` pairs in this run, `reused` found in the store."""

    scored: int
    reused: int


class ScoreWriter:
    """Adds one teacher's scores of one candidate table to the store in `root`.

    Args:
        root: folder of the store; created if absent.
        queries: query id -> text.
        documents: document id -> text.
        candidates: a candidate table (Parquet, schema `tables.CANDIDATES`, sorted by query_id).
        teacher: scores the pairs; its `teacher_id` names the folder of its shards.
        dataset_fingerprint: content hash of the data set, for the manifest.
        unit_size: pairs a shard.
    """

    def __init__(
        self,
        root: Path,
        *,
        queries: Mapping[str, str],
        documents: Mapping[str, str],
        candidates: Path,
        teacher: PairTeacher,
        dataset_fingerprint: str,
        unit_size: int = UNIT_SIZE,
    ) -> None:
        tables.check_schema(candidates, tables.CANDIDATES)
        self.layout = Layout(root)
        self.queries, self.documents, self.teacher = queries, documents, teacher
        self.candidates, self.dataset_fingerprint, self.unit_size = candidates, dataset_fingerprint, unit_size
        self.candidates_hash = files.hash_file(candidates)
        self.hash_of = (text_hasher(queries.__getitem__), text_hasher(documents.__getitem__))

    def plan(self) -> Missing:
        """Count the missing pairs; writes nothing.

        Raises:
            DataError: the candidates name ids that the data set lacks, or are not sorted.
        """
        query_ids, doc_ids = self._ids()
        require_known("query_id", query_ids, self.queries)
        require_known("doc_id", doc_ids, self.documents)
        return Missing(*count_missing(self.layout, self.candidates, self.teacher.teacher_id, self.hash_of))

    def sample_rate(self, pairs: int) -> float:
        """Pairs a second of the teacher, measured on about `pairs` candidates spread over the table."""
        with pq.ParquetFile(self.candidates) as source:
            table = source.read(columns=["query_id", "doc_id"])
        step = max(1, len(table) // pairs)
        rows = table.take(pa.array(range(0, len(table), step))).slice(0, pairs)
        sample = [
            (self.queries[query_id], self.documents[doc_id])
            for query_id, doc_id in zip(rows[0].to_pylist(), rows[1].to_pylist(), strict=True)
        ]
        self.teacher.score(sample[:8])  # the first call loads and compiles
        started = time.perf_counter()
        self.teacher.score(sample)
        return len(sample) / (time.perf_counter() - started)

    def run(
        self, *, command: str = "", on_plan: Callable[[Missing], None] | None = None, progress: Progress | None = None
    ) -> Scored:
        """Score what is missing. Safe to kill at any instant; run it again to go on.

        Args:
            command: the command line, for the manifest.
            on_plan: called once with the plan's counts, before anything is scored.
            progress: called with the number of pairs that were just finished.

        Raises:
            LockedError: another process is writing to this store.
            TeacherError: the teacher gave NaN, infinity, or a wrong number of scores; finished shards are kept.
            OutputError: the disk is full or read-only; finished shards are kept.
            StaleOutputError: an id that the store holds has another text now.
        """
        with files.exclusive(self.layout.root):
            files.remove_temporaries(self.layout.root)
            candidates = self._register()
            plan = make_plan(self.layout, candidates, self.teacher.teacher_id, self.hash_of, self.unit_size)
            if on_plan:
                on_plan(Missing(plan.wanted, plan.missing))
            scored = self._score(plan, progress)
            discard_plan(self.layout, self.teacher.teacher_id)
            self._write_manifest(command)
        return Scored(scored=scored, reused=plan.wanted - scored)

    def _ids(self) -> tuple[set[str], set[str]]:
        """The query and document ids that the candidates name."""
        query_ids: set[str] = set()
        doc_ids: set[str] = set()
        with pq.ParquetFile(self.candidates) as source:
            for batch in source.iter_batches(columns=["query_id", "doc_id"]):
                query_ids.update(batch.column(0).unique().to_pylist())
                doc_ids.update(batch.column(1).unique().to_pylist())
        return query_ids, doc_ids

    def _register(self) -> Path:
        """Put candidates, texts and the teacher's fingerprint into the store; idempotent."""
        query_ids, doc_ids = self._ids()
        add_texts(self.layout.queries, "query_id", query_ids, self.queries)
        add_texts(self.layout.documents, "doc_id", doc_ids, self.documents)
        kept = self.layout.candidates / f"{self.candidates_hash[:16]}.parquet"
        if not kept.is_file():
            with files.atomic_path(kept) as temporary:
                shutil.copyfile(self.candidates, temporary)
        fingerprint = json.dumps(dict(self.teacher.fingerprint), indent=1, sort_keys=True) + "\n"
        files.write_text(self.layout.teacher(self.teacher.teacher_id), fingerprint)
        return kept

    def _score(self, plan: Plan, progress: Progress | None) -> int:
        scored = 0
        for number in range(plan.units):
            unit = plan.unit(number)
            digest = unit_digest(unit.column("key").to_pylist())
            shard = self.layout.scores(self.teacher.teacher_id) / f"part-{number:06d}-{digest}.parquet"
            if shard.is_file():
                if progress:
                    progress(len(unit))
                continue
            scores = self._score_unit(unit, progress)
            teacher_ids = pa.array([self.teacher.teacher_id] * len(unit), pa.string())
            columns = [unit["query_id"], unit["doc_id"], teacher_ids, pa.array(scores), unit["key"]]
            tables.write_parquet(shard, pa.table(columns, schema=tables.SCORES))
            scored += len(unit)
        return scored

    def _score_unit(self, unit: pa.Table, progress: Progress | None) -> np.ndarray:
        """Float32 scores of the unit's rows; pairs with the same two texts are scored once."""
        keys = unit.column("key").to_pylist()
        row_of: dict[bytes, int] = {}
        pairs: list[tuple[str, str]] = []
        query_ids, doc_ids = unit.column("query_id").to_pylist(), unit.column("doc_id").to_pylist()
        for key, query_id, doc_id in zip(keys, query_ids, doc_ids, strict=True):
            if key not in row_of:
                row_of[key] = len(pairs)
                pairs.append((self.queries[query_id], self.documents[doc_id]))
        scores = check_scores(self.teacher.teacher_id, pairs, np.asarray(self.teacher.score(pairs, progress)))
        scores = scores.astype(np.float32, copy=False)
        if progress and len(keys) > len(pairs):
            progress(len(keys) - len(pairs))
        return scores[[row_of[key] for key in keys]]

    def _write_manifest(self, command: str) -> None:
        root = self.layout.root
        earlier = manifest.read(root)
        inputs = dict(earlier.inputs) if earlier else {}
        inputs |= {
            f"dataset:{self.dataset_fingerprint[:16]}": self.dataset_fingerprint,
            f"candidates:{self.candidates_hash[:16]}": self.candidates_hash,
        }
        teachers = {name: json.loads(self.layout.teacher(name).read_text()) for name in self.layout.teacher_ids()}
        written = {
            path.relative_to(root).as_posix(): files.hash_file(path)
            for path in sorted(root.rglob("*"))
            if path.is_file() and path.name not in {manifest.FILE_NAME, ".lock"}
        }
        manifest.Manifest(
            artefact=ARTEFACT,
            inputs=inputs,
            parameters={"unit_size": self.unit_size, "teachers": teachers},
            versions=manifest.versions_of("pyarrow", "torch", "transformers", "sentence-transformers"),
            command=command,
            outputs=written,
        ).write(root)
