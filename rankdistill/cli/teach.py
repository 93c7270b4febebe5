"""`rankdistill teach`: a cross-encoder teacher from any encoder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rankdistill.cli import console
from rankdistill.cli.collection import open_collection
from rankdistill.cli.options import IdenticalIds


def teach(
    data: Annotated[Path, typer.Option(help="BEIR folder.")],
    candidates: Annotated[Path, typer.Option(help="Candidates of the split, from `rankdistill mine`.")],
    base: Annotated[str, typer.Option(help="Encoder to start from: path, hub id or pypi:NAME.")],
    out: Annotated[Path, typer.Option(help="Folder for the teacher.")],
    split: Annotated[str, typer.Option(help="Whose queries and labels.")] = "train",
    loss: Annotated[str, typer.Option(help="ranknet or bce.")] = "ranknet",
    negatives: Annotated[int, typer.Option(help="Unlabelled candidates a positive.")] = 7,
    epochs: Annotated[float, typer.Option(help="Passes over the positives.")] = 1.0,
    steps: Annotated[int | None, typer.Option(help="Optimiser steps, instead of epochs.")] = None,
    batch_size: Annotated[int, typer.Option(help="Positives, with their negatives, a step.")] = 16,
    learning_rate: Annotated[float, typer.Option(help="Peak learning rate.")] = 7e-5,
    max_length: Annotated[
        int | None, typer.Option(min=4, help="Tokens of a pair; 256 or the base's positions unless given.")
    ] = None,
    dev_split: Annotated[str, typer.Option(help="Split of the dev candidates.")] = "dev",
    dev_candidates: Annotated[
        Path | None, typer.Option(help="Re-ranked on the way, and at the end beside their own order and the base.")
    ] = None,
    dev_queries: Annotated[int, typer.Option(help="Queries of the dev split at most.")] = 100,
    seed: Annotated[int, typer.Option(help="Seed of the head, the draw and dropout.")] = 13,
    bf16: Annotated[bool | None, typer.Option(help="bfloat16 autocast; left out: where it is faster.")] = None,
    ignore_identical_ids: IdenticalIds = None,
) -> None:
    """Fine-tune a cross-encoder on relevance labels and mined negatives; run again to go on after an interruption."""
    from rankdistill.teachers.teach import Dev, steps_of, teach
    from rankdistill.teachers.teaching.config import TeachConfig

    config = TeachConfig(
        loss=loss,  # type: ignore[arg-type]  # checked by the config itself
        negatives=negatives,
        epochs=epochs,
        steps=steps,
        batch_size=batch_size,
        learning_rate=learning_rate,
        max_length=max_length,
        bf16=bf16,
        seed=seed,
        dev_queries=dev_queries,
    )
    dataset = open_collection(data, split, ignore_identical_ids=ignore_identical_ids)
    labelled = sum(label > 0 for labels in dataset.qrels(split).values() for label in labels.values())
    with console.progress("queries") as bar:
        task = bar.add_task("teach", total=steps_of(config, labelled) * batch_size)
        made = teach(
            dataset,
            split,
            candidates,
            base,
            out,
            config,
            dev=Dev(dev_split, dev_candidates) if dev_candidates is not None else None,
            progress=lambda advanced: bar.advance(task, advanced),
            command=console.command(),
        )
        if not made:
            bar.remove_task(task)
    _summarise(out, made)


def _summarise(out: Path, made: bool) -> None:
    """Print the dev figures before and after."""
    import json

    from rankdistill.teachers.teach import LOG_FILE
    from rankdistill.teachers.teaching import beside
    from rankdistill.teachers.teaching.reranking import METRIC

    if not made:
        console.err.print(f"{out} is up to date", highlight=False, soft_wrap=True)
    log = json.loads((out / LOG_FILE).read_text(encoding="utf-8"))
    console.note_clipping(log, "a lower learning rate or a larger batch may help")
    figures = log[METRIC]
    if figures:
        console.out.print(
            f"dev nDCG@10 {figures[0]['value']:.4f} before, {figures[-1]['value']:.4f} after", highlight=False
        )
    for line in beside.figures(log):
        console.out.print(line, highlight=False, markup=False, soft_wrap=True)
    for line in beside.notes(log):
        console.note(line)
    console.out.print(f"teacher: {out}", highlight=False)
