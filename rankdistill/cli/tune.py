"""`rankdistill tune`: a search over the settings of a recipe, judged on dev."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rankdistill.cli import console
from rankdistill.cli.help import MORE
from rankdistill.cli.options import Json


def tune(
    recipe: Annotated[Path, typer.Argument(help="Recipe: a YAML file, or the name of one of the package.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder of the search; that of the run with -tuned unless given.")
    ] = None,
    trials: Annotated[int, typer.Option(help="Trials in all, those of earlier calls too.", min=1)] = 20,
    metric: Annotated[
        str, typer.Option(help="Measure on dev: ndcg_at_10, recall_at_100, mrr_at_10 or map_at_100.")
    ] = "ndcg_at_10",
    space: Annotated[
        Path | None, typer.Option(help="YAML file: dotted setting -> values, or low and high. The usual one else.")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Change the recipe first: train.steps=200. Repeatable.")
    ] = None,
    variant: Annotated[str | None, typer.Option(help="Which student of the recipe; the first unless given.")] = None,
    minutes: Annotated[float | None, typer.Option(help="Begin no further trial after so many.", min=0.0)] = None,
    prune: Annotated[bool, typer.Option("--prune/--no-prune", help="Stop trials that fall behind.")] = True,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the students of all trials.", rich_help_panel=MORE)
    ] = False,
    seed: Annotated[int, typer.Option(help="Of the choice of trials.", rich_help_panel=MORE)] = 0,
    json: Json = False,
) -> None:
    """Search a recipe's losses, temperatures, layers, sampling and rate on dev; after an interruption it goes on."""
    import rankdistill

    found = rankdistill.tune(
        recipe,
        out,
        trials=trials,
        metric=metric,
        space=space,
        overrides=set_ or [],
        variant=variant,
        minutes=minutes,
        prune=prune,
        keep=keep,
        seed=seed,
        progress=True,
        command=console.command(),
    )
    console.show(found, json)
