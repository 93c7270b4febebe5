"""`embed`: a teacher's vectors of query-like and document-like texts, into a store."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal, overload

from rankdistill import executors, files
from rankdistill.executors.base import Executor
from rankdistill.inference.fidelity import LEAST
from rankdistill.notes import note, tell
from rankdistill.progress import ProgressLike, Reporter, reporter_of
from rankdistill.stores.embeddings.asking import Asked
from rankdistill.stores.embeddings.gathering import Gathered, gather
from rankdistill.stores.embeddings.reader import EmbeddingStore
from rankdistill.stores.embeddings.sources import Sources
from rankdistill.stores.embeddings.status import truncation
from rankdistill.stores.embeddings.text_files import parse_text_file
from rankdistill.stores.embeddings.writer import EmbeddingWriter
from rankdistill.stores.runs import StoreRun
from rankdistill.stores.shares import Share, parse_share
from rankdistill.stores.unit_size import UNIT_SIZE, size_for
from rankdistill.stores.writer import LOCK_WAIT, Missing
from rankdistill.verbs.arguments import (
    Data,
    Place,
    Teacher,
    collections_of,
    listed,
    place_of,
    require_range,
    teacher_of,
)
from rankdistill.verbs.contract import verb_with_stores
from rankdistill.verbs.lengths import note_longer
from rankdistill.verbs.plan import SAMPLE, Plan, measured_rate


@overload
def embed(
    data: Data | Sequence[Data] | None,
    teacher: Teacher,
    out: Place,
    *,
    name: str | None = None,
    texts: Place | Sequence[Place] = (),
    query_split: str | None = None,
    titles: bool = True,
    sentences: bool = True,
    limit: int | None = None,
    document_limit: int | None = None,
    judged: Data | Sequence[Data] | None = None,
    query_prompt: str | None = None,
    document_prompt: str | None = None,
    dtype: str = "float32",
    backend: str = "auto",
    max_length: int | None = None,
    executor: str = "local",
    workers: int | None = None,
    unit_size: int | None = None,
    lenient: bool = False,
    lock_wait: float = LOCK_WAIT,
    min_fidelity: float = LEAST,
    progress: ProgressLike = False,
    command: str = "",
) -> EmbeddingStore: ...
@overload
def embed(
    data: Data | Sequence[Data] | None,
    teacher: Teacher,
    out: Place,
    *,
    plan: Literal[True],
    **settings: Any,
) -> Plan: ...
@overload
def embed(
    data: Data | Sequence[Data] | None,
    teacher: Teacher,
    out: Place,
    *,
    plan: bool,
    **settings: Any,
) -> EmbeddingStore | StoreRun | Plan: ...
@overload
def embed(
    data: Data | Sequence[Data] | None,
    teacher: Teacher,
    out: Place,
    *,
    shard: str,
    **settings: Any,
) -> EmbeddingStore | StoreRun: ...
@verb_with_stores("out")  # type: ignore[misc]  # the overloads name only what decides the result; a test compares the first with it
def embed(
    data: Data | Sequence[Data] | None,
    teacher: Teacher,
    out: Place,
    *,
    name: str | None = None,
    texts: Place | Sequence[Place] = (),
    query_split: str | None = None,
    titles: bool = True,
    sentences: bool = True,
    limit: int | None = None,
    document_limit: int | None = None,
    judged: Data | Sequence[Data] | None = None,
    query_prompt: str | None = None,
    document_prompt: str | None = None,
    dtype: str = "float32",
    backend: str = "auto",
    max_length: int | None = None,
    plan: bool = False,
    sample: int = SAMPLE,
    executor: str = "local",
    workers: int | None = None,
    shard: str = "1/1",
    unit_size: int | None = None,
    lenient: bool = False,
    lock_wait: float = LOCK_WAIT,
    min_fidelity: float = LEAST,
    progress: ProgressLike = False,
    command: str = "",
) -> EmbeddingStore | StoreRun | Plan:
    """Embed each distinct text once with a dense teacher. Interrupt it at will: the same call goes on from there.

    Test queries, those that another split than `query_split` judges, never get in.

    Args:
        data: a collection or several; their documents are document-like, titles, sentences and training queries
            query-like. None where `texts` are all there is.
        teacher: a dense model: its reference, a YAML file with `kind: embedding` and its settings, or these as a
            mapping.
        out: store to add to, also `s3://...`; created if absent.
        name: what to call the teacher in the store.
        texts: files of more texts: `query=FILE`, `document=FILE`, or FILE with kinds in it.
        query_split: split whose queries are embedded; `train`, where there is one, unless given.
        titles: whether titles are embedded, as query-like texts.
        sentences: whether sentences of documents are, likewise.
        limit: at most so many queries, titles, sentences and documents of each source, chosen by hash.
        document_limit: instead of `limit`, of the documents of each collection, which take the teacher far longer than
            sentences do; 0: none.
        judged: further collections, to be evaluated on: nothing is taken from them, and no text that says the same as
            one of their queries is embedded.
        query_prompt: instead of the teacher's own; `""` for none.
        document_prompt: likewise.
        dtype: number format of the vectors: `float32` or `float16`.
        backend: what runs the model; `auto` is a fast exact one, `fast` the fastest measured here of those that rank as
            float32 does; a store goes on with what it was begun with. Without effect on a teacher with settings.
        max_length: tokens of a text; the teacher's own unless given. Without effect on a teacher with settings.
        plan: count and measure only; nothing is written.
        sample: texts that `plan` embeds to measure the speed; 0: none.
        executor: who embeds: `local`, this process, or `ray`.
        workers: of the executor `ray`; one a GPU or core unless given.
        shard: the share `i/n` of the work units to embed, as one of n writers at the same store.
        unit_size: texts a shard: what a kill can cost; None: as many as take about half a minute, by the speed measured
            here, at most 8,192.
        lenient: leave bad rows of the data out instead of stopping.
        lock_wait: seconds to wait for another writer that starts or finishes.
        min_fidelity: mean cosine with float32 that a back end in less precision must reach over sampled texts before
            the run; 0: no check.
        progress: True tells on standard error; or a function that takes the number of texts just gathered or embedded.
        command: the command line, for the manifest.

    Returns:
        The store; its `run` says what this call did. Where other writers' shares are missing there is no finished store
        yet: then that `StoreRun` itself, whose `left` is above 0. With `plan`, the counts.

    Raises:
        DataError: a source is damaged, or there is nothing to embed.
        ConfigError: the teacher does not embed single texts, its prompts are not clear, or a setting has no such value.
        ModelReferenceError: there is no such model.
        BackendFidelityError: the back end gives vectors too far from float32's; nothing was written.
        StaleOutputError: `out` holds vectors of another teacher, or something else.
        LockedError: another process writes the same share.
    """
    require_range(0, lock_wait=lock_wait, sample=sample, document_limit=document_limit)
    require_range(0, 1, min_fidelity=min_fidelity)
    require_range(1, limit=limit, unit_size=unit_size)
    require_range(8, max_length=max_length)
    share, runner = parse_share(shard), executors.create(executor, workers)
    asked = Asked(
        teacher_of(teacher, backend=backend, max_length=max_length),
        backend=backend,
        max_length=max_length,
        prompts={"query": query_prompt, "document": document_prompt},
        dtype=dtype,
        unit_size=unit_size,
        lock_wait=lock_wait,
        min_fidelity=min_fidelity,
        name=name,
    )
    _note_longer(asked)
    sources = Sources(
        collections_of(data, lenient),
        [parse_text_file(os.fspath(words)) for words in listed(texts)],
        query_split,
        titles,
        sentences,
        collections_of(judged, lenient),
    )
    folder, reporter = place_of(out), reporter_of(progress)
    with _gathered(sources, limit, document_limit, reporter) as gathered:
        writer = asked.writer(folder, gathered)
        if plan:
            return _planned(writer, sample, reporter)
        done = _run(writer, runner, share, reporter, command)
    if done.left:
        return done
    for line in truncation(folder):
        note(line)
    store = EmbeddingStore(folder)
    store.run = done
    return store


def _note_longer(asked: Asked) -> None:
    settings = asked.teacher if isinstance(asked.teacher, Mapping) else {"model": asked.teacher}
    note_longer(settings.get("model"), settings.get("max_length", asked.max_length))


@contextmanager
def _gathered(
    sources: Sources, limit: int | None, document_limit: int | None, reporter: Reporter
) -> Iterator[Gathered]:
    """The texts, in a folder that goes; what was left out of them is told."""
    with files.temporary_folder() as folder:
        with reporter.stage("gathering", "texts") as stage:
            gathered = gather(sources, folder / "texts.parquet", limit, stage, document_limit)
        for line in gathered.report():
            tell(line)
        yield gathered


def _planned(writer: EmbeddingWriter, sample: int, reporter: Reporter) -> Plan:
    missing = writer.plan()
    rate = measured_rate(writer, sample, "texts", reporter) if missing.missing and sample else None
    return Plan(
        missing.wanted,
        missing.missing,
        writer.unit_size or (size_for(rate) if rate else UNIT_SIZE),
        "texts",
        rate,
        vector_bytes=writer.bytes_a_vector,
    )


def _run(writer: EmbeddingWriter, runner: Executor, share: Share, reporter: Reporter, command: str) -> StoreRun:
    teacher, started = writer.teacher.teacher_id, time.perf_counter()
    with reporter.stage(f"embedding with {writer.called}", "texts") as stage:

        def on_plan(missing: Missing) -> None:
            stage.expect(missing.share)
            if kept_out := len(writer.gathered) - missing.wanted:
                note(f"{kept_out:,} texts left out: they say the same as test queries of earlier runs into this store")
            if missing.missing < missing.wanted:
                tell(f"{missing.wanted - missing.missing:,} of {missing.wanted:,} texts have a vector already")

        done = writer.run(command=command, on_plan=on_plan, progress=stage, executor=runner, share=share)
    if done.renamed:
        note(f"{writer.called} was called {done.renamed} before")
    seconds = time.perf_counter() - started
    return StoreRun(
        writer.layout.root, teacher, "texts", "embedded", done.embedded, done.reused, done.left, str(share), seconds
    )
