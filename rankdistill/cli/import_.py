"""`rankdistill import`: scores that others computed, into a store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from rankdistill.cli import console
from rankdistill.cli.options import Json, Lenient


def import_(
    input_: Annotated[list[Path], typer.Option("--input", help="File or folder; may be repeated.")],
    out: Annotated[
        str,
        typer.Option(help="Store to add them to, also s3://...; created if absent.", metavar="STORE"),
    ],
    format_: Annotated[str, typer.Option("--format", help="Format of the input; docs/formats.md lists them.")],
    teacher_name: Annotated[str, typer.Option(help="Name of the teacher that these are the scores of.")],
    data: Annotated[
        Path | None,
        typer.Option(help="Collection, for texts and labels; without it, the store's own texts, or ids only."),
    ] = None,
    split: Annotated[str | None, typer.Option(help="Split whose labels count; every split's by default.")] = None,
    score_kind: Annotated[
        str | None,
        typer.Option(help="Unit of the scores: logit, probability, cosine, dot or rank; unknown where not given."),
    ] = None,
    as_: Annotated[
        Literal["scores", "candidates"],
        typer.Option("--as", help="A store of scores; or candidates for `rankdistill score`, which need no scores."),
    ] = "scores",
    allow_pickle: Annotated[
        bool, typer.Option("--allow-pickle", help="Read a pickle; only plain numbers are admitted.")
    ] = False,
    lenient: Lenient = False,
    json: Json = False,
) -> None:
    """Add scores from a file to a store, as a teacher of its own. The same import again changes nothing."""
    import rankdistill

    console.show(
        rankdistill.import_scores(
            input_,
            out,
            format=format_,
            teacher_name=teacher_name,
            data=data,
            split=split,
            score_kind=score_kind,
            as_=as_,
            allow_pickle=allow_pickle,
            lenient=lenient,
            progress=True,
            command=console.command(),
        ),
        json,
    )
