"""`rankdistill score`: teacher scores of mined candidates, into a store."""

from __future__ import annotations

from typing import Annotated

import typer

from rankdistill.cli import console, options
from rankdistill.cli.help import MORE


def score(
    data: options.Data,
    teacher: options.Teacher,
    candidates: options.Candidates,
    out_: options.Store,
    name: options.TeacherName = None,
    kind: options.Kind = "auto",
    backend: options.TeacherBackend = "auto",
    max_length: options.PairLength = None,
    unit_size: options.UnitSize = None,
    executor: options.Executor = "local",
    workers: options.Workers = None,
    shard: options.Shard = "1/1",
    lock_wait: options.LockWait = 600.0,
    min_fidelity: Annotated[
        float,
        typer.Option(
            help="Spearman correlation with float32 that a back end in less precision must reach over sampled pairs "
            "before the run (within a query, five times its distance from 1 is allowed); 0: no check.",
            min=0.0,
            max=1.0,
            rich_help_panel=MORE,
        ),
    ] = 0.99,
    lenient: options.Lenient = False,
    json: options.Json = False,
) -> None:
    """Score each unique (query, document) pair once. Interrupt it at will: the same command goes on from there."""
    import rankdistill

    scored = rankdistill.score(
        data,
        teacher,
        candidates,
        out_,
        name=name,
        kind=kind,
        backend=backend,
        max_length=max_length,
        unit_size=unit_size,
        executor=executor,
        workers=workers,
        shard=shard,
        lock_wait=lock_wait,
        min_fidelity=min_fidelity,
        lenient=lenient,
        progress=True,
        command=console.command(options.WHO_WORKS),
    )
    console.show(scored.run or scored, json)
