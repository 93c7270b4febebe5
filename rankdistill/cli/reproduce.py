"""`rankdistill reproduce`: a run made again from its manifest, and what differs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rankdistill.cli import console
from rankdistill.cli.options import Json

EXIT_DIFFERS = 2


def reproduce(
    run: Annotated[Path, typer.Argument(help="Folder of a run, or of what one command made.")],
    out: Annotated[
        Path | None, typer.Option(help="Where it is made again; beside it, with -reproduced, unless given.")
    ] = None,
    tolerance: Annotated[
        float, typer.Option(help="How far a mean measure may lie from the one before, and be called the same.", min=0.0)
    ] = 0.0,
    json: Json = False,
) -> None:
    """Make a run again from its manifest and say what differs; ends with 0 where it is the same, else with 2."""
    import rankdistill

    found = rankdistill.reproduce(run, out, tolerance=tolerance, progress=True)
    console.show(found, json)
    if not found.same:
        raise typer.Exit(EXIT_DIFFERS)
