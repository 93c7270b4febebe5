"""`rankdistill train`: a student from stored teacher scores, or from stored teacher vectors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from rankdistill import names
from rankdistill.cli import console, parsing
from rankdistill.cli.help import MORE
from rankdistill.cli.options import IdenticalIds, Json, Lenient
from rankdistill.errors import ConfigError


def train(
    *,
    data: Annotated[
        Path | None,
        typer.Option(help="With --store: folder in BEIR layout; its splits say which queries are held out."),
    ] = None,
    store: Annotated[
        str | None, typer.Option(help="Score store made by `rankdistill score`; also s3://...", metavar="STORE")
    ] = None,
    embeddings: Annotated[
        str | None,
        typer.Option(help="Embedding store made by `rankdistill embed`, instead of --store.", metavar="STORE"),
    ] = None,
    sessions: Annotated[
        Path | None,
        typer.Option(
            help="Conversations with rewrites, instead of --store: the student reads the conversation, --teacher the "
            "rewrite. Or beside --store, whose scores are learnt then (docs/conversations.md)."
        ),
    ] = None,
    student: Annotated[
        str, typer.Option(help="Model to start from: path, hub id or pypi:DISTRIBUTION; `static` with --embeddings.")
    ],
    out: Annotated[Path, typer.Option(help="Folder of the trained student.")],
    type_: Annotated[
        str | None,
        typer.Option(
            "--type",
            help=f"With --store: {names.listed(names.STUDENTS)} (default: of the model).",
        ),
    ] = None,
    new_head: Annotated[
        bool,
        typer.Option(
            "--new-head",
            help="Give an encoder without a vocabulary head a new one for sparse types.",
            rich_help_panel=MORE,
        ),
    ] = False,
    keep_layers: Annotated[str | None, typer.Option(help="Train only these layers, such as 0,5.")] = None,
    max_mb: Annotated[
        float | None,
        typer.Option(
            help="Megabytes that the student may take: layers, width, vocabulary and storage that fit are chosen."
        ),
    ] = None,
    vocabulary: Annotated[
        int | None,
        typer.Option(help="Keep so many tokens, those that the texts use most.", rich_help_panel=MORE),
    ] = None,
    storage: Annotated[
        Literal["float32", "float16", "int8", "int4"] | None,
        typer.Option(help="How weights are written (default float32; int4: static).", rich_help_panel=MORE),
    ] = None,
    loss: Annotated[
        str | None,
        typer.Option(
            help=f"With --store: {names.listed(names.LOSSES, 'margin_mse')}; "
            f"with --embeddings: {names.listed(names.ALIGNMENTS, 'leaf')}; with --sessions any (default disco)."
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            help="Split whose queries are trained on, with those that no split judges (default train; unjudged: the "
            "latter alone, as in data without judgements). With --sessions, whose questions, by their sessions."
        ),
    ] = None,
    unlabelled: Annotated[
        str | None,
        typer.Option(
            help="With --store or --sessions, queries without a labelled positive: skip (default), or top, which takes "
            "the document with the teacher's highest score for it, as training from a query log needs."
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
        bool,
        typer.Option("--allow-test", help="Let a test split choose the checkpoint.", rich_help_panel=MORE),
    ] = False,
    teacher: Annotated[
        str | None,
        typer.Option(
            help="Teacher, where the store has several: its name, id, or the start of one. With --sessions: the model "
            "that reads the rewrites."
        ),
    ] = None,
    rewrites: Annotated[
        str | None, typer.Option(help="With --sessions: names of rewrites, as human or human,flan-t5.")
    ] = None,
    reads: Annotated[
        str | None,
        typer.Option(
            help="With --sessions: how the student reads a conversation: newest_first (default), oldest_first, disco, "
            "...; newest_first:3 for the last three questions.",
            rich_help_panel=MORE,
        ),
    ] = None,
    missing_rewrites: Annotated[
        Literal["error", "question", "drop"],
        typer.Option(help="With --sessions: questions without a rewrite.", rich_help_panel=MORE),
    ] = "error",
    ranks: Annotated[
        str | None,
        typer.Option(
            help="With --sessions: ranks of the teacher's run that are candidates (default 11:960).",
            rich_help_panel=MORE,
        ),
    ] = None,
    sample: Annotated[
        int | None,
        typer.Option(help="With --sessions: so many of these ranks, drawn a question.", min=1, rich_help_panel=MORE),
    ] = None,
    index: Annotated[
        Path | None,
        typer.Option(help="With --sessions: the teacher's index, searched for candidates.", rich_help_panel=MORE),
    ] = None,
    standalone: Annotated[
        float | None,
        typer.Option(
            help="With --sessions and a loss on vectors: share of standalone queries (default .2).",
            rich_help_panel=MORE,
        ),
    ] = None,
    work: Annotated[
        Path | None,
        typer.Option(
            help="With --sessions: folder of candidates, scores and vectors, for more students (default OUT.work).",
            rich_help_panel=MORE,
        ),
    ] = None,
    combine: Annotated[
        str | None,
        typer.Option(
            help="Several teachers or rewriters become one by their mean (default), or the best of each query "
            "by its labels (best).",
            rich_help_panel=MORE,
        ),
    ] = None,
    teachers: Annotated[str | None, typer.Option(help="Train on an ensemble of these, named likewise: A,B,C.")] = None,
    calibrate: Annotated[
        str | None, typer.Option(help="Calibration of the ensemble (default zscore).", rich_help_panel=MORE)
    ] = None,
    missing: Annotated[
        str | None,
        typer.Option(
            help="Pairs that only some of the ensemble scored: error (default), intersect, impute; without --teachers: "
            "candidates without a score: error (default), drop.",
            rich_help_panel=MORE,
        ),
    ] = None,
    weights: Annotated[
        str | None, typer.Option(help="One a teacher of the ensemble (default equal).", rich_help_panel=MORE)
    ] = None,
    reference: Annotated[
        str | None, typer.Option(help="Teacher whose unit the ensemble is mapped to.", rich_help_panel=MORE)
    ] = None,
    negatives: Annotated[int | None, typer.Option(help="Negatives a row (default 4).", rich_help_panel=MORE)] = None,
    sampling: Annotated[
        str | None, typer.Option(help="Negatives drawn: stratified (default) or uniform.", rich_help_panel=MORE)
    ] = None,
    cycles: Annotated[
        int | None, typer.Option(help="With --embeddings: cycles of the learning rate (3).", rich_help_panel=MORE)
    ] = None,
    epochs: Annotated[
        float | None, typer.Option(help="Passes over the rows (default 1); with --embeddings in each cycle (10).")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Optimiser steps, instead of --epochs.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Rows a step (default 32).")] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="Peak learning rate (default 5e-5; with --embeddings 1e-4, static 1e-3).")
    ] = None,
    select: Annotated[
        str | None,
        typer.Option(
            help="Weights to keep: of the best step on dev (best, default), of the last (last), the mean of those at "
            "the last evaluations (mean), or their moving average (ema).",
            rich_help_panel=MORE,
        ),
    ] = None,
    scale: Annotated[
        str | None,
        typer.Option(help="Similarity to teacher unit: auto, learned, fitted or a number.", rich_help_panel=MORE),
    ] = None,
    query_regulariser: Annotated[
        str | None,
        typer.Option(
            help=f"Sparse queries through {names.listed((*names.REGULARISERS, 'none'))} (of the type).",
            rich_help_panel=MORE,
        ),
    ] = None,
    query_regulariser_weight: Annotated[
        float | None, typer.Option(help="How sparse queries become (default of the loss).", rich_help_panel=MORE)
    ] = None,
    document_regulariser: Annotated[
        str | None, typer.Option(help="The same for documents.", rich_help_panel=MORE)
    ] = None,
    document_regulariser_weight: Annotated[
        float | None, typer.Option(help="How sparse documents become (default of the loss).", rich_help_panel=MORE)
    ] = None,
    document_tower: Annotated[
        str | None,
        typer.Option(
            help="With --store: train the query side alone, against documents as this model or store embeds them.",
            metavar="STORE|MODEL",
            rich_help_panel=MORE,
        ),
    ] = None,
    positives_without_score: Annotated[
        str | None,
        typer.Option(
            help="Labelled positives without a teacher score: error (default), or maximum, the query's highest.",
            rich_help_panel=MORE,
        ),
    ] = None,
    in_batch_teacher: Annotated[
        str | None,
        typer.Option(
            help="With --store: compare each query with the whole batch's documents too, by this teacher: a store "
            "made by `rankdistill embed`, or a dense, sparse or multi-vector model.",
            metavar="STORE|MODEL",
        ),
    ] = None,
    in_batch_weight: Annotated[
        float | None, typer.Option(help="Weight of that part of the loss (default 0.75).", rich_help_panel=MORE)
    ] = None,
    alignment_weight: Annotated[
        float | None,
        typer.Option(
            help="Keep an aligned student near to the vectors of --alignment-teacher, with this weight (default 0).",
            rich_help_panel=MORE,
        ),
    ] = None,
    alignment_teacher: Annotated[
        str | None,
        typer.Option(
            help="A store made by `rankdistill embed`, or a dense model (default --in-batch-teacher).",
            metavar="STORE|MODEL",
            rich_help_panel=MORE,
        ),
    ] = None,
    auxiliary_head_weight: Annotated[
        float | None,
        typer.Option(
            help="With --loss contrastive: a second head learns from the teacher, with this weight, and is left out "
            "then (default 0).",
            rich_help_panel=MORE,
        ),
    ] = None,
    token_relations_weight: Annotated[
        float | None,
        typer.Option(
            help="Of a multi-vector student: make neighbours of the tokens that are so in --token-teacher (default 0).",
            rich_help_panel=MORE,
        ),
    ] = None,
    token_teacher: Annotated[
        str | None,
        typer.Option(help="A model that cuts texts into the same tokens.", metavar="MODEL", rich_help_panel=MORE),
    ] = None,
    topics: Annotated[
        int | None,
        typer.Option(help="Batches of one topic each, of this many, by --in-batch-teacher.", rich_help_panel=MORE),
    ] = None,
    gradient_cache: Annotated[
        int | None,
        typer.Option(help="Texts embedded at a time, for batches larger than memory.", rich_help_panel=MORE),
    ] = None,
    report_to: Annotated[
        str | None,
        typer.Option(
            help=f"Trackers that get the curves while it trains: {names.listed(names.TRACKERS)}.", rich_help_panel=MORE
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of sampling, order and dropout (default 13).")] = None,
    no_check: Annotated[
        bool, typer.Option("--no-check", help="Train even if a check of the scores fails.", rich_help_panel=MORE)
    ] = False,
    config: Annotated[Path | None, typer.Option(help="YAML with these and all other settings.")] = None,
    lenient: Lenient = False,
    ignore_identical_ids: IdenticalIds = None,
    json: Json = False,
) -> None:
    """Train a student on teacher scores (--store), or align it to teacher vectors (--embeddings).

    With --sessions it learns to read conversations as its teacher reads their rewrites.

    Interrupt it at will: the same command goes on from the last checkpoint.
    """
    import rankdistill

    settings: dict[str, object] = {
        "loss": loss,
        "epochs": epochs,
        "steps": steps,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "select": select,
        "seed": seed,
        "report_to": report_to,
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
        "document_tower": document_tower,
        "positives_without_score": positives_without_score,
        "in_batch_teacher": in_batch_teacher,
        "in_batch_weight": in_batch_weight,
        "alignment_weight": alignment_weight,
        "alignment_teacher": alignment_teacher,
        "auxiliary_head_weight": auxiliary_head_weight,
        "token_relations_weight": token_relations_weight,
        "token_teacher": token_teacher,
        "topics": topics,
        "gradient_cache": gradient_cache,
    }
    of_sessions: dict[str, object] = {"rewrites": rewrites, "reads": reads, "ranks": ranks, "sample": sample}
    of_sessions |= {"index": index, "standalone": standalone, "work": work}
    if sessions is not None:
        _refuse("--sessions", {"embeddings": embeddings, "dev_data": dev_data})
        settings |= of_scores | {"cycles": cycles, "check": "warn" if no_check else None}
    elif embeddings is not None:
        ensemble = {"calibrate": calibrate, "missing": missing, "weights": weights, "reference": reference}
        flags = {"store": store, "data": data, "split": split, "teacher": teacher, "teachers": teachers} | ensemble
        _refuse("--embeddings", flags | of_scores | of_sessions | {"no_check": no_check or None, "combine": combine})
        settings |= {"cycles": cycles}
    else:
        foreign = {"dev_data": dev_data, "cycles": cycles}
        _refuse("--store", foreign | of_sessions)
        settings |= of_scores | {"check": "warn" if no_check else None}
    console.show(
        rankdistill.train(
            data if embeddings is None else dev_data,
            _opened(store, embeddings, sessions),
            student,
            out,
            split=split,
            dev_split=dev_split,
            keep_layers=parsing.layers(keep_layers),
            vocabulary=vocabulary,
            storage=storage,
            max_mb=max_mb,
            teacher=teacher,
            teachers=parsing.names(teachers, "teacher"),
            calibrate=calibrate,
            missing=missing,
            weights=parsing.numbers(weights, "weight"),
            reference=reference,
            combine=combine,
            sessions=sessions,
            rewrites=parsing.names(rewrites, "name of rewrites"),
            reads=reads,
            missing_rewrites=missing_rewrites,
            ranks=ranks,
            sample=sample,
            index=index,
            standalone=standalone,
            work=work,
            allow_test=allow_test,
            lenient=lenient,
            ignore_identical_ids=ignore_identical_ids,
            config=config,
            progress=True,
            command=console.command(leave_out=("--report-to",)),
            **{name: value for name, value in settings.items() if value is not None},
        ),
        json,
    )


def _opened(store: str | None, embeddings: str | None, sessions: Path | None) -> Any:
    """What is trained on; None with sessions alone."""
    from rankdistill.verbs.arguments import embedding_store_of, score_store_of

    if sessions is not None and store is None:
        return None
    return embedding_store_of(embeddings) if embeddings is not None else score_store_of(_needed(store))


def _refuse(mode: str, foreign: dict[str, object]) -> None:
    """Raise ConfigError for options that `mode` does not read: they would be ignored silently."""
    given = [f"--{name.replace('_', '-')}" for name, value in foreign.items() if value is not None]
    if given:
        raise ConfigError(
            expected=f"options that belong to {mode}",
            got=", ".join(given),
            consequence="nothing was trained: they would have no effect",
            remedy="scores are trained on with --store and --data, vectors with --embeddings, conversations with "
            "--sessions: give the options of one",
        )


def _needed(store: str | None) -> str:
    if store is None:
        raise ConfigError(
            expected="--store and --data to train on scores, --embeddings to align to vectors, or --sessions",
            got="no --store",
            consequence="nothing was trained",
            remedy="give --store",
        )
    return store
