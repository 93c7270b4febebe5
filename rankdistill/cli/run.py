"""`rankdistill run`: a whole experiment from one recipe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rankdistill.cli import console

if TYPE_CHECKING:
    from rankdistill.evaluation.results import Results


def run(
    recipe: Annotated[Path | None, typer.Argument(help="Recipe, such as recipes/quickstart.yaml.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Change a setting: train.steps=200. Repeatable.")
    ] = None,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema of recipes and stop.")] = False,
) -> None:
    """Run what is stale of a recipe, and report. After an interruption the same command goes on."""
    from rankdistill.recipe import loading

    if schema:
        console.out.print(loading.json_schema(), markup=False, highlight=False, soft_wrap=True, end="")
        return
    if recipe is None:
        raise typer.BadParameter("name a recipe, such as recipes/quickstart.yaml")
    experiment = loading.load(recipe, set_ or [])
    with console.steps() as on_step:
        from rankdistill.recipe.parts import REPORT_FILE
        from rankdistill.recipe.run import run as run_recipe

        every = run_recipe(experiment, on_step, console.command())
    console.out.print(f"{experiment.folder / REPORT_FILE}", highlight=False, soft_wrap=True)
    _show(every)


def _show(every: list[Results]) -> None:
    from rankdistill.cli.tables import show
    from rankdistill.evaluation import report

    for results in every:
        show(
            f"differences to {results.comparisons[0].baseline}, {results.split}",
            *report.comparison_rows(results, "ndcg_at_10"),
        )
        show(f"{results.data}, {results.split}, {results.queries} queries", *report.system_rows(results))
