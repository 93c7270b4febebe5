"""`rankdistill run`: a whole experiment from one recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rankdistill.cli import console
from rankdistill.cli.options import Json


def run(
    recipe: Annotated[
        Path | None, typer.Argument(help="Recipe: a YAML file, or the name of one of the package, as quickstart.")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Change a setting: train.steps=200. Repeatable.")
    ] = None,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema of recipes and stop.")] = False,
    json: Json = False,
) -> None:
    """Run what is stale of a recipe, and report. After an interruption the same command goes on."""
    import rankdistill
    from rankdistill.recipe import loading

    if schema:
        print(loading.json_schema(), end="")
        return
    if recipe is None:
        raise typer.BadParameter("name a recipe, such as quickstart")
    console.show(rankdistill.run(recipe, set_ or [], progress=True, command=console.command()), json)
