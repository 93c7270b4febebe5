"""`rankdistill run`: a whole experiment from one recipe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rankdistill.cli import console

if TYPE_CHECKING:
    from rankdistill.evaluation.results import Results
    from rankdistill.progress import Progress
    from rankdistill.recipe.steps import Step


def run(
    recipe: Annotated[
        Path | None, typer.Argument(help="Recipe: a YAML file, or the name of one of the package, as quickstart.")
    ] = None,
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
        raise typer.BadParameter("name a recipe, such as quickstart")
    experiment = loading.load(recipe, set_ or [])
    ran: list[Step] = []
    with console.steps() as on_step:
        from rankdistill.recipe.parts import REPORT_FILE
        from rankdistill.recipe.run import run as run_recipe

        def begin(step: Step) -> Progress:
            ran.append(step)
            return on_step(step)

        every = run_recipe(experiment, begin, console.command())
    _note_clipping(ran)
    console.out.print(f"{experiment.folder / REPORT_FILE}", highlight=False, soft_wrap=True)
    _show(every)


def _note_clipping(ran: list[Step]) -> None:
    """Of the steps that were run just now, the trainings whose gradients were mostly clipped."""
    import json

    from rankdistill.training.artefact import LOG_FILE

    for step in ran:
        path = step.folder / LOG_FILE
        if path.is_file():
            log = json.loads(path.read_text(encoding="utf-8"))
            console.note_clipping(log, "see clipped_steps in its training_log.json", step.name)


def _show(every: list[Results]) -> None:
    from rankdistill.cli.tables import show
    from rankdistill.evaluation import report

    for results in every:
        show(
            f"differences to {results.comparisons[0].baseline}, {results.split}",
            *report.comparison_rows(results, "ndcg_at_10"),
        )
        show(f"{results.data}, {results.split}, {results.queries} queries", *report.system_rows(results))
