"""`rankdistill plan`: what `score` would do, how long that takes and what it costs; writes nothing."""

from __future__ import annotations

from typing import Annotated

import typer

from rankdistill.cli import scoring
from rankdistill.cli.console import out


def plan(
    data: scoring.Data,
    teacher: scoring.Teacher,
    candidates: scoring.Candidates,
    out_: scoring.Store,
    price_per_hour: Annotated[float, typer.Option(help="Price of this machine an hour.", min=0.0)] = 0.0,
    sample: Annotated[
        int,
        typer.Option(help="Pairs scored to measure the speed (none where that may cost money); 0: no estimate.", min=0),
    ] = 256,
    backend: scoring.Backend = "auto",
    max_length: scoring.MaxLength = None,
    kind: scoring.Kind = "auto",
    unit_size: scoring.UnitSize = 8192,
    lenient: scoring.Lenient = False,
) -> None:
    """Count the pairs without a score and estimate time and cost of scoring them. Nothing is written."""
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
    )
    missing = writer.plan()
    out.print(f"wanted   {missing.wanted:,} unique pairs")
    out.print(f"missing  {missing.missing:,}, in {-(-missing.missing // unit_size):,} shards")
    if not missing.missing or not sample:
        return
    told = writer.estimate(missing, sample)
    if told is not None:
        for name, value in told.items():
            out.print(f"{name:<9}{value}", highlight=False, soft_wrap=True)
        return
    rate = writer.sample_rate(sample)
    hours = missing.missing / rate / 3600
    out.print(f"time     about {hours * 60:,.1f} minutes at {rate:,.0f} pairs/s (measured on a sample)")
    if price_per_hour:
        out.print(f"cost     about {hours * price_per_hour:,.2f} at {price_per_hour:g} an hour")
