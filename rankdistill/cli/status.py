"""`rankdistill status`: what is done of a recipe, and what a store or another artefact holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rankdistill.cli import console
from rankdistill.cli.options import Json
from rankdistill.display import Shown, Table

if TYPE_CHECKING:
    import polars as pl


def status(
    path: Annotated[
        str,
        typer.Argument(
            help="A recipe, or the folder of a store (also s3://...), of `distill` or of any other artefact.",
            metavar="PATH",
        ),
    ],
    set_: Annotated[list[str] | None, typer.Option("--set", help="The changes that the recipe is run with.")] = None,
    json: Json = False,
) -> None:
    """Show the steps of a recipe (done, interrupted, to do), or what a folder holds and what made it."""
    import rankdistill
    from rankdistill.locations import is_local, location
    from rankdistill.recipe.distilling.layout import Layout, is_distilled

    place = location(path)
    if is_local(place) and is_distilled(place):
        place = Layout(place).recipe
    folder = place.is_dir() or not is_local(place)
    console.show(rankdistill.status(path) if folder else _of_recipe(place, set_ or []), json)


@dataclass(frozen=True)
class Steps(Shown):
    """The steps of a recipe.

    Args:
        folder: in which their outputs lie.
        rows: name, state, key and seconds (None where it did not run) of each.
    """

    folder: Path
    rows: list[tuple[str, str, str, float | None]]

    def tables(self) -> list[Table]:
        """A step a row."""
        rows = [
            [name, state, key[:10], "" if seconds is None else f"{seconds:,.0f}"]
            for name, state, key, seconds in self.rows
        ]
        return [Table(str(self.folder), ["step", "state", "key", "seconds"], rows, texts=3)]

    def to_polars(self) -> pl.DataFrame:
        """A step a row: step, state, key, seconds."""
        import polars as pl

        schema = {**dict.fromkeys(("step", "state", "key"), pl.String), "seconds": pl.Float64}
        return pl.DataFrame(self.rows, schema=schema, orient="row")

    def to_json(self) -> dict[str, Any]:
        """Folder and steps."""
        names = ("step", "state", "key", "seconds")
        return {"folder": str(self.folder), "steps": [dict(zip(names, row, strict=True)) for row in self.rows]}


def _of_recipe(path: Path, overrides: list[str]) -> Steps:
    from rankdistill.recipe import loading
    from rankdistill.recipe.run import plan
    from rankdistill.recipe.steps import Times

    recipe = loading.load(path, overrides)
    times = Times(recipe.folder).read()
    return Steps(
        recipe.folder / "steps",
        [
            (
                step.name,
                "done" if step.done else "interrupted" if step.begun else "to do",
                step.key,
                times.get(step.folder.name),
            )
            for step in plan(recipe).steps()
        ],
    )
