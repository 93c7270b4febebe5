"""`rankdistill status`: what is done of a recipe, and what a store or another artefact holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rankdistill.cli import console
from rankdistill.cli.locations import place


def status(
    path: Annotated[
        Path,
        typer.Argument(
            help="A recipe, or the folder of a store (also s3://...) or of any other artefact.",
            parser=place,
            metavar="PATH",
        ),
    ],
    set_: Annotated[list[str] | None, typer.Option("--set", help="The changes that the recipe is run with.")] = None,
) -> None:
    """Show the steps of a recipe (done, interrupted, to do), or what a folder holds and what made it."""
    from rankdistill.locations import is_local

    if path.is_dir() or not is_local(path):
        _show_folder(path)
    else:
        _show_recipe(path, set_ or [])


def _show_recipe(path: Path, overrides: list[str]) -> None:
    from rich.table import Table

    from rankdistill.recipe import loading
    from rankdistill.recipe.run import plan
    from rankdistill.recipe.steps import Times

    recipe = loading.load(path, overrides)
    times = Times(recipe.folder).read()
    table = Table(box=None, pad_edge=False)
    for header in ("step", "state", "seconds", "key"):
        table.add_column(header, justify="right" if header == "seconds" else "left", overflow="fold")
    for step in plan(recipe).steps():
        state = "[green]done[/]" if step.done else "[yellow]interrupted[/]" if step.begun else "to do"
        seconds = times.get(step.folder.name)
        table.add_row(step.name, state, f"{seconds:,.0f}" if seconds is not None else "", step.key[:10])
    console.out.print(f"{recipe.folder / 'steps'}", highlight=False, markup=False, soft_wrap=True)
    console.out.print(table)


def _show_folder(folder: Path) -> None:
    from rankdistill import manifest
    from rankdistill.stores.embeddings.layout import is_store
    from rankdistill.stores.embeddings.status import describe as describe_embeddings
    from rankdistill.stores.layout import Layout
    from rankdistill.stores.status import describe

    found = manifest.read(folder)
    holds_embeddings = is_store(folder)
    holds_scores = bool(Layout(folder).teacher_ids()) if found is None else found.artefact == "scores"
    if holds_embeddings or holds_scores:
        for line in describe_embeddings(folder) if holds_embeddings else describe(folder):
            console.out.print(line, highlight=False, markup=False, soft_wrap=True)
        return
    found = found or manifest.expect(folder, "any artefact", "run")
    console.out.print(f"{folder}: {found.artefact}", highlight=False, markup=False, soft_wrap=True)
    for kind in ("command", "inputs", "parameters", "versions"):
        console.out.print(f"{kind}: {getattr(found, kind)}", highlight=False, markup=False, soft_wrap=True)
