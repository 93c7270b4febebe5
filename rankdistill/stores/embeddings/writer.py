"""Embedding into a store, by one writer or by several at once: register, embed unit by unit, write the manifest last.

The store's lock is held only to register and to finish, as in the score store; a unit's shard has a name and bytes that
depend on its content alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from rankdistill import files, manifest
from rankdistill.errors import ConfigError
from rankdistill.executors.base import Executor, MakeWorker
from rankdistill.executors.local import LocalExecutor
from rankdistill.progress import Progress
from rankdistill.stores.broken import remove_all_broken, remove_broken_of
from rankdistill.stores.embeddings.calibration import keep_calibration
from rankdistill.stores.embeddings.fidelity import FidelityCheck, keep_fidelity
from rankdistill.stores.embeddings.finishing import finish
from rankdistill.stores.embeddings.gathering import Gathered
from rankdistill.stores.embeddings.layout import ARTEFACT, Layout, VectorType
from rankdistill.stores.embeddings.planning import asked_for, count_missing, first_missing, make_plan
from rankdistill.stores.embeddings.teacher_file import called, describe_teacher, keep_teacher, require_teacher
from rankdistill.stores.embeddings.text_files import KINDS
from rankdistill.stores.embeddings.work import DetachedWork, ShardWorker
from rankdistill.stores.made_again import vouch_for_planned
from rankdistill.stores.naming import keep_names, require_name
from rankdistill.stores.plan import Plan, is_begun
from rankdistill.stores.shares import WHOLE, Share, taken
from rankdistill.stores.unit_size import MEASURED, UNIT_SIZE, UNMEASURED, measured_size
from rankdistill.stores.writer import LOCK_WAIT, Missing
from rankdistill.teachers.base import EmbeddingTeacher
from rankdistill.teachers.names import beside
from rankdistill.teachers.registry import TeacherSpec


@dataclass(frozen=True)
class Embedded:
    """What a run did: `embedded` texts in this run, `reused` found; `left` units are others' to do.

    `renamed` is what the teacher was called before, where this run gave it another name.
    """

    embedded: int
    reused: int
    left: int = 0
    renamed: str | None = None


class EmbeddingWriter:
    """Adds the vectors of gathered texts to the store in `root`.

    Args:
        root: folder of the store; created if absent; for an object store, what `locations.location` gives.
        gathered: the texts, as `gathering.gather` gives them.
        teacher: embeds them.
        dtype: number format of the stored vectors.
        unit_size: texts a shard; None: as many as take about half a minute, at most `UNIT_SIZE`.
        spec: how `teacher` was loaded; executors with workers in other processes need it, and calibration texts in it
            are kept in the store.
        lock_wait: seconds to wait for another writer that registers or finishes.
        fidelity: what is asked of a teacher that does not compute in float32, before anything is embedded.
        name: what its user calls the teacher in this store, in place of an earlier name; None keeps that.

    Raises:
        ConfigError: the teacher carries prompts, but none for queries or documents; or a name that could not be typed
            again.
    """

    def __init__(
        self,
        root: Path,
        gathered: Gathered,
        teacher: EmbeddingTeacher,
        *,
        dtype: VectorType = "float32",
        unit_size: int | None = None,
        spec: TeacherSpec | None = None,
        lock_wait: float = LOCK_WAIT,
        fidelity: FidelityCheck = FidelityCheck(),  # noqa: B008 - immutable
        name: str | None = None,
    ) -> None:
        require_name(name)
        self.layout, self.gathered, self.teacher, self.dtype = Layout(root), gathered, teacher, dtype
        self.unit_size, self.spec, self.lock_wait, self.fidelity = unit_size, spec, lock_wait, fidelity
        self.name = name
        self.described = describe_teacher(teacher, dtype)

    @property
    def called(self) -> str:
        """The teacher's name with its id, as lines show it: the name given now or in the store, else the model's."""
        found = called(self.layout, self.described)
        return beside(self.name or found.name, found.teacher_id)

    def plan(self) -> Missing:
        """Count the texts without a vector; writes nothing.

        Raises:
            StaleOutputError: the store holds vectors of another teacher, or is none.
        """
        self._require_same()
        wanted, missing = count_missing(self.layout, self.gathered, self.teacher.teacher_id)
        return Missing(wanted, missing, missing)

    @property
    def bytes_a_vector(self) -> int:
        """What a vector takes when it is not compressed."""
        return self.teacher.space.dimension * np.dtype(self.dtype).itemsize

    def sample_rate(self, count: int) -> float:
        """Texts a second of the teacher, measured on about `count` of them."""
        sample = self.gathered.sample(count)
        kinds, texts = sample["kind"].to_pylist(), sample["text"].to_pylist()
        lots = [[text for text, own in zip(texts, kinds, strict=True) if own == kind] for kind in KINDS]
        self.teacher.embed(texts[:8], KINDS[0])  # the first call loads and compiles
        started = time.perf_counter()
        for kind, lot in zip(KINDS, lots, strict=True):
            self.teacher.embed(lot, kind)
        return len(sample) / (time.perf_counter() - started)

    def run(
        self,
        *,
        command: str = "",
        on_plan: Callable[[Missing], None] | None = None,
        progress: Progress | None = None,
        executor: Executor | None = None,
        share: Share = WHOLE,
    ) -> Embedded:
        """Embed what is missing. Safe to kill at any instant; run it again to go on.

        Args:
            command: the command line, for the manifest.
            on_plan: called once with the plan's counts, before anything is embedded.
            progress: called with the number of texts that were just finished.
            executor: who runs the work units; this process by default.
            share: which of them this writer takes; others may take the other shares at the same time.

        Raises:
            LockedError: another process writes the same share, or held the store's lock for too long.
            TeacherError: the teacher gave NaN, infinity, or numbers too large for `dtype`; finished shards are kept.
            BackendFidelityError: its back end gives vectors too far from float32's; nothing was written.
            OutputError: the disk is full or read-only; finished shards are kept.
            StaleOutputError: the store holds vectors of another teacher, or the folder holds no embedding store.
            ConfigError: the executor's workers live in other processes and no `spec` was given.
        """
        executor = executor or LocalExecutor()
        with self._begun(share, executor.remote) as (plan, renamed):
            units = share.of(plan.units)
            mine = plan.items(units)
            if on_plan:
                on_plan(Missing(plan.wanted, plan.missing, mine))
            embedded = executor.run(units, self._work(plan, executor.remote), progress)
        with files.exclusive(self.layout.root, self.lock_wait):
            left = finish(self.layout, plan, self.gathered, command)
        return Embedded(embedded, plan.wanted - plan.missing + mine - embedded, left, renamed)

    def _require_same(self) -> None:
        manifest.require_kind(self.layout.root, ARTEFACT)
        require_teacher(self.layout, self.described)

    @contextmanager
    def _begun(self, share: Share, remote: bool) -> Iterator[tuple[Plan, str | None]]:
        """The plan, with this writer's share of it taken, and what the teacher was called before if that changed.

        The store's lock is held only at the start.
        """
        layout = self.layout
        self._require_same()
        fidelity = self.fidelity.run(layout, self.teacher, self.gathered)
        if not is_begun(layout.plan, asked_for(self.gathered, self.unit_size)):
            remove_all_broken(layout.root, layout.vectors, layout.plan, self.lock_wait)
        unit_size = self.unit_size or self._measured_size(remote)
        with ExitStack() as held:
            with files.exclusive(layout.root, self.lock_wait):
                files.remove_temporaries(layout.root, keep_living=True)
                self._require_same()
                vouch_for_planned(layout.root, layout.plan, layout.vectors, manifest.read(layout.root))
                keep_teacher(layout, self.described)
                renamed = keep_names(layout.root, self.teacher.teacher_id, self.name)
                if self.spec is not None and (pairs := self.spec.settings.get("calibration")) is not None:
                    keep_calibration(layout, pairs)
                if fidelity is not None:
                    keep_fidelity(layout, fidelity)
                plan = make_plan(layout, self.gathered, self.teacher.teacher_id, self.unit_size, unit_size)
                held.enter_context(taken(layout.plan, share))
            remove_broken_of(layout.root, plan, layout.vectors, share.of(plan.units))
            yield plan, renamed

    def _measured_size(self, remote: bool) -> int:
        """Texts a work unit of a new plan; where one is taken up, or others do the work, nothing is measured."""
        if remote or is_begun(self.layout.plan, asked_for(self.gathered, None)):
            return UNIT_SIZE
        left = first_missing(self.layout, self.gathered, self.teacher.teacher_id, UNMEASURED)
        if len(left) <= UNMEASURED:
            return UNIT_SIZE
        texts = left.take(pa.array(range(0, len(left), max(1, len(left) // MEASURED)), pa.int64()))["text"].to_pylist()
        return measured_size(lambda count: self.teacher.embed(texts[:count], KINDS[0]), len(left), "texts")

    def _work(self, plan: Plan, remote: bool) -> MakeWorker:
        if not remote:
            return lambda: ShardWorker(self.layout, plan, self.teacher, self.dtype)
        if self.spec is None:
            raise ConfigError(
                expected="a teacher that other processes can load",
                got=f"the loaded teacher {self.teacher.teacher_id} alone",
                consequence="nothing was embedded",
                remedy="give `spec`, as `rankdistill.teachers.specify` makes it, or take the local executor",
            )
        return DetachedWork(self.layout, plan, self.spec, self.teacher.teacher_id, self.dtype)
