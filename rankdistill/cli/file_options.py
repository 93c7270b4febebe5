"""Options of the verbs that read files as users have them, said once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rankdistill.cli.help import MORE

Kind = Annotated[
    str | None,
    typer.Option("--from", help="files, csv, jsonl, parquet, datasets or beir; found unless given."),
]
Id = Annotated[str | None, typer.Option(help="Column of ids; this and the next two are found by name unless given.")]
Title = Annotated[str | None, typer.Option(help="Column of titles.")]
Text = Annotated[str | None, typer.Option(help="Column of texts.")]
Keep = Annotated[
    list[str] | None,
    typer.Option(
        help="Column to keep as metadata, NAME or NAME:integer, NAME:number; may be repeated; '*' for all.",
        rich_help_panel=MORE,
    ),
]
NumberRows = Annotated[bool, typer.Option("--number-rows", help="Let ids be the rows' numbers.", rich_help_panel=MORE)]
Queries = Annotated[
    Path | None, typer.Option(help="File of queries, as of a log: JSONL, CSV, Parquet, or a text a line.")
]
Qrels = Annotated[
    list[str] | None,
    typer.Option(help="Judgements, FILE or SPLIT=FILE: TREC, or a table as BEIR's; may be repeated."),
]
Clicks = Annotated[
    Path | None, typer.Option(help="Table of query (id or text), document and perhaps a count of clicks.")
]
QueryId = Annotated[str | None, typer.Option(help="Column of ids in --queries.", rich_help_panel=MORE)]
QueryText = Annotated[str | None, typer.Option(help="Column of texts in --queries.", rich_help_panel=MORE)]
QrelsColumns = Annotated[
    str | None, typer.Option(help="Columns QUERY,DOCUMENT,LABEL of --qrels.", rich_help_panel=MORE)
]
ClicksColumns = Annotated[
    str | None, typer.Option(help="Columns QUERY,DOCUMENT,COUNT of --clicks.", rich_help_panel=MORE)
]
MinClicks = Annotated[int, typer.Option(help="Clicks of a pair that count at all.", min=1, rich_help_panel=MORE)]
Encoding = Annotated[str | None, typer.Option(help="Of text files and CSV; found unless given.", rich_help_panel=MORE)]
Delimiter = Annotated[
    str | None, typer.Option(help="Between columns of CSV; found unless given.", rich_help_panel=MORE)
]
PassageTokens = Annotated[int | None, typer.Option(help="Cut documents into passages of so many tokens.")]
Overlap = Annotated[int, typer.Option(help="Tokens that passages have in common.", min=0)]
