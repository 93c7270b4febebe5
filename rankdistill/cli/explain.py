"""`rankdistill explain`: the terms that a sparse model gives a text."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from rankdistill.cli import console
from rankdistill.cli.options import Backend, Json


def explain(
    model: Annotated[str, typer.Option(help="Sparse encoder: path, hub id or pypi:NAME.")],
    text: Annotated[list[str], typer.Option(help="The text; may be repeated.")],
    as_: Annotated[Literal["query", "document"], typer.Option("--as", help="What the text is.")] = "document",
    query: Annotated[str | None, typer.Option(help="Show what the text shares with this query, by its score.")] = None,
    top: Annotated[int, typer.Option(help="Terms shown; 0 shows all.", min=0)] = 20,
    max_length: Annotated[int | None, typer.Option(min=4, help="Tokens a text; the model's own unless given.")] = None,
    backend: Backend = "auto",
    json: Json = False,
) -> None:
    """Show the terms and weights that a sparse model gives a text, and which of them the text does not have itself."""
    from rankdistill.verbs.explain import explain as explained

    found = explained(model, text, as_=as_, query=query, top=top, max_length=max_length, backend=backend)
    console.show(found, json)
