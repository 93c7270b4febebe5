"""`rankdistill list`: what lies under a folder, and what each was made from."""

from __future__ import annotations

from typing import Annotated

import typer

from rankdistill.cli import console, parsing
from rankdistill.cli.options import Json


def list(
    folder: Annotated[str, typer.Argument(help="Where to look, with all folders below it.")] = ".",
    kinds: Annotated[
        str | None,
        typer.Option(
            help="Only these: stores, students, indexes, bundles, runs, evaluations, collections, or kinds as "
            "manifests call them, with commas between.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """List what lies under a folder (stores, students, indexes, bundles, runs, ...), and what each was made from."""
    import rankdistill

    found = rankdistill.artefacts(folder, kinds=parsing.names(kinds, "kind"), progress=True)
    console.show(found, json)
