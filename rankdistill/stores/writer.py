"""Scoring into a store, by one writer or by several at once: register, score unit by unit, write the manifest last.

The store's lock is held only to register and to finish. In between each writer scores its own share of the plan's work
units; a unit's shard has a name and bytes that depend on its content alone, so it does not matter who wrote it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from rankdistill import files, manifest, tables
from rankdistill.errors import ConfigError
from rankdistill.executors.base import Executor, MakeWorker
from rankdistill.executors.local import LocalExecutor
from rankdistill.progress import Progress
from rankdistill.stores.broken import remove_all_broken, remove_broken_of
from rankdistill.stores.calibration import keep_calibration
from rankdistill.stores.fidelity import FidelityCheck, keep_fidelity
from rankdistill.stores.finishing import finish
from rankdistill.stores.keys import text_hasher
from rankdistill.stores.layout import Layout
from rankdistill.stores.lookup import StoredTexts
from rankdistill.stores.made_again import vouch_for_planned
from rankdistill.stores.missing import asked_for, count_missing, first_missing, make_plan
from rankdistill.stores.naming import keep_names, require_free, require_name
from rankdistill.stores.plan import Plan, is_begun, marked
from rankdistill.stores.registering import named_ids, register, register_teacher
from rankdistill.stores.shares import WHOLE, Share, taken
from rankdistill.stores.texts import require_known
from rankdistill.stores.unit_size import MEASURED, UNIT_SIZE, UNMEASURED, is_exact, measured_size
from rankdistill.stores.work import DetachedWork, ShardWorker
from rankdistill.teachers import names
from rankdistill.teachers.base import AnsweringTeacher, MeteredTeacher, PairTeacher, encodes_texts, needs_whole_queries
from rankdistill.teachers.registry import TeacherSpec

LOCK_WAIT = 600.0
"""Seconds to wait for another writer that registers or finishes."""


@dataclass(frozen=True)
class Missing:
    """What a scoring run would do: `missing` of `wanted` unique pairs, of which `share` are this writer's."""

    wanted: int
    missing: int
    share: int


@dataclass(frozen=True)
class Scored:
    """What a scoring run did: `scored` pairs in this run, `reused` found; `left` units are others' to do.

    `renamed` is what the teacher was called before, where this run gave it another name.
    """

    scored: int
    reused: int
    left: int = 0
    renamed: str | None = None


