"""`rankdistill export`: a store in the form that another tool trains from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from rankdistill.cli import console
from rankdistill.cli.options import Json, Lenient


def export(
    store: Annotated[str, typer.Option(help="Score store; also s3://...", metavar="STORE")],
    out: Annotated[
        Path,
        typer.Option(
            help="File to write (its suffix counts; without one the format's first), or a folder if the format is one."
        ),
    ],
    format_: Annotated[str, typer.Option("--format", help="Format of the output; docs/formats.md lists them.")],
    data: Annotated[
        Path | None, typer.Option(help="Collection, for the texts; the store's own are used without it.")
    ] = None,
    teacher: Annotated[
        str | None, typer.Option(help="Teacher, where the store has several: its name, id, or the start of one.")
    ] = None,
    negatives: Annotated[
        int | None,
        typer.Option(help="Negatives a row, for formats of rows (sentence-transformers: 4; else all).", min=1),
    ] = None,
    order: Annotated[
        Literal["hardest", "random"], typer.Option(help="Which negatives: highest scores first, or any.")
    ] = "hardest",
    seed: Annotated[int, typer.Option(help="Seed of the random order.")] = 0,
    margins: Annotated[
        bool, typer.Option("--margins", help="sentence-transformers: margins instead of scores.")
    ] = False,
    source: Annotated[list[str] | None, typer.Option(help="Only candidates of this source; may be repeated.")] = None,
    missing: Annotated[
        Literal["error", "drop"], typer.Option(help="A candidate without a score: error, or drop and count it.")
    ] = "error",
    lenient: Lenient = False,
    json: Json = False,
) -> None:
    """Write one teacher's scores with their positives and negatives for another tool. Equal stores give equal bytes."""
    import rankdistill

    console.show(
        rankdistill.export(
            store,
            out,
            format=format_,
            data=data,
            teacher=teacher,
            negatives=negatives,
            order=order,
            seed=seed,
            margins=margins,
            sources=source or (),
            missing=missing,
            lenient=lenient,
            command=console.command(),
        ),
        json,
    )
