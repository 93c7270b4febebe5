"""`rankdistill export`: a store in the form that another tool trains from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from rankdistill.cli import console
from rankdistill.cli.locations import place


def export(
    format_: Annotated[str, typer.Option("--format", help="Format of the output; docs/formats.md lists them.")],
    store: Annotated[Path, typer.Option(help="Score store; also s3://...", parser=place, metavar="STORE")],
    out: Annotated[
        Path,
        typer.Option(
            help="File to write (its suffix counts; without one the format's first), or a folder if the format is one."
        ),
    ],
    data: Annotated[
        Path | None, typer.Option(help="BEIR folder for the texts; the store's own are used without it.")
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
    lenient: Annotated[bool, typer.Option("--lenient", help="Leave bad rows of the data out.")] = False,
) -> None:
    """Write one teacher's scores with their positives and negatives for another tool. Equal stores give equal bytes."""
    from rankdistill.data import load
    from rankdistill.formats import exporting
    from rankdistill.stores.reader import ScoreStore

    scores = ScoreStore(store)
    dataset = load(data, "lenient" if lenient else "strict") if data else None
    console.show_reports(dataset.reports if dataset else [])
    choice = exporting.Choice(negatives, order, seed, margins)
    done = exporting.export(
        format_,
        scores,
        out,
        dataset=dataset,
        teacher=teacher,
        choice=choice,
        sources=source or (),
        missing=missing,
        command=console.command(),
    )
    if (written := exporting.output(format_, out)) != out:
        console.note(f"{out} has no suffix, which chooses how a file is written: it became {written.name}")
    for name, count in done.to_json().items():
        if count:
            console.out.print(f"{name.replace('_', ' ')}: {count:,}", highlight=False)
    console.out.print(f"{format_}: {written}", highlight=False, soft_wrap=True)
