"""`rankdistill plan`: what `score` would do, how long that takes and what it costs; writes nothing."""

from __future__ import annotations

from typing import Annotated

import typer

from rankdistill.cli import console, options


def plan(
    data: options.Data,
    teacher: options.Teacher,
    candidates: options.Candidates,
    out_: options.Store,
    price_per_hour: Annotated[float, typer.Option(help="Price of this machine an hour.", min=0.0)] = 0.0,
    sample: Annotated[
        int,
        typer.Option(help="Pairs scored to measure the speed (none where that may cost money); 0: no estimate.", min=0),
    ] = 256,
    kind: options.Kind = "auto",
    backend: options.TeacherBackend = "auto",
    max_length: options.PairLength = None,
    unit_size: options.UnitSize = None,
    lenient: options.Lenient = False,
    json: options.Json = False,
) -> None:
    """Count the pairs without a score and estimate time and cost of scoring them. Nothing is written."""
    import rankdistill

    counts = rankdistill.plan(
        data,
        teacher,
        candidates,
        out_,
        price_per_hour=price_per_hour,
        sample=sample,
        kind=kind,
        backend=backend,
        max_length=max_length,
        unit_size=unit_size,
        lenient=lenient,
        progress=True,
    )
    console.show(counts, json)
