"""`rankdistill rerank`: the documents of a run in the order of a student or a teacher."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rankdistill.cli import console
from rankdistill.cli.options import Backend, Data, Evaluated, IdenticalIds, Json, Latency, Lenient, Split


def rerank(
    data: Data,
    run: Annotated[
        Path, typer.Option(help="Candidates: folder of `rankdistill evaluate`, a TREC or a Parquet run file.")
    ],
    model: Annotated[
        str,
        typer.Option(help="What scores: a cross-encoder, multi-vector, sparse or dense model, a pair head; or a YAML."),
    ],
    out: Evaluated,
    split: Split = "test",
    depth: Annotated[int, typer.Option(help="Documents a query that are scored; the rest follow.", min=1)] = 100,
    kind: Annotated[str, typer.Option(help="Kind of the model; found from its configuration.")] = "auto",
    backend: Backend = "auto",
    max_length: Annotated[
        int | None, typer.Option(min=4, help="Tokens an input; the model's own unless given.")
    ] = None,
    latency: Latency = 0,
    name: Annotated[str | None, typer.Option(help="What tables call the system.")] = None,
    lenient: Lenient = False,
    ignore_identical_ids: IdenticalIds = None,
    json: Json = False,
) -> None:
    """Score the candidates of a run with a model, and evaluate the new order beside the old one."""
    import rankdistill

    console.show(
        rankdistill.rerank(
            data,
            run,
            model,
            out,
            split=split,
            depth=depth,
            kind=kind,
            backend=backend,
            max_length=max_length,
            latency=latency,
            name=name,
            lenient=lenient,
            ignore_identical_ids=ignore_identical_ids,
            progress=True,
            command=console.command(),
        ),
        json,
    )
