"""`rankdistill publish`: a student checked before it is published, and the files for hub and leaderboard."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rankdistill.cli import console
from rankdistill.cli.help import MORE
from rankdistill.cli.options import Json

EXIT_REFUSED = 2


def publish(
    student: Annotated[Path, typer.Argument(help="Folder of a student, or of a bundle with its router.")],
    out: Annotated[Path, typer.Option(help="Folder for model card, ModelMeta, results and checks.")],
    results: Annotated[list[Path], typer.Option(help="Written by `rankdistill evaluate --tasks` for this student.")],
    name: Annotated[str | None, typer.Option(help="ORGANISATION/MODEL; that of the results unless given.")] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="YAML: licence, links, what others' models were trained on (docs/publish.md)."),
    ] = None,
    lineage: Annotated[
        list[str],
        typer.Option(
            help="Folder in or below which stores, collections, teachers and models lie; what manifests' commands name "
            "is looked into anyway."
        ),
    ] = [],  # noqa: B006
    data_root: Annotated[
        Path | None, typer.Option(help="Folder with the tasks' data; that of the results' command unless given.")
    ] = None,
    report: Annotated[
        list[Path], typer.Option(help="Written by `compare` or `verdict` of this student and others, for the card.")
    ] = [],  # noqa: B006
    latency: Annotated[
        int, typer.Option(help="Queries timed one by one; 0 times none.", min=0, rich_help_panel=MORE)
    ] = 50,
    mock_run: Annotated[
        bool, typer.Option("--mock-run/--no-mock-run", help="Run mteb's mock tasks on it.", rich_help_panel=MORE)
    ] = True,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Send nothing; it is the default, said aloud.")] = False,
    push: Annotated[bool, typer.Option("--push", help="Upload weights and card to the hub.")] = False,
    submit: Annotated[
        bool, typer.Option("--submit", help="Open a pull request with the results in mteb's repository.")
    ] = False,
    json: Json = False,
) -> None:
    """Check a student before it is published to hub and MTEB, and write the files; ends with 2 to refuse."""
    import rankdistill

    found = rankdistill.publish(
        student,
        out,
        results=results,
        name=name,
        config=config,
        lineage=lineage,
        data_root=data_root,
        report=report,
        latency=latency,
        mock_run=mock_run,
        dry_run=dry_run,
        push=push,
        submit=submit,
        progress=True,
        command=console.command(),
    )
    console.show(found, json)
    if not found.ready:
        raise typer.Exit(EXIT_REFUSED)
