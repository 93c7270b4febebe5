"""`score`: a teacher's scores of mined candidates, into a store."""

from __future__ import annotations

import time
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any, overload

from rankdistill import executors, manifest, tables
from rankdistill.errors import ConfigError
from rankdistill.executors.base import Executor
from rankdistill.inference.fidelity import LEAST
from rankdistill.mining.candidates import ARTEFACT as CANDIDATES
from rankdistill.notes import note, tell
from rankdistill.progress import ProgressLike, Reporter, reporter_of
from rankdistill.stores.calibration import calibration_pairs
from rankdistill.stores.fidelity import FidelityCheck, of_record, read_fidelity
from rankdistill.stores.layout import Layout
from rankdistill.stores.reader import ScoreStore
from rankdistill.stores.runs import StoreRun
from rankdistill.stores.shares import Share, parse_share
from rankdistill.stores.writer import LOCK_WAIT, Missing, ScoreWriter
from rankdistill.teachers.base import MeteredTeacher, PairTeacher, teacher_id
from rankdistill.teachers.registry import specify
from rankdistill.teachers.settling import settle
from rankdistill.verbs.arguments import (
    Data,
    Place,
    Teacher,
    collection_of,
    note_without_effect,
    place_of,
    require_range,
    teacher_of,
)
from rankdistill.verbs.contract import verb_with_stores
from rankdistill.verbs.lengths import note_longer


@overload
def score(
    data: Data,
    teacher: Teacher | PairTeacher,
    candidates: Place,
    out: Place,
    *,
    name: str | None = None,
    kind: str = "auto",
    backend: str = "auto",
    max_length: int | None = None,
    unit_size: int | None = None,
    executor: str = "local",
    workers: int | None = None,
    lock_wait: float = LOCK_WAIT,
    min_fidelity: float = LEAST,
    lenient: bool = False,
    progress: ProgressLike = False,
    command: str = "",
) -> ScoreStore: ...
@overload
def score(
    data: Data,
    teacher: Teacher | PairTeacher,
    candidates: Place,
    out: Place,
    *,
    shard: str,
    **settings: Any,
) -> ScoreStore | StoreRun: ...
@verb_with_stores("out", "candidates")  # type: ignore[misc]  # the overloads name only what decides the result; a test compares the first with it
def score(
    data: Data,
    teacher: Teacher | PairTeacher,
    candidates: Place,
    out: Place,
    *,
    name: str | None = None,
    kind: str = "auto",
    backend: str = "auto",
    max_length: int | None = None,
    unit_size: int | None = None,
    executor: str = "local",
    workers: int | None = None,
    shard: str = "1/1",
    lock_wait: float = LOCK_WAIT,
    min_fidelity: float = LEAST,
    lenient: bool = False,
    progress: ProgressLike = False,
    command: str = "",
) -> ScoreStore | StoreRun:
    """Score each unique (query, document) pair once. Interrupt it at will: the same call goes on from there.

    Args:
        data: the collection that the candidates were mined in.
        teacher: a model reference, a taught teacher, a YAML file with `kind` and that kind's settings, or these
            settings as a mapping; or an object that scores pairs, see `rankdistill.teachers.base.PairTeacher`, which
            the executor `local` alone can run.
        candidates: what `mine` made; or a score store, whose candidates another teacher scores too.
        out: store to add the scores to, also `s3://...`; created if absent.
        name: what to call the teacher in the store, for `teacher` of other verbs; its model's name does as well.
        kind: kind of teacher; `auto` looks into the model. As the next two, without effect on a teacher with settings.
        backend: what runs the model; `auto` is mostly the fastest exact one, `fast` the fastest measured here of those
            that rank as float32 does. A store goes on with the one that it was begun with.
        max_length: tokens of a pair; the teacher's own unless given.
        unit_size: pairs a shard: what a kill can cost; None: as many as take about half a minute, by the speed
            measured here, at most 8,192; that many where a teacher encodes texts by themselves or is paid by answer.
            More than 8,192 are taken of a teacher that encodes texts alone; of another it is as None.
        executor: who scores: `local`, this process, or `ray`.
        workers: of the executor `ray`; one a GPU or core unless given.
        shard: the share `i/n` of the work units to score, as one of n writers at the same store.
        lock_wait: seconds to wait for another writer that starts or finishes.
        min_fidelity: Spearman correlation with float32 that a back end in less precision must reach over sampled pairs
            before the run; 0: no check.
        lenient: leave bad rows of the data out instead of stopping.
        progress: True tells on standard error; or a function that takes the number of pairs just done.
        command: the command line, for the manifest.

    Returns:
        The store; its `run` says what this call did. Where other writers' shares are missing there is no finished store
        yet: then that `StoreRun` itself, whose `left` is above 0.

    Raises:
        ConfigError: no such kind, back end, executor or share, or settings that the teacher does not take; a store with
            several candidate tables.
        DataError: the collection or the candidates cannot be used.
        ModelReferenceError: there is no such model.
        BackendFidelityError: the back end ranks too differently from float32; nothing was written.
        TeacherError: the teacher gave NaN, infinity, or a wrong number of scores; finished shards are kept.
        StaleOutputError: an id or teacher that the store holds has another text or fingerprint now.
        LockedError: another process writes the same share.
    """
    share, runner = parse_share(shard), executors.create(executor, workers)
    require_range(0, lock_wait=lock_wait)
    require_range(0, 1, min_fidelity=min_fidelity)
    writer = open_writer(
        data,
        teacher,
        candidates,
        out,
        kind=kind,
        backend=backend,
        max_length=max_length,
        unit_size=unit_size,
        lenient=lenient,
        lock_wait=lock_wait,
        min_fidelity=min_fidelity,
        name=name,
    )
    done = _run(writer, runner, share, reporter_of(progress), command)
    if done.left:
        return done
    store = ScoreStore(writer.layout.root)
    store.run = done
    return store


