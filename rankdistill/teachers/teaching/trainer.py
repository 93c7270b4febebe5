"""sentence-transformers' cross-encoder trainer, set up for groups drawn beforehand."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset as Rows
from sentence_transformers.cross_encoder import CrossEncoder, CrossEncoderTrainer, CrossEncoderTrainingArguments
from sentence_transformers.cross_encoder.evaluation import CrossEncoderRerankingEvaluator
from transformers import TrainerCallback

from rankdistill.inference.precision import bf16_is_faster
from rankdistill.progress import Progress
from rankdistill.teachers.teaching import objective
from rankdistill.teachers.teaching.config import TeachConfig
from rankdistill.teachers.teaching.steady_trainer import SteadyTrainer


class TeacherTrainer(SteadyTrainer, CrossEncoderTrainer):
    """The trainer of a cross-encoder."""


class _StepProgress(TrainerCallback):
    """Reports the queries of each step, and those of a resumed run's earlier steps at once."""

    def __init__(self, progress: Progress, batch_size: int) -> None:
        self._progress, self._batch_size = progress, batch_size

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Count what an earlier run did."""
        self._progress(state.global_step * self._batch_size)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Count one step."""
        self._progress(self._batch_size)


def build(
    model: CrossEncoder,
    groups: Iterable[tuple[str, list[str]]],
    steps: int,
    config: TeachConfig,
    folder: Path,
    evaluator: CrossEncoderRerankingEvaluator | None,
    progress: Progress | None,
) -> TeacherTrainer:
    """The trainer of `model` with checkpoints in `folder`.

    Args:
        model: the cross-encoder, with a head.
        groups: (query, [positive, negatives...]) of all steps, in order.
        steps: optimiser steps.
        config: the settings.
        folder: where checkpoints go.
        evaluator: run at each checkpoint.
        progress: called with the number of queries done since the last call.
    """
    return TeacherTrainer(
        model=model,
        args=_arguments(steps, config, folder, evaluator is not None),
        train_dataset=_rows(groups),
        loss=objective.build(model, config),
        evaluator=evaluator,
        callbacks=[_StepProgress(progress, config.batch_size)] if progress is not None else None,
    )


def _rows(groups: Iterable[tuple[str, list[str]]]) -> Rows:
    """Columns query, docs, labels (1 for the positive, which comes first): one more would be read as text."""
    queries, documents = zip(*groups, strict=True)
    labels = [[1.0] + [0.0] * (len(texts) - 1) for texts in documents]
    return Rows.from_dict({"query": list(queries), "docs": list(documents), "labels": labels})


def _arguments(steps: int, config: TeachConfig, folder: Path, evaluate: bool) -> CrossEncoderTrainingArguments:
    on_gpu = torch.cuda.is_available()
    every = max(1, -(-steps // config.evaluations))
    return CrossEncoderTrainingArguments(
        output_dir=str(folder),
        max_steps=steps,
        per_device_train_batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        weight_decay=config.weight_decay,
        warmup_steps=round(steps * config.warmup),
        lr_scheduler_type="linear",
        seed=config.seed,
        data_seed=config.seed,
        bf16=bf16_is_faster() if config.bf16 is None else config.bf16,
        use_cpu=not on_gpu,
        dataloader_pin_memory=on_gpu,
        logging_steps=max(1, min(25, every)),
        logging_nan_inf_filter=False,
        save_strategy="steps",
        save_steps=every,
        save_total_limit=2,
        eval_strategy="steps" if evaluate else "no",
        eval_steps=every,
        report_to="none",
        disable_tqdm=True,
    )
