"""`rankdistill search`: the best documents of an index for a query."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rankdistill.cli import console


def search(
    index: Annotated[Path, typer.Option(help="Folder written by `rankdistill index`.")],
    query: Annotated[list[str], typer.Option(help="What to look for; may be repeated.")],
    k: Annotated[int, typer.Option(help="How many documents.")] = 10,
    model: Annotated[str | None, typer.Option(help="Query model or bundle; the index's own unless given.")] = None,
    backend: Annotated[str, typer.Option(help="What runs the model.")] = "auto",
    parameter: Annotated[
        list[str], typer.Option(help="Search parameter, NAME=VALUE, as efSearch=256; may be repeated.")
    ] = [],  # noqa: B006
    data: Annotated[Path | None, typer.Option(help="BEIR folder: shows whole texts.")] = None,
) -> None:
    """Search an index with text: ids, scores, and the beginnings of the documents where the index keeps them."""
    from rankdistill.data import load as load_data
    from rankdistill.index import load
    from rankdistill.index.faiss import parse_search_parameters

    found = load(index, search_parameters=parse_search_parameters(parameter))
    encoder = found.open_query_encoder(model, backend)
    contents = load_data(data, "lenient").contents if data else None
    for text, hits in zip(query, found.search_texts(query, k, encoder), strict=True):
        if len(query) > 1:
            console.out.print(f"# {text}", markup=False, highlight=False)
        shown = contents if contents is not None else found.snippets([hit.doc_id for hit in hits])
        for rank, hit in enumerate(hits, start=1):
            line = f"{rank:>3}  {hit.score:.4f}  {hit.doc_id}  {shown.get(hit.doc_id, '')}"
            console.out.print(" ".join(line.splitlines()).rstrip(), markup=False, highlight=False, soft_wrap=True)
