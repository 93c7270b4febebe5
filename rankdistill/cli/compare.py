"""`rankdistill compare`: evaluated systems against a baseline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rankdistill.cli import console


def compare(
    runs: Annotated[
        list[str],
        typer.Argument(
            help="Folders written by `rankdistill evaluate`; NAME=FOLDER,FOLDER,... for a system that was trained "
            "several times, alike but for the seed."
        ),
    ],
    baseline: Annotated[str, typer.Option(help="The one that the others are tested against, in the same form.")],
    out: Annotated[Path, typer.Option(help="Folder for results.json and report.html.")],
    title: Annotated[str, typer.Option(help="Heading of the report.")] = "Comparison",
    measure: Annotated[str, typer.Option(help="Which differences to print, and what to plot.")] = "ndcg_at_10",
    seed: Annotated[int, typer.Option(help="Of the permutations and resamples.")] = 0,
) -> None:
    """Test evaluated systems against a baseline: paired randomisation, bootstrap intervals, Holm's correction."""
    from rankdistill.cli.tables import show
    from rankdistill.evaluation import comparing, report
    from rankdistill.evaluation.measures import TITLES

    systems = [comparing.parse_system(words) for words in runs]
    against = comparing.parse_system(baseline)
    results = comparing.compare(systems, against, title=title, command=console.command(), seed=seed)
    report.require_measure(results, measure)
    results.write(out)
    report.write_html(results, out / "report.html", measure)
    show(f"{results.data}, {results.split}, {results.queries} queries", *report.system_rows(results))
    show(f"{TITLES[measure]} minus that of {results.systems[0].name}", *report.comparison_rows(results, measure))
    console.out.print(f"{out / 'report.html'}", highlight=False, soft_wrap=True)
