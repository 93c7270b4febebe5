"""`rankdistill train`: a student from stored teacher scores, or from stored teacher vectors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rankdistill import names
from rankdistill.cli.locations import place
from rankdistill.cli.options import IdenticalIds


def train(
    student: Annotated[
        str, typer.Option(help="Model to start from: path, hub id or pypi:DISTRIBUTION; `static` with --embeddings.")
    ],
    out: Annotated[Path, typer.Option(help="Folder of the trained student.")],
    store: Annotated[
        Path | None,
        typer.Option(help="Score store made by `rankdistill score`; also s3://...", parser=place, metavar="STORE"),
    ] = None,
    embeddings: Annotated[
        Path | None, typer.Option(help="Embedding store made by `rankdistill embed`, instead of --store.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="With --store: folder in BEIR layout; its splits say which queries are held out."),
    ] = None,
    type_: Annotated[
        str | None,
        typer.Option(
            "--type",
            help=f"With --store: {names.listed(names.STUDENTS)} (default: of the model).",
        ),
    ] = None,
    new_head: Annotated[
        bool, typer.Option("--new-head", help="Give an encoder without a vocabulary head a new one for sparse types.")
    ] = False,
    keep_layers: Annotated[str | None, typer.Option(help="Train only these layers, such as 0,5.")] = None,
    loss: Annotated[
        str | None,
        typer.Option(
            help=f"With --store: {names.listed(names.LOSSES, 'margin_mse')}; "
            f"with --embeddings: {names.listed(names.ALIGNMENTS, 'leaf')}."
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            help="Split whose queries are trained on, with those that no split judges (default train; unjudged: the "
            "latter alone, as in data without judgements)."
        ),
    ] = None,
    unlabelled: Annotated[
        str | None,
        typer.Option(
            help="With --store, queries without a labelled positive: skip (default), or top, which takes the document "
            "with the teacher's highest score for it, as training from a query log needs."
        ),
    ] = None,
    dev_data: Annotated[
        list[Path] | None, typer.Option(help="With --embeddings: data of a dev split, in BEIR layout; repeatable.")
    ] = None,
    dev_split: Annotated[
        list[str] | None,
        typer.Option(help="Split for nDCG@10 while training; keeps the best step. One, or one each --dev-data."),
    ] = None,
    allow_test: Annotated[
        bool, typer.Option("--allow-test", help="With --embeddings: let a test split choose the checkpoint.")
    ] = False,
    teacher: Annotated[
        str | None, typer.Option(help="Teacher, where the store has several: its name, id, or the start of one.")
    ] = None,
    teachers: Annotated[str | None, typer.Option(help="Train on an ensemble of these, named likewise: A,B,C.")] = None,
    calibrate: Annotated[str | None, typer.Option(help="Calibration of the ensemble (default zscore).")] = None,
    missing: Annotated[
        str | None,
        typer.Option(help="Pairs that only some of the ensemble scored: error (default), intersect, impute."),
    ] = None,
    weights: Annotated[str | None, typer.Option(help="One a teacher of the ensemble (default equal).")] = None,
    reference: Annotated[str | None, typer.Option(help="Teacher whose unit the ensemble is mapped to.")] = None,
    negatives: Annotated[int | None, typer.Option(help="Negatives a row (default 4).")] = None,
    sampling: Annotated[str | None, typer.Option(help="Negatives drawn: stratified (default) or uniform.")] = None,
    cycles: Annotated[int | None, typer.Option(help="With --embeddings: cycles of the learning rate (3).")] = None,
    epochs: Annotated[
        float | None, typer.Option(help="Passes over the rows (default 1); with --embeddings in each cycle (10).")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Optimiser steps, instead of --epochs.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Rows a step (default 32).")] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="Peak learning rate (default 5e-5; with --embeddings 1e-4, static 1e-3).")
    ] = None,
    scale: Annotated[
        str | None, typer.Option(help="Similarity to teacher unit: auto, learned, fitted or a number.")
    ] = None,
    query_regulariser: Annotated[
        str | None,
        typer.Option(help=f"Sparse queries through {names.listed((*names.REGULARISERS, 'none'))} (of the type)."),
    ] = None,
    query_regulariser_weight: Annotated[
        float | None, typer.Option(help="How sparse queries become (default of the loss).")
    ] = None,
    document_regulariser: Annotated[str | None, typer.Option(help="The same for documents.")] = None,
    document_regulariser_weight: Annotated[
        float | None, typer.Option(help="How sparse documents become (default of the loss).")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of sampling, order and dropout (default 13).")] = None,
    no_check: Annotated[bool, typer.Option("--no-check", help="Train even if a check of the scores fails.")] = False,
    config: Annotated[Path | None, typer.Option(help="YAML with these and all other settings.")] = None,
    lenient: Annotated[bool, typer.Option(help="Drop bad rows of the data, with a report.")] = False,
    ignore_identical_ids: IdenticalIds = None,
) -> None:
    """Train a student on teacher scores (--store), or align it to teacher vectors (--embeddings).

    Interrupt it at will: the same command goes on from the last checkpoint.
    """
    layers = _parse_layers(keep_layers)
    settings: dict[str, object] = {
        "loss": loss,
        "epochs": epochs,
        "steps": steps,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "seed": seed,
    }
    ensemble: dict[str, str | None] = {
        "calibrate": calibrate,
        "missing": missing,
        "weights": weights,
        "reference": reference,
    }
    of_scores: dict[str, object] = {
        "type": type_,
        "new_head": new_head or None,
        "query_regulariser": query_regulariser,
        "query_regulariser_weight": query_regulariser_weight,
        "document_regulariser": document_regulariser,
        "document_regulariser_weight": document_regulariser_weight,
        "negatives": negatives,
        "unlabelled": unlabelled,
        "sampling": sampling,
        "scale": scale,
        "check": "warn" if no_check else None,
    }
    if embeddings is not None:
        given: dict[str, object] = {
            "store": store,
            "data": data,
            "split": split,
            "teacher": teacher,
            "teachers": teachers,
        }
        _refuse("--embeddings", given | ensemble | of_scores)
        from rankdistill.cli import train_embeddings

        settings |= {"cycles": cycles}
        dev = train_embeddings.dev_sets(dev_data or [], dev_split or [], lenient, ignore_identical_ids)
        train_embeddings.run(embeddings, student, out, config, settings, layers, dev, allow_test)
        return
    _refuse("--store", {"dev_data": dev_data, "allow_test": allow_test or None, "cycles": cycles})
    from rankdistill.cli import train_scores

    train_scores.run(
        _needed("--data", data),
        _needed("--store", store),
        student,
        out,
        config,
        settings | of_scores,
        layers,
        split=split,
        dev_split=_one(dev_split),
        teacher=teacher,
        teachers=teachers,
        ensemble=ensemble,
        lenient=lenient,
        ignore_identical_ids=ignore_identical_ids,
    )


def _parse_layers(given: str | None) -> list[int] | None:
    from rankdistill.data.values import whole
    from rankdistill.errors import ConfigError

    if given is None:
        return None
    try:
        return [whole(one, "layer") for one in given.split(",")]
    except ValueError as error:
        raise ConfigError(
            expected="layer numbers with commas between them, such as 0,5",
            got=repr(given),
            consequence="nothing was trained",
            remedy="count layers from 0",
        ) from error


def _refuse(mode: str, foreign: dict[str, object]) -> None:
    """Raise ConfigError for options that `mode` does not read: they would be ignored silently."""
    from rankdistill.errors import ConfigError

    given = [f"--{name.replace('_', '-')}" for name, value in foreign.items() if value is not None]
    if given:
        raise ConfigError(
            expected=f"options that belong to {mode}",
            got=", ".join(given),
            consequence="nothing was trained: they would have no effect",
            remedy="scores are trained on with --store and --data, vectors with --embeddings: give the options of one",
        )


def _needed(flag: str, path: Path | None) -> Path:
    from rankdistill.errors import ConfigError

    if path is None:
        raise ConfigError(
            expected="--store and --data to train on scores, or --embeddings to align to vectors",
            got=f"no {flag}",
            consequence="nothing was trained",
            remedy=f"give {flag}",
        )
    return path


def _one(dev_split: list[str] | None) -> str | None:
    from rankdistill.errors import ConfigError

    if dev_split is None or len(dev_split) < 2:
        return dev_split[0] if dev_split else None
    raise ConfigError(
        expected="one --dev-split with --store",
        got=", ".join(dev_split),
        consequence="nothing was trained",
        remedy="name the split that checkpoints are chosen on",
    )
