"""`rankdistill explain`: the terms that a sparse model gives a text."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from rankdistill.cli import console


class AsA(StrEnum):
    """What the text is encoded as."""

    query = "query"
    document = "document"


def explain(
    model: Annotated[str, typer.Option(help="Sparse encoder: path, hub id or pypi:NAME.")],
    text: Annotated[list[str], typer.Option(help="The text; may be repeated.")],
    side: Annotated[AsA, typer.Option("--as", help="What the text is.")] = AsA.document,
    query: Annotated[str | None, typer.Option(help="Show what the text shares with this query, by its score.")] = None,
    top: Annotated[int, typer.Option(help="Terms shown; 0 shows all.", min=0)] = 20,
    max_length: Annotated[int | None, typer.Option(min=4, help="Tokens a text; the model's own unless given.")] = None,
    backend: Annotated[str, typer.Option(help="What runs the model.")] = "auto",
) -> None:
    """Show the terms and weights that a sparse model gives a text, and which of them the text does not have itself."""
    from rankdistill.cli.tables import show
    from rankdistill.errors import ConfigError
    from rankdistill.evaluation.explaining import explain as explained
    from rankdistill.inference.sparse_encoder import SparseTextEncoder
    from rankdistill.verbs.lengths import note_longer

    if query is not None and side is AsA.query:
        raise ConfigError(
            expected="a document to compare with --query",
            got="--as query",
            consequence="nothing was explained",
            remedy="leave one of the two out",
        )
    note_longer(model, max_length)
    encoder = SparseTextEncoder(model, backend, max_length)
    for one in text:
        terms = explained(encoder, one, side.value, query)
        title = f"{one}\n{len(terms)} terms, {sum(term.expansion for term in terms)} of them not in the text"
        if query is not None:
            title += f"; score {sum(term.score for term in terms):.4f}"
        header = ["term", "", "weight"] + (["in the query", "product"] if query is not None else [])
        rows = [
            [term.term, "expansion" if term.expansion else "", f"{term.weight:.4f}"]
            + ([] if term.query_weight is None else [f"{term.query_weight:.4f}", f"{term.score:.4f}"])
            for term in terms[: top or None]
        ]
        show(title, header, rows, texts=2)
        if len(rows) < len(terms):
            console.out.print(f"and {len(terms) - len(rows)} more", highlight=False)
