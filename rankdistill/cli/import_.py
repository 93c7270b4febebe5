"""`rankdistill import`: scores that others computed, into a store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from rankdistill.cli import console
from rankdistill.cli.locations import place


def import_(
    format_: Annotated[str, typer.Option("--format", help="Format of the input; docs/formats.md lists them.")],
    input_: Annotated[list[Path], typer.Option("--input", help="File or folder; may be repeated.")],
    teacher_name: Annotated[str, typer.Option(help="Name of the teacher that these are the scores of.")],
    out: Annotated[
        Path,
        typer.Option(help="Store to add them to, also s3://...; created if absent.", parser=place, metavar="STORE"),
    ],
    data: Annotated[
        Path | None,
        typer.Option(help="BEIR folder for texts and labels; without it, the store's own texts, or ids only."),
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
    lenient: Annotated[bool, typer.Option("--lenient", help="Leave bad rows out instead of stopping.")] = False,
) -> None:
    """Add scores from a file to a store, as a teacher of its own. The same import again changes nothing."""
    from typing import cast

    from rankdistill.data import load
    from rankdistill.formats import importing
    from rankdistill.teachers.base import ScoreKind

    dataset = load(data, "lenient" if lenient else "strict") if data else None
    console.show_reports(dataset.reports if dataset else [])
    request = importing.Request(
        format_,
        input_,
        teacher_name,
        score_kind=cast(ScoreKind | None, score_kind),
        dataset=dataset,
        split=split,
        lenient=lenient,
        allow_pickle=allow_pickle,
    )
    run = importing.import_scores if as_ == "scores" else importing.import_candidates
    with console.progress("rows") as bar:
        task = bar.add_task(f"importing {teacher_name}", total=None)
        done = run(request, out, command=console.command(), progress=lambda rows: bar.advance(task, rows))
    console.show_reports(list(done.reports))
    if done.rejected > len(done.reports):
        console.err.print(f"{done.rejected:,} bad rows in all", highlight=False)
    console.out.print(
        f"{out}: {done.pairs:,} pairs of {done.queries:,} queries from {teacher_name}"
        + ("" if done.added else ", held already"),
        highlight=False,
        soft_wrap=True,
    )
