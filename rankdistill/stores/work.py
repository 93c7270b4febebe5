"""Scoring one work unit of a plan into its shard: what each worker does, in this process or in another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from rankdistill import locations, tables
from rankdistill.errors import TeacherError
from rankdistill.progress import Progress
from rankdistill.stores import times
from rankdistill.stores.answers import Answers, Replies, answers_folder, kept_scores
from rankdistill.stores.layout import Layout
from rankdistill.stores.lookup import StoredTexts
from rankdistill.stores.plan import Plan
from rankdistill.teachers.base import AnsweringTeacher, PairTeacher, ReplyingTeacher, check_scores
from rankdistill.teachers.registry import TeacherSpec


@dataclass(frozen=True)
class ShardWorker:
    """Writes the shard of one unit after the other; the bytes of a shard depend only on the plan and the teacher.

    Args:
        layout: the store.
        plan: whose units are asked for.
        teacher: scores the pairs.
        queries: query id -> text.
        documents: document id -> text.
    """

    layout: Layout
    plan: Plan
    teacher: PairTeacher
    queries: Mapping[str, str]
    documents: Mapping[str, str]

    def __call__(self, number: int, progress: Progress) -> int:
        """Score unit `number`, unless its shard is there; the number of pairs that were scored.

        Raises:
            TeacherError: the teacher gave NaN, infinity, or a wrong number of scores.
            OutputError: the disk is full or read-only.
        """
        teacher_id = self.teacher.teacher_id
        shard = self.plan.shard(self.layout.scores(teacher_id), number)
        if locations.is_file(shard):
            progress(self.plan.items([number]))
            return 0
        unit = self.plan.unit(number)
        kept_in = answers_folder(self.layout.root, teacher_id), self.plan.digests[number]
        started = times.now()
        scores = self._score(unit, kept_in, progress)
        seconds = times.now() - started
        teacher_ids = pa.array([teacher_id] * len(unit), pa.string())
        columns = [unit["query_id"], unit["doc_id"], teacher_ids, pa.array(scores), unit["key"]]
        keep = partial(times.keep, self.layout.plan(teacher_id), shard, seconds)
        tables.write_parquet(shard, pa.table(columns, schema=tables.SCORES), before=keep)
        kept_scores(*kept_in).forget()
        return len(unit)

    def _score(self, unit: pa.Table, kept_in: tuple[Path, str], progress: Progress) -> np.ndarray:
        """Float32 scores of the unit's rows; pairs with the same two texts are scored once.

        Args:
            unit: rows of the plan.
            kept_in: folder and unit of what was answered until now.
            progress: called with the pairs just done.
        """
        keys = unit.column("key").to_pylist()
        row_of: dict[bytes, int] = {}
        pairs: list[tuple[str, str]] = []
        query_ids, doc_ids = unit.column("query_id").to_pylist(), unit.column("doc_id").to_pylist()
        for key, query_id, doc_id in zip(keys, query_ids, doc_ids, strict=True):
            if key not in row_of:
                row_of[key] = len(pairs)
                pairs.append((self.queries[query_id], self.documents[doc_id]))
        if isinstance(self.teacher, AnsweringTeacher):
            given = self._answered(self.teacher, list(row_of), pairs, kept_scores(*kept_in), progress)
        elif isinstance(self.teacher, ReplyingTeacher):
            given = self.teacher.score_replied(pairs, Replies(*kept_in), progress)
        else:
            given = np.asarray(self.teacher.score(pairs, progress))
        scores = check_scores(self.teacher.teacher_id, pairs, given)
        scores = scores.astype(np.float32, copy=False)
        if len(keys) > len(pairs):
            progress(len(keys) - len(pairs))
        return scores[[row_of[key] for key in keys]]

    def _answered(
        self,
        teacher: AnsweringTeacher,
        keys: Sequence[bytes],
        pairs: Sequence[tuple[str, str]],
        kept: Answers[float],
        progress: Progress,
    ) -> np.ndarray:
        """The scores, of which those that were answered before are not asked for again."""
        known = kept.known()
        scores = np.array([known.get(key, np.nan) for key in keys], dtype=np.float32)
        left = np.flatnonzero(np.isnan(scores))
        if len(left) < len(pairs):
            progress(len(pairs) - len(left))
        for places, found in teacher.answers([pairs[row] for row in left.tolist()], progress):
            rows = left[list(places)]
            kept.add((keys[row], float(score)) for row, score in zip(rows, found, strict=True))
            scores[rows] = found
        return scores


@dataclass(frozen=True)
class DetachedWork:
    """Makes a `ShardWorker` anywhere the store can be reached: the texts come from the store. Picklable.

    Args:
        layout: the store.
        plan: whose units are asked for.
        spec: the teacher, which each worker loads for itself.
        teacher_id: what it must turn out to be.
    """

    layout: Layout
    plan: Plan
    spec: TeacherSpec
    teacher_id: str

    def __call__(self) -> ShardWorker:
        """Load teacher and texts; raises TeacherError if the teacher is another one on this machine."""
        teacher = self.spec.load()
        if teacher.teacher_id != self.teacher_id:
            raise TeacherError(
                expected=f"every worker to load the teacher {self.teacher_id}",
                got=f"{teacher.teacher_id} on a worker: its back end, dtype or weights differ there",
                consequence="this worker scored nothing; finished shards are kept",
                remedy="give --backend, the same model and the same library versions on every machine",
            )
        texts = StoredTexts(self.layout)
        return ShardWorker(self.layout, self.plan, teacher, texts.queries, texts.documents)
