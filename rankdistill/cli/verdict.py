"""`rankdistill verdict`: whether to ship a student, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rankdistill.cli import console
from rankdistill.cli.help import MORE
from rankdistill.cli.options import IdenticalIds, Json, Lenient, Split

EXIT_REFUSED = 2


def verdict(
    student: Annotated[
        str,
        typer.Argument(
            help="Folder written by `rankdistill evaluate` for the student, or NAME=FOLDER,FOLDER,... for several "
            "trainings; or the folder of a report that judges it, as `run` writes one."
        ),
    ],
    out: Annotated[Path | None, typer.Option(help="Folder for results.json and report.html.")] = None,
    bm25: Annotated[str | None, typer.Option(help="The evaluation of BM25 on the same queries.")] = None,
    untrained: Annotated[str | None, typer.Option(help="That of the student before training.")] = None,
    teacher: Annotated[str | None, typer.Option(help="That of the teacher.")] = None,
    name: Annotated[str | None, typer.Option(help="Which student of a report that judges several.")] = None,
    bundle: Annotated[
        str | None,
        typer.Option(help="The student's bundle, or a model with onnx/model_int8.onnx: its int8 file is judged."),
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Collection whose queries the int8 file is judged on.")] = None,
    split: Split = "test",
    index: Annotated[
        Path | None, typer.Option(help="The documents as the student searches them; encoded anew unless given.")
    ] = None,
    keep: Annotated[float, typer.Option(help="Least share of the teacher's nDCG@10.")] = 0.9,
    level: Annotated[
        float, typer.Option(help="Of significance, after Holm's correction.", rich_help_panel=MORE)
    ] = 0.05,
    least_queries: Annotated[int, typer.Option(help="Judged queries that are asked for.", rich_help_panel=MORE)] = 50,
    least_cosine: Annotated[
        float, typer.Option(help="Least mean cosine of int8 vectors with float32's.", rich_help_panel=MORE)
    ] = 0.95,
    most_loss: Annotated[
        float, typer.Option(help="Most nDCG@10 that int8 queries may lose.", rich_help_panel=MORE)
    ] = 0.01,
    title: Annotated[str, typer.Option(help="Heading of the report.", rich_help_panel=MORE)] = "Verdict",
    seed: Annotated[int, typer.Option(help="Of the permutations and resamples.", rich_help_panel=MORE)] = 0,
    lenient: Lenient = False,
    ignore_identical_ids: IdenticalIds = None,
    json: Json = False,
) -> None:
    """Say whether to ship a student, and why; ends with 0 to ship and 2 to refuse."""
    import rankdistill

    found = rankdistill.verdict(
        student,
        out,
        bm25=bm25,
        untrained=untrained,
        teacher=teacher,
        name=name,
        bundle=bundle,
        data=data,
        split=split,
        index=index,
        keep=keep,
        level=level,
        least_queries=least_queries,
        least_cosine=least_cosine,
        most_loss=most_loss,
        title=title,
        seed=seed,
        lenient=lenient,
        ignore_identical_ids=ignore_identical_ids,
        progress=True,
        command=console.command(),
    )
    console.show(found, json)
    if not found.ship:
        raise typer.Exit(EXIT_REFUSED)
