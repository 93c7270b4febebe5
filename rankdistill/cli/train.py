"""`rankdistill train`: a student from stored teacher scores."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rankdistill.cli import console
from rankdistill.cli.locations import place


def train(
    data: Annotated[Path, typer.Option(help="Folder in BEIR layout; its splits say which queries are held out.")],
    store: Annotated[
        Path, typer.Option(help="Score store made by `rankdistill score`; also s3://...", parser=place, metavar="STORE")
    ],
    student: Annotated[str, typer.Option(help="Model to start from: path, hub id or pypi:DISTRIBUTION.")],
    out: Annotated[Path, typer.Option(help="Folder of the trained student.")],
    keep_layers: Annotated[str | None, typer.Option(help="Train only these layers, such as 0,5.")] = None,
    loss: Annotated[
        str | None, typer.Option(help="margin_mse (default), margin_mse_all, kl_div or contrastive.")
    ] = None,
    split: Annotated[str, typer.Option(help="Split whose queries are trained on.")] = "train",
    dev_split: Annotated[
        str | None, typer.Option(help="Split for nDCG@10 while training; keeps the best step.")
    ] = None,
    teacher: Annotated[str | None, typer.Option(help="Teacher id, where the store has several.")] = None,
    teachers: Annotated[str | None, typer.Option(help="Train on an ensemble of these: A,B,C.")] = None,
    calibrate: Annotated[str | None, typer.Option(help="Calibration of the ensemble (default zscore).")] = None,
    missing: Annotated[
        str | None,
        typer.Option(help="Pairs that only some of the ensemble scored: error (default), intersect, impute."),
    ] = None,
    weights: Annotated[str | None, typer.Option(help="One a teacher of the ensemble (default equal).")] = None,
    reference: Annotated[str | None, typer.Option(help="Teacher whose unit the ensemble is mapped to.")] = None,
    negatives: Annotated[int | None, typer.Option(help="Negatives a row (default 4).")] = None,
    sampling: Annotated[str | None, typer.Option(help="Negatives drawn: stratified (default) or uniform.")] = None,
    steps: Annotated[int | None, typer.Option(help="Optimiser steps (default: one pass).")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Rows a step (default 32).")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Peak learning rate (default 5e-5).")] = None,
    scale: Annotated[str | None, typer.Option(help="Similarity to teacher unit: auto, learned or a number.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of sampling, order and dropout (default 13).")] = None,
    no_check: Annotated[bool, typer.Option("--no-check", help="Train even if a check of the scores fails.")] = False,
    config: Annotated[Path | None, typer.Option(help="YAML with these and all other settings.")] = None,
    lenient: Annotated[bool, typer.Option(help="Drop bad rows of the data, with a report.")] = False,
) -> None:
    """Train a student on a score store. Interrupt it at will: the same command goes on from the last checkpoint."""
    from rankdistill.training import config as settings

    chosen = settings.read(
        config,
        loss=loss,
        negatives=negatives,
        sampling=sampling,
        steps=steps,
        batch_size=batch_size,
        learning_rate=learning_rate,
        scale=scale,
        seed=seed,
        check="warn" if no_check else None,
    )
    layers = _parse_layers(keep_layers)

    from transformers.utils.logging import disable_progress_bar

    from rankdistill import data as datasets
    from rankdistill.cli.ensembles import scores_of
    from rankdistill.training.run import train as run

    disable_progress_bar()
    dataset = datasets.load(data, "lenient" if lenient else "strict")
    console.show_reports(dataset.reports)
    ensemble = {"calibrate": calibrate, "missing": missing, "weights": weights, "reference": reference}
    scores = scores_of(store, teacher, teachers, dataset, **ensemble)
    with console.progress("steps") as bar:
        task = bar.add_task("training", total=chosen.steps)
        run(
            dataset,
            scores,
            student,
            out,
            chosen,
            split=split,
            keep_layers=layers,
            dev_split=dev_split,
            teacher_id=teacher,
            progress=lambda done: bar.advance(task, done),
            command=console.command(),
        )
        done = bar.tasks[0].completed
        if not done:
            bar.remove_task(task)
    if not done:
        console.err.print(f"{out} is up to date", highlight=False, soft_wrap=True)
    _summarise(out)


def _parse_layers(given: str | None) -> list[int] | None:
    from rankdistill.errors import ConfigError

    if given is None:
        return None
    try:
        return [int(one) for one in given.split(",")]
    except ValueError as error:
        raise ConfigError(
            expected="layer numbers with commas between them, such as 0,5",
            got=repr(given),
            consequence="nothing was trained",
            remedy="count layers from 0",
        ) from error


def _summarise(out: Path) -> None:
    """Print what the log tells."""
    import json

    from rankdistill.training.artefact import LOG_FILE

    log = json.loads((out / LOG_FILE).read_text(encoding="utf-8"))
    for name, verdict in log.get("check", {}).get("verdicts", {}).items():
        if verdict["status"] in ("warn", "fail"):
            line = f"{verdict['status']}: {name}: {verdict['finding']}"
            console.err.print(line, style="yellow", markup=False, highlight=False, soft_wrap=True)
    for name, count in log["view"].items():
        if count:
            console.out.print(f"{name.replace('_', ' ')}: {count:,}", highlight=False)
    scores = {point["step"]: point["value"] for point in log["dev_ndcg_at_10"]}
    if scores:
        best = log["best_step"]
        console.out.print(f"dev nDCG@10: {scores[0]:.4f} before, {scores[best]:.4f} at step {best}", highlight=False)
    console.out.print(f"student: {out}", highlight=False, soft_wrap=True)
