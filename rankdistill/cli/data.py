"""`rankdistill data`: make and check BEIR folders."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rankdistill.cli import console, file_options
from rankdistill.cli.help import VerbCommand
from rankdistill.cli.options import Json, Lenient

app = typer.Typer(help="Make and check collections (BEIR folders).", no_args_is_help=True)

Out = Annotated[Path, typer.Option(help="Folder to write.")]
Compress = Annotated[bool, typer.Option("--gzip", help="Write .gz files.")]


@app.command(cls=VerbCommand)
def pydocs(
    out: Out,
    packages: Annotated[
        list[str] | None, typer.Option(help="Installed package to read; may be repeated. Default: common ones.")
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Keep this many documents, chosen by hash.")] = None,
    gzip: Compress = False,
    json: Json = False,
) -> None:
    """Build a collection from the docstrings of installed packages: summary line -> the rest."""
    from rankdistill.verbs import data

    made = data.pydocs(out, packages=packages, limit=limit, gzip=gzip, command=console.command())
    console.show(made, json)


@app.command(cls=VerbCommand)
def fetch(
    name: Annotated[str, typer.Argument(help="mteb:SciFact, hf:BeIR/scifact or ir_datasets:beir/scifact.")],
    out: Out,
    gzip: Compress = False,
    json: Json = False,
) -> None:
    """Fetch a collection by name from MTEB, the Hugging Face hub or ir_datasets."""
    from rankdistill.verbs import data

    console.show(data.fetch(name, out, gzip=gzip, command=console.command()), json)


@app.command(cls=VerbCommand)
def convert(
    input: Annotated[
        Path,
        typer.Option(
            help="Folder of .txt, .md and .html files; CSV, TSV, JSONL, Parquet; what datasets saved; BEIR folder; "
            "conversations."
        ),
    ],
    out: Out,
    from_: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="files, csv, jsonl, parquet, datasets or beir, found unless given; conversations (docs/sessions.md): "
            "qrecc, canard, topiocqa, cast, ikat or mtrag, or beir where queries have a history.",
        ),
    ] = None,
    id: file_options.Id = None,
    title: file_options.Title = None,
    text: file_options.Text = None,
    keep: file_options.Keep = None,
    number_rows: file_options.NumberRows = False,
    queries: file_options.Queries = None,
    qrels: file_options.Qrels = None,
    clicks: file_options.Clicks = None,
    passage_tokens: file_options.PassageTokens = None,
    overlap: file_options.Overlap = 0,
    tokenizer: Annotated[str | None, typer.Option(help="Model whose tokens these are.")] = None,
    dev: Annotated[float, typer.Option(help="Share of judged queries for dev, by hash.", min=0, max=1)] = 0.1,
    test: Annotated[float, typer.Option(help="Share for test.", min=0, max=1)] = 0.2,
    query_id: file_options.QueryId = None,
    query_text: file_options.QueryText = None,
    qrels_columns: file_options.QrelsColumns = None,
    clicks_columns: file_options.ClicksColumns = None,
    min_clicks: file_options.MinClicks = 1,
    encoding: file_options.Encoding = None,
    delimiter: file_options.Delimiter = None,
    gzip: Compress = False,
    lenient: Lenient = False,
    json: Json = False,
) -> None:
    """Make a collection of files as they are, with queries, judgements and clicks where there are some."""
    from rankdistill.verbs import data

    made = data.convert(
        input,
        out,
        from_=from_,
        id=id,
        title=title,
        text=text,
        keep=keep or (),
        number_rows=number_rows,
        encoding=encoding,
        delimiter=delimiter,
        queries=queries,
        query_id=query_id,
        query_text=query_text,
        qrels=qrels or (),
        qrels_columns=qrels_columns or (),
        clicks=clicks,
        clicks_columns=clicks_columns or (),
        min_clicks=min_clicks,
        dev=dev,
        test=test,
        passage_tokens=passage_tokens,
        overlap=overlap,
        tokenizer=tokenizer,
        gzip=gzip,
        lenient=lenient,
        progress=True,
        command=console.command(),
    )
    console.show(made, json)


@app.command(cls=VerbCommand)
def check(
    folder: Annotated[Path, typer.Argument(help="BEIR folder.")],
    lenient: Annotated[bool, typer.Option("--lenient", help="Succeed in spite of bad rows.")] = False,
    show: Annotated[int, typer.Option(help="Bad rows to print.")] = 20,
    json: Json = False,
) -> None:
    """Count documents, and queries and judgements per split, and list the bad rows; ends with 1 if there are any."""
    from rankdistill.verbs import data

    dataset = data.check(folder, show=show)
    console.show(dataset, json)
    if dataset.reports and not lenient:
        raise typer.Exit(1)


@app.command("trec-qrels", cls=VerbCommand)
def trec_qrels(
    file: Annotated[Path, typer.Argument(help="Headerless TREC qrels: qid 0 did rel.")],
    out: Annotated[Path, typer.Option(help="BEIR qrels file to write, for example DIR/qrels/test.tsv.")],
    lenient: Lenient = False,
    json: Json = False,
) -> None:
    """Convert TREC qrels to a BEIR qrels file."""
    from rankdistill.verbs import data

    console.show(data.trec_qrels(file, out, lenient=lenient), json)
