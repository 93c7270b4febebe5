"""`rankdistill mine`: candidates per query."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rankdistill.cli import console, parsing
from rankdistill.cli.help import MORE
from rankdistill.cli.options import IdenticalIds, Json


def mine(
    data: Annotated[Path, typer.Option(help="BEIR folder.")],
    out: Annotated[Path, typer.Option(help="Folder for the candidates.")],
    split: Annotated[
        str | None,
        typer.Option(
            help="Whose queries and labels; unjudged: queries that no split judges. Default: train, or all queries of "
            "a folder without judgements."
        ),
    ] = None,
    source: Annotated[
        list[str],
        typer.Option(
            help="bm25[:TOKENIZER] (english, german, ..., words, cjk), dense:MODEL, sparse:MODEL, multi-vector:MODEL, "
            "lucene-bm25[:LANGUAGE] or index:INDEX; NAME=... where two are of one kind; may be repeated."
        ),
    ] = ["bm25"],  # noqa: B006 - typer's default, never changed
    depth: Annotated[int, typer.Option(help="How deep each source is asked.")] = 50,
    model: Annotated[str | None, typer.Option(help="Model of sources written without one, as `dense`.")] = None,
    max_length: Annotated[
        int | None, typer.Option(min=4, help="Tokens that models read of a text.", rich_help_panel=MORE)
    ] = None,
    ranks: Annotated[
        list[str],
        typer.Option(help="Keep ranks FIRST:LAST only, or of one source SOURCE=FIRST:LAST; positives are always kept."),
    ] = [],  # noqa: B006
    sample: Annotated[
        list[str], typer.Option(help="Draw N from the ranks, uniformly, or of one source SOURCE=N.")
    ] = [],  # noqa: B006
    seed: Annotated[int, typer.Option(help="Seed of the draw.", rich_help_panel=MORE)] = 0,
    keep_top: Annotated[
        bool,
        typer.Option(
            "--keep-top",
            help="Of queries without a relevant document keep the first of each list too, whatever --ranks and "
            "--sample say: `train --unlabelled top` declares it their positive.",
            rich_help_panel=MORE,
        ),
    ] = False,
    fusion: Annotated[
        str | None, typer.Option(help="rrf, min_max or z_score: let the fused list of the sources choose.")
    ] = None,
    weights: Annotated[
        str | None, typer.Option(help="Of the fusion, one a source, as 0.7,0.3.", rich_help_panel=MORE)
    ] = None,
    limit_queries: Annotated[int | None, typer.Option(help="Mine this many queries, chosen by hash.")] = None,
    lenient: Annotated[bool, typer.Option("--lenient", help="Leave bad rows out instead of stopping.")] = False,
    ignore_identical_ids: IdenticalIds = None,
    json: Json = False,
) -> None:
    """Retrieve candidate documents for the queries of a split; judged positives are always kept."""
    import rankdistill

    console.show(
        rankdistill.mine(
            data,
            out,
            source,
            split=split,
            depth=depth,
            model=model,
            max_length=max_length,
            ranks=ranks,
            sample=sample,
            seed=seed,
            keep_top=keep_top,
            fusion=fusion,
            weights=parsing.numbers(weights, "weight"),
            limit_queries=limit_queries,
            lenient=lenient,
            ignore_identical_ids=ignore_identical_ids,
            progress=True,
            command=console.command(),
        ),
        json,
    )
