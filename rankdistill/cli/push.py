"""`rankdistill push`: an index's vectors into a search engine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rankdistill.cli import console
from rankdistill.cli.help import MORE
from rankdistill.cli.options import ApiKeyEnv, Json


def push(
    to: Annotated[
        str,
        typer.Option(help="Engine: qdrant, milvus, pgvector, lancedb, opensearch or elasticsearch.", metavar="ENGINE"),
    ],
    url: Annotated[
        str, typer.Option(help="Of the engine; docs/engines.md lists the forms. Folders for embedded ones.")
    ],
    collection: Annotated[str, typer.Option(help="Name there: the collection, table or index.")],
    index: Annotated[
        list[Path], typer.Option(help="Built index; give it twice for dense and sparse vectors of the same documents.")
    ] = [],  # noqa: B006
    embeddings: Annotated[
        Path | None, typer.Option(help="Store of document vectors, in place of an index.", rich_help_panel=MORE)
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="BEIR folder: whole texts go with the vectors; ids too with --embeddings.")
    ] = None,
    exact: Annotated[bool, typer.Option("--exact", help="Build no graph: every search computes every score.")] = False,
    parameter: Annotated[
        list[str], typer.Option(help="Of the graph: m=16, efConstruction=200.", rich_help_panel=MORE)
    ] = [],  # noqa: B006
    replace: Annotated[
        bool, typer.Option("--replace", help="Remove a collection of this name that holds something else.")
    ] = False,
    batch_size: Annotated[int, typer.Option(help="Documents written together.", min=1, rich_help_panel=MORE)] = 500,
    api_key_env: ApiKeyEnv = None,
    json: Json = False,
) -> None:
    """Write an index's vectors into a search engine; taken up where it stopped, counted at the end."""
    import rankdistill

    console.show(
        rankdistill.push(
            index or None,
            to=to,
            url=url,
            collection=collection,
            embeddings=embeddings,
            data=data,
            exact=exact,
            parameters=parameter,
            replace=replace,
            batch_size=batch_size,
            api_key_env=api_key_env,
            progress=True,
        ),
        json,
    )
