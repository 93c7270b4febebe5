"""`rankdistill queries`: queries from documents alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rankdistill.cli import console
from rankdistill.cli.help import MORE
from rankdistill.cli.options import Data, Json, Lenient


def queries(
    data: Data,
    out: Annotated[Path, typer.Option(help="Folder for the collection with generated queries.")],
    generator: Annotated[
        list[str],
        typer.Option(
            help="embedded (needs no model), titles, headings, first_sentences, spans, keywords, seq2seq:MODEL, "
            "causal:MODEL, or a YAML file with a kind and its settings (docs/queries.md); may be repeated."
        ),
    ] = ["embedded"],  # noqa: B006 - typer's default, never changed
    split: Annotated[str, typer.Option(help="What the split of generated queries is called; others come along.")] = (
        "train"
    ),
    per_document: Annotated[int, typer.Option(help="Queries of a document and generator.", min=1)] = 3,
    limit_documents: Annotated[
        int | None, typer.Option(help="Make queries of this many documents, chosen by hash.", min=1)
    ] = None,
    teacher: Annotated[
        str,
        typer.Option(
            help="What must find a query's document: bm25[:TOKENIZER], a model that embeds, or a source of `mine`."
        ),
    ] = "bm25",
    max_length: Annotated[
        int | None, typer.Option(min=4, help="Tokens that the teacher reads of a text.", rich_help_panel=MORE)
    ] = None,
    round_trip: Annotated[
        int, typer.Option(help="Among how many first documents it must be; 0: no search.", min=0)
    ] = 10,
    shortest: Annotated[int, typer.Option(help="Words of a query at least.", min=1, rich_help_panel=MORE)] = 2,
    longest: Annotated[int, typer.Option(help="Words of a query at most.", min=1, rich_help_panel=MORE)] = 40,
    near_duplicate: Annotated[
        float,
        typer.Option(
            help="Similarity from which the later of two queries goes; 0: only equal ones.",
            min=0,
            max=1,
            rich_help_panel=MORE,
        ),
    ] = 0.7,
    dev: Annotated[
        int, typer.Option(help="Let this many be the split dev, where there is none.", min=0, rich_help_panel=MORE)
    ] = 0,
    test: Annotated[int, typer.Option(help="Likewise test.", min=0, rich_help_panel=MORE)] = 0,
    unjudged: Annotated[
        bool,
        typer.Option(
            "--unjudged", help="Let queries that no split judges come along, as a log's.", rich_help_panel=MORE
        ),
    ] = False,
    cache: Annotated[
        Path | None, typer.Option(help="Folder that keeps what models and services wrote, for other calls.")
    ] = None,
    unit_size: Annotated[
        int, typer.Option(help="Documents at a time: what a kill can cost.", min=1, rich_help_panel=MORE)
    ] = 64,
    lenient: Lenient = False,
    json: Json = False,
) -> None:
    """Make queries of documents alone, and write them with the documents as a collection that every verb takes."""
    import rankdistill

    console.show(
        rankdistill.queries(
            data,
            out,
            generator,
            split=split,
            per_document=per_document,
            limit_documents=limit_documents,
            teacher=teacher,
            max_length=max_length,
            round_trip=round_trip,
            shortest=shortest,
            longest=longest,
            near_duplicate=near_duplicate,
            dev=dev,
            test=test,
            unjudged=unjudged,
            cache=cache,
            unit_size=unit_size,
            lenient=lenient,
            progress=True,
            command=console.command(),
        ),
        json,
    )