class ScoreWriter:
    """Adds one teacher's scores of one candidate table to the store in `root`.

    Args:
        root: folder of the store; created if absent; for an object store, what `locations.location` gives.
        queries: query id -> text.
        documents: document id -> text.
        candidates: a candidate table (Parquet, schema `tables.CANDIDATES`, sorted by query_id).
        teacher: scores the pairs; its `teacher_id` names the folder of its shards.
        dataset_fingerprint: content hash of the data set, for the manifest.
        unit_size: pairs a shard; None: as many as take about half a minute, at most `UNIT_SIZE`, which it is where a
            teacher encodes a text once a shard, or keeps each answer as it comes. More than `UNIT_SIZE` are taken of
            the first alone; of another teacher it is as None.
        spec: how `teacher` was loaded; executors with workers in other processes need it, and calibration pairs in it
            are kept in the store.
        lock_wait: seconds to wait for another writer that registers or finishes.
        fidelity: what is asked of a teacher that does not compute in float32, before anything is scored.
        name: what its user calls the teacher in this store, in place of an earlier name; None keeps that.

        anew: files of the store that may get other bytes than its manifest has, as they are scored again.
        stored: the store's own texts, where they are at hand.

    Raises:
        ConfigError: a name that could not be typed again.
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
        unit_size: int | None = None,
        spec: TeacherSpec | None = None,
        lock_wait: float = LOCK_WAIT,
        fidelity: FidelityCheck = FidelityCheck(),  # noqa: B008 - immutable
        name: str | None = None,
        anew: frozenset[str] = frozenset(),
        stored: StoredTexts | None = None,
    ) -> None:
        require_name(name)
        tables.check_schema(candidates, tables.CANDIDATES)
        self.layout = Layout(root)
        self.queries, self.documents, self.teacher, self.spec = queries, documents, teacher, spec
        self.candidates, self.dataset_fingerprint, self.unit_size = candidates, dataset_fingerprint, unit_size
        self.candidates_hash = files.hash_file(candidates)
        self.hash_of = (text_hasher(queries.__getitem__), text_hasher(documents.__getitem__))
        self.lock_wait, self.fidelity, self.name, self.anew = lock_wait, fidelity, name, anew
        self.stored = stored

    @property
    def called(self) -> str:
        """The teacher's name with its id, as lines show it: the name given now or in the store, else the model's."""
        teacher_id = self.teacher.teacher_id
        held = names.called(self.layout.root, {teacher_id: self.teacher.fingerprint})[0]
        given = (self.name,) if self.name else held.given
        return names.beside(replace(held, given=given, model=held.model or self._model_name).name, teacher_id)

    @property
    def _model_name(self) -> str:
        return self.spec.model_name if self.spec is not None else ""

    def plan(self) -> Missing:
        """Count the missing pairs; writes nothing.

        Raises:
            DataError: the candidates name ids that the data set lacks, or are not sorted.
            StaleOutputError: the teacher ranks whole queries, and has ranked some candidates of one but not all.
        """
        query_ids, doc_ids = named_ids(self.candidates)
        require_known("query_id", query_ids, self.queries)
        require_known("doc_id", doc_ids, self.documents)
        teacher_id, whole = self.teacher.teacher_id, self._whole_queries
        wanted, missing = count_missing(self.layout, self.candidates, teacher_id, self.hash_of, whole)
        return Missing(wanted, missing, missing)

    def estimate(self, missing: Missing, pairs: int) -> Mapping[str, str] | None:
        """What a teacher that may cost money says of scoring `missing`, from the lengths of about `pairs` candidates.

        None for any other teacher, which `sample_rate` can measure.
        """
        if not isinstance(self.teacher, MeteredTeacher):
            return None
        queries = round(len(named_ids(self.candidates)[0]) * missing.missing / max(1, missing.wanted))
        return self.teacher.estimate(missing.missing, max(1, queries), self._sample(pairs))

    def sample_rate(self, pairs: int) -> float:
        """Pairs a second of the teacher, measured on about `pairs` candidates spread over the table."""
        sample = self._sample(pairs)
        self.teacher.score(sample[:8])  # the first call loads and compiles
        started = time.perf_counter()
        self.teacher.score(sample)
        return len(sample) / (time.perf_counter() - started)

    def _sample(self, pairs: int) -> list[tuple[str, str]]:
        """The texts of about `pairs` candidates, spread over the table."""
        found: list[pa.Table] = []
        with tables.open_parquet(self.candidates) as source:
            step, start = max(1, source.metadata.num_rows // pairs), 0
            for batch in source.iter_batches(columns=["query_id", "doc_id"]):
                rows = range(-start % step, len(batch), step)
                found.append(pa.Table.from_batches([batch]).take(pa.array(rows, pa.int64())))
                start += len(batch)
        return self._texts_of(pa.concat_tables(found).slice(0, pairs))

    def _texts_of(self, rows: pa.Table) -> list[tuple[str, str]]:
        """The texts of the pairs of ids in the first two columns."""
        return [
            (self.queries[query_id], self.documents[doc_id])
            for query_id, doc_id in zip(rows[0].to_pylist(), rows[1].to_pylist(), strict=True)
        ]

    def run(
        self,
        *,
        command: str = "",
        on_plan: Callable[[Missing], None] | None = None,
        progress: Progress | None = None,
        executor: Executor | None = None,
        share: Share = WHOLE,
    ) -> Scored:
        """Score what is missing. Safe to kill at any instant; run it again to go on.

        Args:
            command: the command line, for the manifest.
            on_plan: called once with the plan's counts, before anything is scored.
            progress: called with the number of pairs that were just finished.
            executor: who runs the work units; this process by default.
            share: which of them this writer takes; others may take the other shares at the same time.

        Raises:
            LockedError: another process writes the same share, or held the store's lock for too long.
            TeacherError: the teacher gave NaN, infinity, or a wrong number of scores; finished shards are kept.
            BackendFidelityError: its back end ranks too differently from float32; nothing was written.
            OutputError: the disk is full or read-only; finished shards are kept.
            StaleOutputError: an id or teacher that the store holds has another text or fingerprint now; another teacher
                in it has this one's name; or as `plan`.
            ConfigError: the executor's workers live in other processes and no `spec` was given.
        """
        executor = executor or LocalExecutor()
        with self._begun(share, executor.remote) as (plan, renamed):
            units = share.of(plan.units)
            mine = plan.items(units)
            if on_plan:
                on_plan(Missing(plan.wanted, plan.missing, mine))
            scored = executor.run(units, self._work(plan, executor.remote), progress)
        inputs = {
            f"dataset:{self.dataset_fingerprint[:16]}": self.dataset_fingerprint,
            f"candidates:{self.candidates_hash[:16]}": self.candidates_hash,
        }
        with files.exclusive(self.layout.root, self.lock_wait):
            left = finish(self.layout, self.teacher.teacher_id, plan, inputs, command, self.anew, self.stored)
        return Scored(scored, plan.wanted - plan.missing + mine - scored, left, renamed)

    @property
    def _whole_queries(self) -> bool:
        return needs_whole_queries(self.teacher)

    @contextmanager
    def _begun(self, share: Share, remote: bool) -> Iterator[tuple[Plan, str | None]]:
        """The plan, with this writer's share of it taken, and what the teacher was called before if that changed.

        The store's lock is held only at the start.
        """
        layout, teacher_id = self.layout, self.teacher.teacher_id
        self._require_free_name()  # before the fidelity is measured
        fidelity = self.fidelity.run(
            layout, self.teacher, self.candidates, self.candidates_hash, self.queries, self.documents
        )
        if not self._is_begun:
            remove_all_broken(layout.root, layout.scores(teacher_id), layout.plan(teacher_id), self.lock_wait)
        exact = is_exact(self.unit_size, encodes_texts(self.teacher))
        unit_size = self.unit_size if exact and self.unit_size else self._measured_size(remote)
        with ExitStack() as held:
            with files.exclusive(layout.root, self.lock_wait):
                files.remove_temporaries(layout.root, keep_living=True)
                earlier = manifest.read(layout.root)
                vouch_for_planned(layout.root, layout.plan(teacher_id), layout.scores(teacher_id), earlier)
                self._require_free_name()
                if self._whole_queries:
                    self.plan()  # what it refuses is refused before anything is written
                kept = register(layout, self.candidates, self.candidates_hash, self.queries, self.documents)
                with marked(layout.plan(teacher_id)):
                    register_teacher(layout, self.teacher)
                    renamed = keep_names(layout.root, teacher_id, self.name, self._model_name)
                    if self.spec is not None and (pairs := self.spec.settings.get("calibration")) is not None:
                        keep_calibration(layout, pairs)
                    if fidelity is not None:
                        keep_fidelity(layout, teacher_id, fidelity)
                    plan = make_plan(
                        layout, kept, teacher_id, self.hash_of, self.unit_size, unit_size, self._whole_queries
                    )
                held.enter_context(taken(layout.plan(teacher_id), share))
            remove_broken_of(layout.root, plan, layout.scores(teacher_id), share.of(plan.units))
            yield plan, renamed

    @property
    def _is_begun(self) -> bool:
        """Whether an unfinished plan for the same lies in the store."""
        asked = asked_for(self.layout.candidate_table(self.candidates_hash), self.unit_size)
        return is_begun(self.layout.plan(self.teacher.teacher_id), asked)

    def _measured_size(self, remote: bool) -> int:
        """Pairs a work unit of a new plan; where one is taken up, or others do the work, nothing is measured."""
        teacher, layout = self.teacher, self.layout
        paid = isinstance(teacher, MeteredTeacher | AnsweringTeacher)
        if remote or paid or encodes_texts(teacher) or self._is_begun:
            return UNIT_SIZE
        try:
            left = first_missing(layout, self.candidates, teacher.teacher_id, self.hash_of, UNMEASURED)
        except KeyError:  # ids without a text, which are told of when all of them are known
            return UNIT_SIZE
        if len(left) <= UNMEASURED:
            return UNIT_SIZE
        sample = self._texts_of(left.take(pa.array(range(0, len(left), max(1, len(left) // MEASURED)), pa.int64())))
        return measured_size(lambda count: teacher.score(sample[:count]), len(left), "pairs")

    def _require_free_name(self) -> None:
        """Raise StaleOutputError if the name given now, or a new teacher's own, is another teacher's here."""
        stated = self.teacher.fingerprint.get("name")
        is_new = self.teacher.teacher_id not in self.layout.teacher_ids()
        wanted = [name for name in (self.name, stated if is_new else None) if name]
        if wanted:
            require_free(self.layout, self.teacher.teacher_id, wanted)

    def _work(self, plan: Plan, remote: bool) -> MakeWorker:
        if not remote:
            return lambda: ShardWorker(self.layout, plan, self.teacher, self.queries, self.documents)
        if self.spec is None:
            raise ConfigError(
                expected="a teacher that other processes can load",
                got=f"the loaded teacher {self.teacher.teacher_id} alone",
                consequence="nothing was scored",
                remedy="give `spec`, as `rankdistill.teachers.specify` makes it, or take the local executor",
            )
        return DetachedWork(self.layout, plan, self.spec, self.teacher.teacher_id)
