"""`rankdistill check`: are the scores of a store fit to train on?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rankdistill import names
from rankdistill.cli import console
from rankdistill.cli.locations import place

if TYPE_CHECKING:
    from rankdistill.gate.verdict import Report

MOST_IN_FULL = 3
"""Teachers of whom every check is printed; of more, only what is not in order."""


def check(
    store: Annotated[
        Path,
        typer.Argument(help="Score store made by `score` or `import`; also s3://...", parser=place, metavar="STORE"),
    ],
    report: Annotated[Path | None, typer.Option(help="HTML page to write, with histograms.")] = None,
    json: Annotated[Path | None, typer.Option(help="JSON file to write, with every number.")] = None,
    teacher: Annotated[
        list[str] | None, typer.Option(help="Name, id, or the start of one; may be repeated. All by default.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="BEIR folder whose qrels label what the store does not.")] = None,
    student: Annotated[str, typer.Option(help="Similarity that the advice is for: cosine or dot.")] = "cosine",
    loss: Annotated[
        str | None,
        typer.Option(
            help=f"Loss that will be trained with, {names.listed(names.LOSSES)}: what its training refuses fails here "
            "too."
        ),
    ] = None,
    strict: Annotated[bool, typer.Option(help="A warning is a failure too.")] = False,
) -> None:
    """Check stored teacher scores before training on them; ends with 1 if a check fails."""
    from rankdistill import data as datasets
    from rankdistill.evaluation import gate_report
    from rankdistill.gate.run import examine
    from rankdistill.gate.subject import of_store
    from rankdistill.stores.reader import ScoreStore
    from rankdistill.training import config

    loss = None if loss is None else config.read(None, loss=loss).loss
    dataset = datasets.load(data) if data is not None else None
    subject = of_store(ScoreStore(store), teacher or (), dataset)
    with console.progress("rows") as bar:
        task = bar.add_task("checking", total=None)
        found = examine(
            subject,
            student,
            loss,
            on_rows=lambda rows: bar.update(task, total=rows),
            progress=lambda rows: bar.advance(task, rows),
        )
    if report is not None:
        gate_report.write_html(found, report)
    if json is not None:
        gate_report.write_json(found, json)
    _show(found)
    for path in (report, json):
        if path is not None:
            console.out.print(f"{path}", highlight=False, soft_wrap=True)
    found.require(strict)


def _show(found: Report) -> None:
    from rankdistill.cli.tables import show
    from rankdistill.evaluation.gate_report import overview_rows, verdict_rows
    from rankdistill.teachers.names import beside

    in_full = len(found.teachers) <= MOST_IN_FULL
    for teacher in found.teachers:
        header, rows = verdict_rows(teacher)
        shown = rows if in_full else [row for row in rows if row[1] in ("warn", "fail")]
        if shown:
            show(f"{beside(teacher.name, teacher.teacher_id)}: {teacher.status}", header, shown, texts=len(header))
    if not in_full:
        show(f"{found.title}: {found.status}", *overview_rows(found), texts=6)