def open_writer(
    data: Data,
    teacher: Teacher | PairTeacher,
    candidates: Place,
    out: Place,
    *,
    kind: str,
    backend: str,
    max_length: int | None,
    unit_size: int | None,
    lenient: bool,
    lock_wait: float = 0.0,
    min_fidelity: float = 0.0,
    name: str | None = None,
) -> ScoreWriter:
    """The writer that `score` and `plan` mean, with the teacher loaded; see `score` for the arguments and errors."""
    from rankdistill.evaluation.measures import ndcg_at_10

    require_range(1, unit_size=unit_size)
    require_range(8, max_length=max_length)
    table, store = _table(place_of(candidates)), place_of(out)
    dataset = collection_of(data, lenient=lenient)
    queries, documents = dataset.queries(None), dataset.contents
    if isinstance(teacher, str | PathLike | Mapping):
        said = teacher_of(teacher, kind, backend, max_length)
        asked = specify(said, kind=kind, backend=backend, max_length=max_length)
        note_longer(asked.settings.get("model"), asked.settings.get("max_length"))
        held = set(Layout(store).teacher_ids())
        spec, scorer = settle(
            asked,
            lambda fingerprint: teacher_id(str(fingerprint["kind"]), fingerprint) in held,
            lambda: calibration_pairs(Layout(store), table, queries, documents),
        )
    else:
        note_without_effect(kind, backend, max_length)
        scorer, spec = teacher, None
    return ScoreWriter(
        store,
        queries=queries,
        documents=documents,
        candidates=table,
        teacher=scorer,
        dataset_fingerprint=dataset.fingerprint,
        unit_size=unit_size,
        spec=spec,
        lock_wait=lock_wait,
        fidelity=FidelityCheck(min_fidelity, ndcg_at_10),
        name=name,
    )


def _table(candidates: Path) -> Path:
    """The candidate table of `mine`, or the one that a store holds.

    Raises:
        ConfigError: a store that holds several.
        DataError: neither lies there.
    """
    held = Layout(candidates).candidate_tables()
    if len(held) > 1:
        raise ConfigError(
            expected="the candidates of one call of `mine`",
            got=f"the store {candidates} with {len(held)} candidate tables",
            consequence="nothing was scored: it is not clear which are meant",
            remedy="give the folder that `mine` wrote",
        )
    if held:
        return held[0]
    manifest.expect(candidates, CANDIDATES, "mine")
    return candidates / tables.CANDIDATES_FILE


def _run(writer: ScoreWriter, runner: Executor, share: Share, reporter: Reporter, command: str) -> StoreRun:
    teacher, folder, started = writer.teacher, writer.layout.root, time.perf_counter()
    with reporter.stage(f"scoring with {writer.called}", "pairs") as stage:

        def on_plan(missing: Missing) -> None:
            stage.expect(missing.share)
            if missing.missing < missing.wanted:
                tell(f"{missing.wanted - missing.missing:,} of {missing.wanted:,} pairs have a score already")

        try:
            done = writer.run(command=command, on_plan=on_plan, progress=stage, executor=runner, share=share)
        finally:
            if isinstance(teacher, MeteredTeacher) and not runner.remote:
                tell(teacher.spent())
    if (record := read_fidelity(writer.layout, teacher.teacher_id)) is not None:
        tell(f"{writer.called}: {of_record(record).shown}")
    if done.renamed:
        note(f"{writer.called} was called {done.renamed} before")
    seconds = time.perf_counter() - started
    return StoreRun(
        folder, teacher.teacher_id, "pairs", "scored", done.scored, done.reused, done.left, str(share), seconds
    )
