"""The trainer of a run on scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback
from transformers.trainer_callback import ExportableState

from rankdistill.data.positives import Positives
from rankdistill.progress import Progress
from rankdistill.teachers.teaching import checkpoints
from rankdistill.training import student_trainer
from rankdistill.training.activity import ActivityLog
from rankdistill.training.config import TrainConfig
from rankdistill.training.evaluation import Evaluation
from rankdistill.training.in_batch.collator import InBatchCollator
from rankdistill.training.in_batch.teacher import InBatchTeacher
from rankdistill.training.labelling import LabellingCollator
from rankdistill.training.objectives import Objective
from rankdistill.training.rows import TrainingRows
from rankdistill.training.sparsity import RegulariserWarmUp
from rankdistill.training.student_trainer import Rates, StudentTrainer
from rankdistill.training.types.base import StudentType


class SavedScale(TrainerCallback, ExportableState):
    """Puts the learned scale into each checkpoint's state; the trainer saves the model's weights only."""

    def __init__(self, objective: Objective) -> None:
        self.objective = objective

    def state(self) -> dict[str, Any]:
        """What the trainer writes into the checkpoint."""
        return {"args": {}, "attributes": {"log_ratio": self.objective.scale.log_ratio.item()}}


def build(
    kind: StudentType,
    objective: Objective,
    student: Any,
    rows: TrainingRows,
    positives: Positives,
    steps: int,
    config: TrainConfig,
    folder: Path,
    evaluation: Evaluation | None,
    progress: Progress | None,
    teacher: InBatchTeacher | None = None,
    vectors: InBatchTeacher | None = None,
) -> StudentTrainer:
    """The trainer of a run whose checkpoints go to `folder`.

    `positives` are no negatives of a contrastive term; the in-batch `teacher`, and that whose `vectors` the student
    stays near to, know the texts of `rows`.
    """
    learned = objective.scale.log_ratio.requires_grad
    rates = Rates(
        peak=config.learning_rate,
        schedule=config.schedule if config.schedule != "constant" else "constant_with_warmup",
        warmup_steps=round(steps * config.warmup),
        of_parameter={**kind.rates(config), **({"log_ratio": config.scale_learning_rate} if learned else {})},
    )
    warm_up = RegulariserWarmUp(objective.sparsity, config.regulariser_warmup, config.regulariser_schedule)
    collator = kind.collator(student, rows.text_columns, config)
    if objective.contrastive_weight > 0:
        collator = LabellingCollator(collator, positives)
    if teacher is not None or vectors is not None:
        collator = InBatchCollator(collator, teacher, vectors)
    return student_trainer.build(
        student,
        objective,
        rows,
        collator,
        steps,
        rates,
        config,
        folder,
        evaluation,
        progress,
        callbacks=[SavedScale(objective), warm_up, ActivityLog(objective.activity), *kind.callbacks(student)],
        counts=objective.activity,
        beside=objective.head,
    )


def run(trainer: StudentTrainer, objective: Objective, folder: Path) -> None:
    """Train to the end, from the last complete checkpoint in `folder` if there is one."""
    checkpoint = checkpoints.last(folder)
    if checkpoint is not None:
        saved = checkpoints.callback_state(checkpoint, SavedScale.__name__)
        with torch.no_grad():
            objective.scale.log_ratio.fill_(saved["log_ratio"])
    student_trainer.run(trainer, checkpoint)
