"""`rankdistill ensemble`: several teachers as one, assessed, weighed and written down."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rankdistill.cli import console, parsing
from rankdistill.cli.help import MORE
from rankdistill.cli.options import IdenticalIds, Json


def ensemble(
    store: Annotated[str, typer.Option(help="Score store that holds the teachers; also s3://...", metavar="STORE")],
    teachers: Annotated[str, typer.Option(help="Names, ids, or starts of these, with commas between them.")],
    calibrate: Annotated[
        str, typer.Option(help="none, zscore, minmax, percentile, rank, rrf, affine or affine-store.")
    ] = "zscore",
    missing: Annotated[
        str, typer.Option(help="Pairs that only some teachers scored: error, intersect (drop) or impute (minimum).")
    ] = "error",
    weights: Annotated[
        str | None, typer.Option(help="One a teacher, with commas between them; equal by default.")
    ] = None,
    reference: Annotated[
        str | None, typer.Option(help="Teacher to whose mean and deviation the scores are mapped.")
    ] = None,
    eval_data: Annotated[Path | None, typer.Option(help="BEIR folder with the qrels to assess it on.")] = None,
    split: Annotated[str, typer.Option(help="Which qrels.")] = "test",
    fit: Annotated[
        bool, typer.Option("--fit", help="Fit weights to the qrels, cross-validated; --out then uses them.")
    ] = False,
    out: Annotated[
        str | None, typer.Option(help="New store to write the ensemble to, as one teacher.", metavar="STORE")
    ] = None,
    name: Annotated[str, typer.Option(help="What the ensemble is called in that store.")] = "ensemble",
    seed: Annotated[int, typer.Option(help="Of the permutations and resamples.", rich_help_panel=MORE)] = 0,
    ignore_identical_ids: IdenticalIds = None,
    json: Json = False,
) -> None:
    """Calibrate and average several teachers of a store, query by query; nothing is scored again."""
    from rankdistill.verbs.ensemble import ensemble as combine

    console.show(
        combine(
            store,
            parsing.names(teachers, "teacher") or [],
            out,
            calibrate=calibrate,
            missing=missing,
            weights=parsing.numbers(weights, "weight"),
            reference=reference,
            eval_data=eval_data,
            split=split,
            fit=fit,
            name=name,
            seed=seed,
            ignore_identical_ids=ignore_identical_ids,
            progress=True,
            command=console.command(),
        ),
        json,
    )
