"""`rankdistill check`: are the scores of a store fit to train on?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rankdistill import names
from rankdistill.cli import console
from rankdistill.cli.optional_values import STANDARD_OUTPUT


def check(
    store: Annotated[
        str,
        typer.Argument(help="Score store made by `score` or `import`; also s3://...", metavar="STORE"),
    ],
    data: Annotated[Path | None, typer.Option(help="Collection whose qrels label what the store does not.")] = None,
    teacher: Annotated[
        list[str] | None, typer.Option(help="Name, id, or the start of one; may be repeated. All by default.")
    ] = None,
    student: Annotated[str, typer.Option(help="Similarity that the advice is for: cosine or dot.")] = "cosine",
    loss: Annotated[
        str | None,
        typer.Option(
            help=f"Loss that will be trained with, {names.listed(names.LOSSES)}: what its training refuses fails here "
            "too."
        ),
    ] = None,
    report: Annotated[Path | None, typer.Option(help="HTML page to write, with histograms.")] = None,
    json: Annotated[
        str | None,
        typer.Option(
            metavar="[FILE]", help="JSON file to write, with every number; without a file, print that and nothing else."
        ),
    ] = None,
    strict: Annotated[bool, typer.Option(help="A warning is a failure too.")] = False,
) -> None:
    """Check stored teacher scores before training on them; ends with 1 if a check fails."""
    import rankdistill

    found = rankdistill.check(
        store,
        teachers=teacher,
        data=data,
        student=student,
        loss=loss,
        report=report,
        json=None if json == STANDARD_OUTPUT else json,
        strict=strict,
        progress=True,
    )
    console.show(found, json == STANDARD_OUTPUT)
    found.require()
