"""sentence-transformers' trainer, set up for a run of this package."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.sentence_transformer.data_collator import SentenceTransformerDataCollator
from torch.utils.data import DataLoader, SequentialSampler
from transformers import EarlyStoppingCallback, PrinterCallback, TrainerCallback
from transformers.trainer_callback import ExportableState

from rankdistill.training import checkpoints, dev
from rankdistill.training.config import Precision, TrainConfig
from rankdistill.training.objectives import Objective
from rankdistill.training.rows import TrainingRows

if TYPE_CHECKING:
    from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator

Progress = Callable[[int], object]
"""Called with the number of steps just done."""


class StudentTrainer(SentenceTransformerTrainer):
    """Reads the rows in the order they were drawn in, and keeps no automatic model card, which would ask the hub."""

    def get_train_dataloader(self) -> DataLoader[dict[str, Any]]:
        """The rows in order: shuffling was done when they were drawn."""
        loader = DataLoader(
            self.train_dataset,
            batch_size=self.args.train_batch_size,
            sampler=SequentialSampler(self.train_dataset),
            collate_fn=self.data_collator,
            pin_memory=self.args.dataloader_pin_memory,
        )
        return self.accelerator.prepare(loader)

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """None: the finished student gets a card of ours."""


class SavedScale(TrainerCallback, ExportableState):
    """Puts the learned scale into each checkpoint's state; the trainer saves the model's weights only."""

    def __init__(self, objective: Objective) -> None:
        self.objective = objective

    def state(self) -> dict[str, Any]:
        """What the trainer writes into the checkpoint."""
        return {"args": {}, "attributes": {"log_ratio": self.objective.scale.log_ratio.item()}}


class LastStep(TrainerCallback):
    """Makes the last step a point of the loss curve, and of the dev scores, whatever the intervals."""

    def __init__(self, evaluate: bool) -> None:
        self.evaluate = evaluate

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Ask for both at the end."""
        if state.global_step >= state.max_steps:
            control.should_log = True
            control.should_evaluate = self.evaluate


class StepProgress(TrainerCallback):
    """Tells `progress` about the steps, those before a resume included."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Report the steps of earlier runs."""
        self.progress(state.global_step)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Report one step."""
        self.progress(1)


def build(
    objective: Objective,
    student: SentenceTransformer,
    rows: TrainingRows,
    steps: int,
    config: TrainConfig,
    folder: Path,
    evaluator: InformationRetrievalEvaluator | None,
    progress: Progress | None,
) -> StudentTrainer:
    """The trainer of a run whose checkpoints go to `folder`."""
    callbacks: list[TrainerCallback] = [SavedScale(objective), LastStep(evaluate=evaluator is not None)]
    if progress is not None:
        callbacks.append(StepProgress(progress))
    if evaluator is not None and config.patience is not None:
        callbacks.append(EarlyStoppingCallback(early_stopping_patience=config.patience))
    args = _arguments(student, steps, config, folder, evaluate=evaluator is not None, learned=_is_learned(objective))
    trainer = StudentTrainer(
        model=student,
        args=args,
        train_dataset=rows,
        loss=objective,
        evaluator=evaluator,
        data_collator=_collator(student, rows, config),
        callbacks=callbacks,
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def run(trainer: StudentTrainer, objective: Objective, folder: Path) -> None:
    """Train to the end, from the last complete checkpoint in `folder` if there is one."""
    checkpoint = checkpoints.last(folder)
    if checkpoint is None:
        trainer.train()
        return
    saved = checkpoints.callback_state(checkpoint, SavedScale.__name__)
    with torch.no_grad():
        objective.scale.log_ratio.fill_(saved["log_ratio"])
    for callback in trainer.callback_handler.callbacks:
        if isinstance(callback, EarlyStoppingCallback):
            saved = checkpoints.callback_state(checkpoint, EarlyStoppingCallback.__name__)
            callback.early_stopping_patience_counter = saved["early_stopping_patience_counter"]
    trainer.train(resume_from_checkpoint=str(checkpoint))


def resolve_precision(precision: Precision) -> Precision:
    """What `auto` means on this machine: bf16 where it is faster than float32, fp16 on GPUs without it.

    On CPUs that is with AMX, or with AVX512-BF16 on other makes than Intel: there MKL's float32 runs at half its speed,
    while Intel cores without AMX multiply bf16 slower than float32 (89 against 143 GFLOP/s on one core).
    """
    if precision != "auto":
        return precision
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    processor = torch.cpu.get_capabilities()
    faster = processor.get("amx_bf16") or (processor.get("avx512_bf16") and "Intel" not in processor["cpu_name"])
    return "bf16" if faster else "float32"


def _is_learned(objective: Objective) -> bool:
    return objective.scale.log_ratio.requires_grad


def _arguments(
    student: SentenceTransformer, steps: int, config: TrainConfig, folder: Path, evaluate: bool, learned: bool
) -> SentenceTransformerTrainingArguments:
    on_gpu = torch.cuda.is_available()
    precision = resolve_precision(config.precision)
    return SentenceTransformerTrainingArguments(
        output_dir=str(folder),
        max_steps=steps,
        per_device_train_batch_size=config.batch_size,
        gradient_accumulation_steps=config.gradient_accumulation,
        learning_rate=config.learning_rate,
        learning_rate_mapping={"log_ratio": config.scale_learning_rate} if learned else {},
        warmup_steps=round(steps * config.warmup),
        lr_scheduler_type=config.schedule if config.schedule != "constant" else "constant_with_warmup",
        weight_decay=config.weight_decay,
        max_grad_norm=config.max_gradient_norm,
        seed=config.seed,
        data_seed=config.seed,
        bf16=precision == "bf16",
        fp16=precision == "fp16",
        use_cpu=not on_gpu,
        dataloader_pin_memory=on_gpu,
        logging_steps=config.log_steps,
        logging_nan_inf_filter=False,
        save_strategy="steps",
        save_steps=config.eval_steps,
        save_total_limit=None if config.keep_checkpoints else 2,
        eval_strategy="steps" if evaluate else "no",
        eval_steps=config.eval_steps,
        load_best_model_at_end=evaluate,
        metric_for_best_model=f"eval_{dev.metric(student)}" if evaluate else None,
        greater_is_better=True if evaluate else None,
        report_to="none",
        disable_tqdm=True,
    )


def _collator(student: SentenceTransformer, rows: TrainingRows, config: TrainConfig) -> SentenceTransformerDataCollator:
    """Tokenises each column with the prompt and the length that its texts will be encoded with."""
    tasks = {column: "query" if column == "query" else "document" for column in rows.text_columns}
    limits = {"query": config.max_query_length, "document": config.max_document_length}
    prompts = {column: _prompt(student, task) for column, task in tasks.items()}
    return SentenceTransformerDataCollator(
        preprocess_fn=student.preprocess,
        router_mapping=tasks,
        prompts={column: prompt for column, prompt in prompts.items() if prompt},
        max_length={task: limit for task, limit in limits.items() if limit is not None},
    )


def _prompt(student: SentenceTransformer, task: str) -> str | None:
    """The prompt that `encode_query` or `encode_document` puts before a text."""
    names = ["query"] if task == "query" else ["document", "passage", "corpus"]
    return next(
        (student.prompts[name] for name in [*names, student.default_prompt_name] if student.prompts.get(name)), None
    )
