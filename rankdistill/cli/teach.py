"""`rankdistill teach`: a cross-encoder teacher from any encoder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rankdistill.cli import console, options
from rankdistill.cli.help import MORE


def teach(
    data: options.Data,
    candidates: Annotated[Path, typer.Option(help="Candidates of the split, from `rankdistill mine`.")],
    base: Annotated[str, typer.Option(help="Encoder to start from: path, hub id or pypi:NAME.")],
    out: Annotated[Path, typer.Option(help="Folder for the teacher.")],
    split: Annotated[str, typer.Option(help="Whose queries and labels.")] = "train",
    dev_split: Annotated[str, typer.Option(help="Split of the dev candidates.")] = "dev",
    dev_candidates: Annotated[
        Path | None,
        typer.Option(help="Re-ranked on the way; at the end compared with their order, BM25 and the base."),
    ] = None,
    dev_queries: Annotated[
        int | None, typer.Option(help="Queries of the dev split at most (default 100).", rich_help_panel=MORE)
    ] = None,
    loss: Annotated[str | None, typer.Option(help="ranknet (default) or bce.")] = None,
    negatives: Annotated[
        int | None, typer.Option(help="Unlabelled candidates a positive (default 7).", rich_help_panel=MORE)
    ] = None,
    epochs: Annotated[float | None, typer.Option(help="Passes over the positives (default 1).")] = None,
    steps: Annotated[int | None, typer.Option(help="Optimiser steps, instead of epochs.")] = None,
    batch_size: Annotated[
        int | None, typer.Option(help="Positives, with their negatives, a step (default 16).", rich_help_panel=MORE)
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="Peak learning rate (default 7e-5).", rich_help_panel=MORE)
    ] = None,
    max_length: Annotated[
        int | None,
        typer.Option(min=8, help="Tokens of a pair; 256 or the base's positions unless given.", rich_help_panel=MORE),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Seed of the head, the draw and dropout (default 13).", rich_help_panel=MORE)
    ] = None,
    bf16: Annotated[
        bool | None, typer.Option(help="bfloat16 autocast; left out: where it is faster.", rich_help_panel=MORE)
    ] = None,
    allow_worse: Annotated[
        bool,
        typer.Option("--allow-worse", help="End with 0 even if BM25, the candidates' order or the base ranks better."),
    ] = False,
    config: Annotated[
        Path | None, typer.Option(help="YAML file with any setting of `TeachConfig`, one a line; flags win.")
    ] = None,
    lenient: options.Lenient = False,
    ignore_identical_ids: options.IdenticalIds = None,
    json: options.Json = False,
) -> None:
    """Fine-tune a cross-encoder on relevance labels and mined negatives; run again to go on after an interruption.

    With --dev-candidates it ends with 1 where BM25, their own order or the base ranks them better than the teacher.
    """
    import rankdistill

    taught = rankdistill.teach(
        data,
        candidates,
        base,
        out,
        split=split,
        dev_split=dev_split,
        dev_candidates=dev_candidates,
        lenient=lenient,
        ignore_identical_ids=ignore_identical_ids,
        allow_worse=allow_worse,
        config=config,
        progress=True,
        command=console.command(),
        dev_queries=dev_queries,
        loss=loss,
        negatives=negatives,
        epochs=epochs,
        steps=steps,
        batch_size=batch_size,
        learning_rate=learning_rate,
        max_length=max_length,
        seed=seed,
        bf16=bf16,
    )
    console.show(taught, json)
    taught.require()
