"""`rankdistill search`: the best documents of an index for a query."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rankdistill.cli import console, parsing
from rankdistill.cli.options import Fusion, Json, Weights


def search(
    index: Annotated[list[Path], typer.Option(help="Folder of `rankdistill index`; several are fused.")],
    query: Annotated[list[str], typer.Option(help="What to look for; may be repeated.")] = [],  # noqa: B006
    session: Annotated[
        Path | None,
        typer.Option(help="A conversation instead: JSON, a list of texts, oldest first, or of {role, text}."),
    ] = None,
    k: Annotated[int, typer.Option(help="How many documents.")] = 10,
    model: Annotated[str | None, typer.Option(help="Query model or bundle; the index's own unless given.")] = None,
    backend: Annotated[str, typer.Option(help="What runs the model.")] = "auto",
    parameter: Annotated[
        list[str],
        typer.Option(help="Search parameter, NAME=VALUE, as efSearch=256; INDEX:NAME=VALUE for one of several."),
    ] = [],  # noqa: B006
    filter: Annotated[
        str | None,
        typer.Option(
            help='What documents must be, as JSON: {"must": [{"field": "year", "gte": 2000}], "must_not": [...]}.'
        ),
    ] = None,
    data: Annotated[Path | None, typer.Option(help="BEIR folder: shows whole texts.")] = None,
    fusion: Fusion = None,
    weights: Weights = None,
    json: Json = False,
) -> None:
    """Search with text: ids, scores, and the beginnings of the documents where an index keeps them."""
    import rankdistill

    console.show(
        rankdistill.search(
            index,
            query or None,
            k,
            session=session,
            model=model,
            backend=backend,
            search_parameters=parameter,
            filter=parsing.json_object(filter, "a filter"),
            data=data,
            fusion=fusion,
            weights=parsing.numbers(weights, "weight"),
        ),
        json,
    )
