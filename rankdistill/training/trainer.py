"""The trainer of a run on scores."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from sentence_transformers.sentence_transformer.data_collator import SentenceTransformerDataCollator
from transformers import TrainerCallback
from transformers.trainer_callback import ExportableState

from rankdistill.training import checkpoints, student_trainer
from rankdistill.training.config import TrainConfig
from rankdistill.training.objectives import Objective
from rankdistill.training.prompts import prompt_of
from rankdistill.training.rows import TrainingRows
from rankdistill.training.student_trainer import Evaluation, Progress, Rates, StudentTrainer

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


class SavedScale(TrainerCallback, ExportableState):
    """Puts the learned scale into each checkpoint's state; the trainer saves the model's weights only."""

    def __init__(self, objective: Objective) -> None:
        self.objective = objective

    def state(self) -> dict[str, Any]:
        """What the trainer writes into the checkpoint."""
        return {"args": {}, "attributes": {"log_ratio": self.objective.scale.log_ratio.item()}}


def build(
    objective: Objective,
    student: SentenceTransformer,
    rows: TrainingRows,
    steps: int,
    config: TrainConfig,
    folder: Path,
    evaluation: Evaluation | None,
    progress: Progress | None,
) -> StudentTrainer:
    """The trainer of a run whose checkpoints go to `folder`."""
    learned = objective.scale.log_ratio.requires_grad
    rates = Rates(
        peak=config.learning_rate,
        schedule=config.schedule if config.schedule != "constant" else "constant_with_warmup",
        warmup_steps=round(steps * config.warmup),
        of_parameter={"log_ratio": config.scale_learning_rate} if learned else {},
    )
    return student_trainer.build(
        student,
        objective,
        rows,
        _collator(student, rows, config),
        steps,
        rates,
        config,
        folder,
        evaluation,
        progress,
        callbacks=[SavedScale(objective)],
    )


def run(trainer: StudentTrainer, objective: Objective, folder: Path) -> None:
    """Train to the end, from the last complete checkpoint in `folder` if there is one."""
    checkpoint = checkpoints.last(folder)
    if checkpoint is not None:
        saved = checkpoints.callback_state(checkpoint, SavedScale.__name__)
        with torch.no_grad():
            objective.scale.log_ratio.fill_(saved["log_ratio"])
    student_trainer.run(trainer, checkpoint)


def _collator(student: SentenceTransformer, rows: TrainingRows, config: TrainConfig) -> SentenceTransformerDataCollator:
    """Tokenises each column with the prompt and the length that its texts will be encoded with."""
    tasks = {column: "query" if column == "query" else "document" for column in rows.text_columns}
    limits = {"query": config.max_query_length, "document": config.max_document_length}
    prompts = {column: prompt_of(student, task) for column, task in tasks.items()}
    return SentenceTransformerDataCollator(
        preprocess_fn=student.preprocess,
        router_mapping=tasks,
        prompts={column: prompt for column, prompt in prompts.items() if prompt},
        max_length={task: limit for task, limit in limits.items() if limit is not None},
    )
