"""`rankdistill score`: teacher scores of mined candidates, into a store."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rankdistill.cli import scoring
from rankdistill.cli.console import command, err, out, progress

if TYPE_CHECKING:
    from rankdistill.executors import Executor
    from rankdistill.stores.shares import Share
    from rankdistill.stores.writer import Missing, ScoreWriter

WHO_WORKS = ("--shard", "--executor", "--workers", "--lock-wait")
"""Flags that leave the store's bytes as they are, and stay out of its manifest."""


def score(
    data: scoring.Data,
    teacher: scoring.Teacher,
    candidates: scoring.Candidates,
    out_: scoring.Store,
    name: scoring.Name = None,
    executor: Annotated[
        str, typer.Option(help="Who scores: local, this process; ray, workers of a cluster.")
    ] = "local",
    workers: Annotated[
        int | None, typer.Option(help="Workers of --executor ray; one a GPU or core by default.", min=1)
    ] = None,
    shard: Annotated[
        str, typer.Option(help="Score the work units of share i/n only, as one of n writers at the same store.")
    ] = "1/1",
    backend: scoring.Backend = "auto",
    max_length: scoring.MaxLength = None,
    kind: scoring.Kind = "auto",
    unit_size: scoring.UnitSize = 8192,
    lenient: scoring.Lenient = False,
    lock_wait: scoring.LockWait = 600.0,
    min_fidelity: Annotated[
        float,
        typer.Option(
            help="Spearman correlation with float32 that a back end in less precision must reach over sampled pairs "
            "before the run (within a query, five times its distance from 1 is allowed); 0: no check.",
            min=0.0,
            max=1.0,
        ),
    ] = 0.99,
) -> None:
    """Score each unique (query, document) pair once. Interrupt it at will: the same command goes on from there."""
    from rankdistill import executors
    from rankdistill.stores.shares import parse_share

    share, runner = parse_share(shard), executors.create(executor, workers)
    writer = scoring.open_writer(
        data,
        teacher,
        candidates,
        out_,
        kind=kind,
        backend=backend,
        max_length=max_length,
        unit_size=unit_size,
        lenient=lenient,
        lock_wait=lock_wait,
        min_fidelity=min_fidelity,
        name=name,
    )
    _run(writer, out_, runner, share)


def _run(writer: ScoreWriter, folder: Path, executor: Executor, share: Share) -> None:
    from rankdistill.stores.fidelity import of_record, read_fidelity
    from rankdistill.stores.layout import Layout
    from rankdistill.teachers import MeteredTeacher

    started = time.perf_counter()
    with progress("pairs") as bar:
        task = bar.add_task(f"scoring with {writer.called}", total=None)

        def on_plan(missing: Missing) -> None:
            bar.update(task, total=missing.share)
            if missing.missing < missing.wanted:
                err.print(f"{missing.wanted - missing.missing:,} of {missing.wanted:,} pairs have a score already")

        try:
            done = writer.run(
                command=command(WHO_WORKS),
                on_plan=on_plan,
                progress=lambda pairs: bar.advance(task, pairs),
                executor=executor,
                share=share,
            )
        finally:
            if isinstance(writer.teacher, MeteredTeacher) and not executor.remote:
                err.print(writer.teacher.spent(), markup=False, highlight=False, soft_wrap=True)
    if (record := read_fidelity(Layout(folder), writer.teacher.teacher_id)) is not None:
        err.print(f"{writer.called}: {of_record(record).shown}", markup=False, highlight=False, soft_wrap=True)
    if done.renamed:
        text = f"{writer.called} was called {done.renamed} before"
        err.print(text, style="yellow", markup=False, highlight=False, soft_wrap=True)
    seconds = time.perf_counter() - started
    text = f"{folder}: {done.scored:,} pairs scored, {done.reused:,} reused, {seconds:,.0f} s"
    out.print(text, highlight=False, soft_wrap=True)
    if done.left:
        text = f"share {share} is done; {done.left:,} shards of the others are missing: the last finishes the store"
        out.print(text, highlight=False, soft_wrap=True)
