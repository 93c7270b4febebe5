"""`rankdistill compare`: evaluated systems against a baseline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rankdistill.cli import console
from rankdistill.cli.help import MORE
from rankdistill.cli.options import Json


def compare(
    systems: Annotated[
        list[str],
        typer.Argument(
            help="Folders written by `rankdistill evaluate`; NAME=FOLDER,FOLDER,... for a system that was trained "
            "several times, alike but for the seed. With --data: NAME=SYSTEM, each of which is evaluated first."
        ),
    ],
    out: Annotated[Path | None, typer.Option(help="Folder for results.json and report.html.")] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Collection on which NAME=SYSTEM are evaluated: a model, an index, bm25, a service's YAML."),
    ] = None,
    split: Annotated[str | None, typer.Option(help="Of --data; test unless given.")] = None,
    baseline: Annotated[
        str | None,
        typer.Option(help="The one that the others are tested against, in the same form; the first unless given."),
    ] = None,
    title: Annotated[str, typer.Option(help="Heading of the report.")] = "Comparison",
    measure: Annotated[str, typer.Option(help="Which differences to print, and what to plot.")] = "ndcg_at_10",
    report: Annotated[
        list[Path] | None,
        typer.Option(help="A report to write: .html a page, .md or .tex its tables; may be repeated."),
    ] = None,
    examples: Annotated[
        int, typer.Option(help="Queries won and lost that are shown, each way, for each system.", min=0)
    ] = 5,
    seed: Annotated[int, typer.Option(help="Of the permutations and resamples.", rich_help_panel=MORE)] = 0,
    json: Json = False,
) -> None:
    """Test evaluated systems against a baseline: paired randomisation, bootstrap intervals, Holm's correction."""
    import rankdistill

    found = rankdistill.compare(
        systems,
        out,
        data=data,
        split=split,
        baseline=baseline,
        title=title,
        measure=measure,
        report=report,
        examples=examples,
        seed=seed,
        progress=True,
        command=console.command(leave_out=("--report",)),
    )
    console.show(found, json)
