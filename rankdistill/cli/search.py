"""`rankdistill search`: the best documents of an index for a query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rankdistill.cli import console

if TYPE_CHECKING:
    from rankdistill.indexing import StoredIndex


def search(
    index: Annotated[list[Path], typer.Option(help="Folder of `rankdistill index`; several are fused.")],
    query: Annotated[list[str], typer.Option(help="What to look for; may be repeated.")],
    k: Annotated[int, typer.Option(help="How many documents.")] = 10,
    model: Annotated[str | None, typer.Option(help="Query model or bundle; the index's own unless given.")] = None,
    backend: Annotated[str, typer.Option(help="What runs the model.")] = "auto",
    parameter: Annotated[
        list[str],
        typer.Option(help="Search parameter, NAME=VALUE, as efSearch=256; INDEX:NAME=VALUE for one of several."),
    ] = [],  # noqa: B006
    data: Annotated[Path | None, typer.Option(help="BEIR folder: shows whole texts.")] = None,
    fusion: Annotated[str | None, typer.Option(help="How several indexes are fused: rrf, min_max or z_score.")] = None,
    weights: Annotated[str | None, typer.Option(help="Of the fusion, one an index, as 0.7,0.3.")] = None,
) -> None:
    """Search with text: ids, scores, and the beginnings of the documents where an index keeps them."""
    from rankdistill.cli.fusing import parse_fusion, require_fusable
    from rankdistill.cli.parameters import parameters_of
    from rankdistill.data import load as load_data
    from rankdistill.indexing import load
    from rankdistill.indexing.fused import search_fused

    fused = parse_fusion(fusion, weights)
    require_fusable(len(index), fused, model)
    indexes = [
        load(one, search_parameters=found) for one, found in zip(index, parameters_of(parameter, index), strict=True)
    ]
    encoders = [one.open_query_encoder(model, backend) for one in indexes]
    if fused is None:
        found = indexes[0].search_texts(query, k, encoders[0])
    else:
        found = search_fused(indexes, encoders, query, k, fused)
    contents = load_data(data, "lenient").contents if data else None
    for text, hits in zip(query, found, strict=True):
        if len(query) > 1:
            console.out.print(f"# {text}", markup=False, highlight=False)
        if not hits:
            console.err.print(f"nothing found for {text!r}", markup=False, highlight=False, soft_wrap=True)
        shown = contents if contents is not None else _snippets(indexes, [hit.doc_id for hit in hits])
        for rank, hit in enumerate(hits, start=1):
            line = f"{rank:>3}  {hit.score:.4f}  {hit.doc_id}  {shown.get(hit.doc_id, '')}"
            console.out.print(" ".join(line.splitlines()).rstrip(), markup=False, highlight=False, soft_wrap=True)


def _snippets(indexes: Sequence[StoredIndex], ids: Sequence[str]) -> Mapping[str, str]:
    """Of the first index that keeps them."""
    return next((found for index in indexes if (found := index.snippets(ids))), {})
