"""`rankdistill sparsity`: what a sparse model's vectors cost, and what fewer terms cost in quality."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rankdistill.cli import console, parsing
from rankdistill.cli.options import Backend, Data, IdenticalIds, Json, Lenient, Split


def sparsity(
    data: Data,
    model: Annotated[str, typer.Option(help="Sparse encoder: path, hub id or pypi:NAME.")],
    out: Annotated[Path, typer.Option(help="Folder for sparsity.json.")],
    split: Split = "test",
    document_terms: Annotated[
        str | None, typer.Option(help="Heaviest terms kept of a document, as 32,64,128.", show_default=False)
    ] = None,
    query_terms: Annotated[
        str | None, typer.Option(help="Heaviest terms kept of a query, as 8,16.", show_default=False)
    ] = None,
    thresholds: Annotated[
        str | None, typer.Option(help="Weights of documents below are left out, as 0.1,0.5.", show_default=False)
    ] = None,
    max_length: Annotated[int | None, typer.Option(min=4, help="Tokens a text; the model's own unless given.")] = None,
    backend: Backend = "auto",
    lenient: Lenient = False,
    ignore_identical_ids: IdenticalIds = None,
    json: Json = False,
) -> None:
    """Measure active terms, FLOPS and index size of a sparse model, whole and pruned, beside the quality."""
    from rankdistill.verbs.sparsity import sparsity as measure

    console.show(
        measure(
            data,
            model,
            out,
            split=split,
            document_terms=parsing.wholes(document_terms or None, "document term") or (),
            query_terms=parsing.wholes(query_terms or None, "query term") or (),
            thresholds=parsing.numbers(thresholds or None, "threshold") or (),
            max_length=max_length,
            backend=backend,
            lenient=lenient,
            ignore_identical_ids=ignore_identical_ids,
            progress=True,
            command=console.command(),
        ),
        json,
    )
