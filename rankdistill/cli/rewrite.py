"""`rankdistill rewrite`: questions of conversations that mean the same without them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rankdistill.cli import console
from rankdistill.cli.help import MORE
from rankdistill.cli.options import Json


def rewrite(
    sessions: Annotated[Path, typer.Option(help="Folder of sessions, as `data convert` makes it.")],
    rewriter: Annotated[
        str,
        typer.Option(
            help="A model that writes (T5, BART, a chat model), the address of a service (http://HOST/v1#MODEL), a "
            "file of rewrites (.jsonl, .tsv, .parquet), or a YAML file with a kind and its settings (docs/sessions.md)."
        ),
    ],
    name: Annotated[str, typer.Option(help="What the rewrites are called; several stand side by side.")],
    out: Annotated[Path, typer.Option(help="The folder of sessions itself, or another one for a copy with rewrites.")],
    split: Annotated[
        list[str] | None, typer.Option(help="Rewrite the questions of this split alone; may be repeated.")
    ] = None,
    cache: Annotated[
        Path | None, typer.Option(help="Folder that keeps what models and services wrote, for other calls.")
    ] = None,
    unit_size: Annotated[
        int, typer.Option(help="Questions at a time: what a kill can cost.", min=1, rich_help_panel=MORE)
    ] = 64,
    json: Json = False,
) -> None:
    """Rewrite the questions of conversations so that each means the same without its conversation."""
    import rankdistill

    console.show(
        rankdistill.rewrite(
            sessions,
            rewriter,
            out,
            name=name,
            splits=split or (),
            cache=cache,
            unit_size=unit_size,
            progress=True,
            command=console.command(),
        ),
        json,
    )
