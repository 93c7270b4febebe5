"""Embedding one work unit of a plan into its shard: what each worker does, in this process or in another."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa

from rankdistill import locations
from rankdistill.errors import ConfigError, TeacherError
from rankdistill.progress import Progress
from rankdistill.stores import times
from rankdistill.stores.embeddings.layout import Layout, VectorType
from rankdistill.stores.embeddings.shards import write_shard
from rankdistill.stores.embeddings.text_files import KINDS
from rankdistill.stores.plan import Plan
from rankdistill.teachers.base import EmbeddingTeacher
from rankdistill.teachers.registry import TeacherSpec


@dataclass(frozen=True)
class ShardWorker:
    """Writes the shard of one unit after the other; the bytes of a shard depend only on the plan and the teacher.

    Args:
        layout: the store.
        plan: whose units are asked for.
        teacher: embeds the texts.
        dtype: of the stored vectors.
    """

    layout: Layout
    plan: Plan
    teacher: EmbeddingTeacher
    dtype: VectorType

    def __call__(self, number: int, progress: Progress) -> int:
        """Embed unit `number`, unless its shard is there; the number of texts that were embedded.

        Raises:
            TeacherError: the teacher gave NaN, infinity, numbers too large for `dtype`, or vectors of another shape.
            OutputError: the disk is full or read-only.
        """
        shard = self.plan.shard(self.layout.vectors, number)
        if locations.is_file(shard):
            progress(self.plan.items([number]))
            return 0
        unit = self.plan.unit(number)
        started = times.now()
        vectors, truncated = self._embed(unit, progress)
        keep = partial(times.keep, self.layout.plan, shard, times.now() - started)
        write_shard(shard, unit, vectors, truncated, self.dtype, keep)
        return len(unit)

    def _embed(self, unit: pa.Table, progress: Progress) -> tuple[np.ndarray, np.ndarray]:
        """The vectors `[n, dimension]` of a unit's texts, and bool[n], which of them the teacher read in part."""
        kinds, texts = np.array(unit["kind"].to_pylist()), unit["text"].to_pylist()
        vectors = np.empty((len(texts), self.teacher.space.dimension), self.dtype)
        truncated = np.zeros(len(texts), dtype=bool)
        for kind in KINDS:
            rows = np.flatnonzero(kinds == kind)
            if not len(rows):
                continue
            chosen = [texts[row] for row in rows]
            found = self.teacher.embed(chosen, kind, progress)
            vectors[rows] = stored_form(found, chosen, self.teacher, self.dtype)
            truncated[rows] = self.teacher.is_cut(chosen, kind)
        return vectors, truncated


def stored_form(vectors: np.ndarray, texts: list[str], teacher: EmbeddingTeacher, dtype: VectorType) -> np.ndarray:
    """`vectors` in the number format `dtype`.

    Raises:
        TeacherError: another shape than `[len(texts), dimension]`; NaN, infinite, or too large for `dtype`.
    """
    wanted = (len(texts), teacher.space.dimension)
    if vectors.shape != wanted:
        raise TeacherError(
            expected=f"vectors of shape {list(wanted)}, one a text",
            got=f"teacher {teacher.teacher_id} gave {list(vectors.shape)}",
            consequence="none of them was kept",
            remedy="use a teacher that gives one vector a text",
        )
    with np.errstate(over="ignore"):
        found = vectors.astype(dtype)
    bad = np.flatnonzero(~np.isfinite(found).all(axis=1))
    if len(bad):
        too_large = bool(np.isfinite(vectors[bad]).all())
        raise TeacherError(
            expected=f"finite embeddings{f' below {np.finfo(dtype).max:g}, the largest {dtype}' if too_large else ''}",
            got=f"teacher {teacher.teacher_id}: {len(bad)} of {len(texts)} are not, as that of {texts[bad[0]][:60]!r}",
            consequence="none of these vectors was kept: training on them would fail silently",
            remedy="store float32: --dtype float32" if too_large else "look at these texts and the teacher's weights",
        )
    return found


@dataclass(frozen=True)
class DetachedWork:
    """Makes a `ShardWorker` anywhere the store can be reached: the texts come from the plan. Picklable.

    Args:
        layout: the store.
        plan: whose units are asked for.
        spec: the teacher, which each worker loads for itself.
        teacher_id: what it must turn out to be.
        dtype: of the stored vectors.
    """

    layout: Layout
    plan: Plan
    spec: TeacherSpec
    teacher_id: str
    dtype: VectorType

    def __call__(self) -> ShardWorker:
        """Load the teacher; raises TeacherError if it is another one on this machine."""
        teacher = require_embedding(self.spec.load())
        if teacher.teacher_id != self.teacher_id:
            raise TeacherError(
                expected=f"every worker to load the teacher {self.teacher_id}",
                got=f"{teacher.teacher_id} on a worker: its back end, dtype or weights differ there",
                consequence="this worker embedded nothing; finished shards are kept",
                remedy="give --backend, the same model and the same library versions on every machine",
            )
        return ShardWorker(self.layout, self.plan, teacher, self.dtype)


def require_embedding(teacher: object) -> EmbeddingTeacher:
    """`teacher`, if it embeds single texts; else ConfigError."""
    if isinstance(teacher, EmbeddingTeacher):
        return teacher
    raise ConfigError(
        expected="a teacher that embeds single texts into one vector each",
        got=f"a {type(teacher).__name__}, which scores pairs",
        consequence="nothing was embedded",
        remedy="give a dense sentence-transformers model; `rankdistill score` takes the others",
    )
