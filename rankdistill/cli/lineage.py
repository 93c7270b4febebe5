"""`rankdistill lineage`: what made an artefact, what made that, and so on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rankdistill.cli import console
from rankdistill.cli.options import Json


def lineage(
    artefact: Annotated[Path, typer.Argument(help="Folder of a student, an index, a bundle, a run, ...")],
    within: Annotated[
        list[Path] | None,
        typer.Option(help="Look for what made it in this folder, not beside it and in its run. Repeatable."),
    ] = None,
    draw: Annotated[
        Path | None, typer.Option(help="Draw it into a file too: .svg, .png, .pdf, or .mmd (Mermaid).")
    ] = None,
    json: Json = False,
) -> None:
    """Show what made an artefact, what made that, and so on to collections and models."""
    import rankdistill

    console.show(rankdistill.lineage(artefact, within=within, draw=draw, progress=True), json)
