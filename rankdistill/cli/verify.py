"""`rankdistill verify`: whether every file of artefacts is what it was."""

from __future__ import annotations

from typing import Annotated

import typer

from rankdistill.cli import console
from rankdistill.cli.options import Json

EXIT_DAMAGED = 1


def verify(
    artefacts: Annotated[
        list[str],
        typer.Argument(help="Folders of stores, students, indexes, runs, ...; all artefacts below are looked at."),
    ],
    repair: Annotated[
        bool,
        typer.Option(
            "--repair", help="Score what is damaged of score stores again, and remove what dead writers left."
        ),
    ] = False,
    teacher: Annotated[
        str | None, typer.Option(help="What scores, for --repair; the model that the store names unless given.")
    ] = None,
    json: Json = False,
) -> None:
    """Compare every file of artefacts with what was written. Exits with 1 if one is damaged or missing."""
    import rankdistill

    found = rankdistill.verify(artefacts, repair=repair, teacher=teacher, progress=True)
    console.show(found, json)
    if not found.is_whole:
        raise typer.Exit(EXIT_DAMAGED)
