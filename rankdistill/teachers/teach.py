"""Fine-tuning a cross-encoder teacher from any encoder, on relevance labels and mined negatives."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from rankdistill import files, manifest
from rankdistill.data import Dataset
from rankdistill.data.identical_ids import without_own
from rankdistill.data.positives import gather
from rankdistill.errors import DataError
from rankdistill.inference.loading import kind_of, quietly
from rankdistill.inference.padding import give_padding_to_pairs
from rankdistill.inference.saving import save_trained
from rankdistill.making import CHECKPOINTS, making, visible_files
from rankdistill.manifest import Manifest
from rankdistill.mining import candidates as mined
from rankdistill.models import ModelReference, dropout_settings, resolve
from rankdistill.progress import Progress
from rankdistill.tables import CANDIDATES_FILE
from rankdistill.teachers.teaching import beside, checkpoints, groups, reranking
from rankdistill.teachers.teaching.config import TeachConfig
from rankdistill.teachers.teaching.training_log import LOG_FILE

if TYPE_CHECKING:
    from rankdistill.teachers.teaching.trainer import TeacherTrainer

ARTEFACT = "teacher"


@dataclass(frozen=True)
class Dev:
    """What is evaluated on the way: `candidates` (a folder) of `split`, re-ranked."""

    split: str
    candidates: Path


def teach(
    dataset: Dataset,
    split: str,
    candidates: Path,
    base: str,
    out: Path,
    config: TeachConfig = TeachConfig(),  # noqa: B008 - immutable
    *,
    dev: Dev | None = None,
    resume: bool = True,
    progress: Progress | None = None,
    command: str = "",
) -> bool:
    """Fine-tune a cross-encoder on the labels of `split`, with unlabelled candidates as negatives.

    `out` becomes a plain sentence-transformers `CrossEncoder` folder whose recorded activation is the identity. An
    interrupted run goes on from its last checkpoint; a finished one is not run again.

    Args:
        dataset: queries, documents and labels.
        split: whose queries and labels.
        candidates: folder made by `rankdistill mine` for that split.
        base: model reference of any encoder; it gets a new head unless it has one.
        out: folder of the teacher, `manifest.json` and `training_log.json`.
        config: the settings.
        dev: evaluated on the way, and at the end beside the candidates' sources and the base; see `teaching.beside`.
        resume: go on from checkpoints of the same run, if there are any.
        progress: called with the number of queries done since the last call.
        command: the command line, for the manifest.

    Returns:
        Whether anything was trained; False if `out` was up to date.

    Raises:
        DataError: no such split, candidates without negatives for it, or dev candidates of no query of theirs.
        ConfigError: `config.max_length` is beyond the base's positions.
        StaleOutputError: `out` holds a teacher made from other inputs or settings.
    """
    reference = resolve(base)
    wanted = _wanted(dataset, split, candidates, reference, config, dev, command)
    positives, known = _positives(dataset, split, candidates)
    wanted = replace(wanted, inputs={**wanted.inputs, **known})
    with making(out, wanted) as made:
        if made.current:
            files.remove_folder(out / CHECKPOINTS)  # of a run that was killed behind its manifest
            return False
        folder = out / CHECKPOINTS / wanted.identity[:16]
        trainer = _trainer(dataset, positives, reference, config, dev, folder, progress)
        before = trainer.evaluate() if dev is not None else None
        _run(trainer, folder, resume)
        log = _log(trainer, len(positives), before)
        if dev is not None:
            ranked = pl.DataFrame(mined.read(dev.candidates))
            measured = beside.measure(trainer.model, dataset, dev.split, ranked, config.dev_queries, reference)
            log[beside.LOG_NAME] = measured
        _save(trainer, out, log)
        made.wrote(path for path in visible_files(out) if path.relative_to(out).parts[0] != CHECKPOINTS)
    files.remove_folder(out / CHECKPOINTS)
    return True


def steps_of(config: TeachConfig, positives: int) -> int:
    """Optimiser steps that `config` means for so many positives."""
    return config.steps or max(1, round(config.epochs * positives / config.batch_size))


def _wanted(
    dataset: Dataset,
    split: str,
    candidates: Path,
    base: ModelReference,
    config: TeachConfig,
    dev: Dev | None,
    command: str,
) -> Manifest:
    inputs = {
        "data": dataset.fingerprint,
        "qrels": dataset.qrels_hash(split),
        "candidates": _hash_candidates(candidates),
        "base": base.weights_hash,
    }
    if dev is not None:
        inputs |= {"dev_qrels": dataset.qrels_hash(dev.split), "dev_candidates": _hash_candidates(dev.candidates)}
    for name, one in (("", split), ("dev_", dev.split if dev is not None else None)):
        if one is not None and (left_out := dataset.left_out(one)):
            inputs[f"{name}own_documents"] = str(left_out)
    return Manifest(
        artefact=ARTEFACT,
        inputs=inputs,
        parameters=config.decisive()
        | {"split": split, "dev_split": dev.split if dev is not None else None, "activation": "identity"},
        versions=manifest.versions_of("sentence-transformers", "torch", "transformers"),
        command=command,
    )


def _positives(dataset: Dataset, split: str, candidates: Path) -> tuple[list[groups.Positive], dict[str, str]]:
    """The positives, and the hash of what other splits and equal texts say of their negatives, where it matters."""
    table = without_own(_of_collection(candidates, dataset), dataset.own_documents)
    queries, qrels, contents = dataset.queries(split), dataset.qrels(split), dataset.contents
    labelled = table.filter(pl.col("label") > 0).select("query_id", "doc_id").unique()
    known = gather(dataset, queries, contents, labelled.iter_rows())
    found = groups.positives(queries, qrels, table, contents, known)
    same = found == groups.positives(queries, qrels, table, contents)
    return found, {} if same else {"known_positives": known.content_hash}


def _of_collection(folder: Path, dataset: Dataset) -> pl.DataFrame:
    """The candidates in `folder`; DataError where the collection has no such documents."""
    table = pl.DataFrame(mined.read(folder))
    if strange := [doc_id for doc_id in table["doc_id"].unique().sort().to_list() if doc_id not in dataset.contents]:
        raise DataError(
            expected=f"candidates in {folder} that are documents of {dataset.path}",
            got=f"{len(strange):,} that are not there, as {', '.join(map(repr, strange[:3]))}",
            consequence="nothing was trained: these documents have no text here",
            remedy="mine candidates of this collection again, or give the collection that they were mined from",
        )
    return table


def _hash_candidates(folder: Path) -> str:
    manifest.expect(folder, mined.ARTEFACT, "mine")
    return files.hash_file(folder / CANDIDATES_FILE)


def _trainer(
    dataset: Dataset,
    positives: Sequence[groups.Positive],
    base: ModelReference,
    config: TeachConfig,
    dev: Dev | None,
    folder: Path,
    progress: Progress | None,
) -> TeacherTrainer:
    from rankdistill.teachers.teaching import trainer

    evaluator = None
    if dev is not None:
        ranked = _of_collection(dev.candidates, dataset)
        evaluator = reranking.evaluator(dataset, dev.split, ranked, config.dev_queries)
        reranking.require_comparable(evaluator, dev.split, dev.candidates)
    steps = steps_of(config, len(positives))
    drawn = groups.draw(positives, steps * config.batch_size, config.negatives, config.seed)
    return trainer.build(_new_model(base, config), drawn, steps, config, folder, evaluator, progress)


def _new_model(base: ModelReference, config: TeachConfig) -> Any:
    """The base as a cross-encoder with one output, the head's weights fixed by the seed."""
    import torch
    from sentence_transformers import CrossEncoder

    from rankdistill.inference import positions
    from rankdistill.inference.first_token import keep_first_token, reads_first_token

    head = {} if kind_of(base.path) == "cross_encoder" else {"num_labels": 1}
    with quietly(), torch.random.fork_rng():
        torch.manual_seed(config.seed)
        model = CrossEncoder(
            str(base.path),
            max_length=config.length,
            activation_fn=torch.nn.Identity(),
            local_files_only=True,
            config_kwargs=dropout_settings(base, config.dropout),
            **head,
        )
        positions.cut(model, config.max_length, base.name)
    give_padding_to_pairs(model)
    if reads_first_token(model):
        keep_first_token(model)
    return model


def _run(trainer: TeacherTrainer, folder: Path, resume: bool) -> None:
    with files.output_errors(folder):
        checkpoints.remove_incomplete(folder)
        trainer.train_from(checkpoints.last(folder) if resume else None)


def _log(trainer: TeacherTrainer, positives: int, before: dict[str, float] | None) -> dict[str, Any]:
    """The loss curve and the dev figures, without times."""
    history = trainer.state.log_history
    metric = f"eval_{reranking.METRIC}"
    start = [{"step": 0, "value": before[metric]}] if before is not None else []
    return {
        "positives": positives,
        "steps": trainer.state.global_step,
        "bf16": trainer.args.bf16,
        "clipped_steps": trainer.clipping.share,
        "loss": [{"step": entry["step"], "loss": entry["loss"]} for entry in history if "loss" in entry],
        reranking.METRIC: start
        + [{"step": entry["step"], "value": entry[metric]} for entry in history if metric in entry and entry["step"]],
    }


def _save(trainer: TeacherTrainer, out: Path, log: dict[str, Any]) -> None:
    save_trained(trainer.model, out)
    files.write_text(out / LOG_FILE, json.dumps(log, indent=1) + "\n")
