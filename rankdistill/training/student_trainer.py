"""The trainer of sentence-transformers as every run here uses it: rows in their order, resumed to the same curve."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from torch.optim.lr_scheduler import LambdaLR, LRScheduler
from torch.utils.data import Dataset
from transformers import EarlyStoppingCallback, TrainerCallback

from rankdistill.progress import Progress
from rankdistill.teachers.teaching import checkpoints
from rankdistill.teachers.teaching.steady_trainer import Counts, SteadyTrainer
from rankdistill.training import averaging
from rankdistill.training.averaging import Average
from rankdistill.training.evaluation import Evaluation
from rankdistill.training.precision import resolve_precision
from rankdistill.training.settings import RunSettings
from rankdistill.training.tracking import of_run as tracked

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


BESIDE_FILE = "beside.pt"
"""In a checkpoint: the weights of what is trained beside the student."""


@dataclass(frozen=True)
class Rates:
    """How fast a run learns.

    Args:
        peak: of all parameters without a rate of their own.
        schedule: how the rate goes on after the warm-up: a name that transformers knows, or optimiser step (from 0) ->
            share of the peak, warm-up included.
        warmup_steps: in which the rate of a named schedule rises.
        of_parameter: parameter name -> its peak.
    """

    peak: float
    schedule: str | Callable[[int], float]
    warmup_steps: int = 0
    of_parameter: Mapping[str, float] = field(default_factory=dict)


class StudentTrainer(SteadyTrainer, SentenceTransformerTrainer):
    """The trainer of a student, whose rate may go by a schedule of the run's own.

    Args:
        rates: how fast it learns.
        average: the weights that the student gets, where they are no single step's.
        beside: what is trained beside the student and is no part of it; None: nothing.
    """

    def __init__(
        self, *args: Any, rates: Rates, average: Average | None, beside: torch.nn.Module | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.rates, self.average, self.beside = rates, average, beside

    def create_scheduler(self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None) -> LRScheduler:
        """The library's schedule of that name, or the run's own."""
        if callable(self.rates.schedule):
            self.lr_scheduler: LRScheduler = LambdaLR(optimizer or self.optimizer, self.rates.schedule)
            return self.lr_scheduler
        return super().create_scheduler(num_training_steps, optimizer)

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """The measures of the weights that the student would get now."""
        with self.average.shown() if self.average is not None else nullcontext():
            found: dict[str, float] = super().evaluate(*args, **kwargs)
        return found

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Write the model, and beside that of a checkpoint what the average needs, and what is trained beside it."""
        super().save_model(output_dir, _internal_call)
        if not _internal_call or output_dir is None or not self.args.should_save:
            return
        if self.average is not None:
            self.average.save(Path(output_dir))
        if self.beside is not None:
            torch.save(self.beside.state_dict(), Path(output_dir) / BESIDE_FILE)

    def _resume(self, checkpoint: Path) -> None:
        super()._resume(checkpoint)
        if self.average is not None:
            self.average.load(checkpoint)
        if self.beside is not None:
            weights = torch.load(checkpoint / BESIDE_FILE, map_location="cpu", weights_only=True)
            self.beside.load_state_dict(weights)


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
    student: SentenceTransformer,
    objective: torch.nn.Module,
    rows: Dataset[dict[str, Any]],
    collator: Callable[[list[dict[str, Any]]], dict[str, Any]],
    steps: int,
    rates: Rates,
    settings: RunSettings,
    folder: Path,
    evaluation: Evaluation | None,
    progress: Progress | None,
    callbacks: Sequence[TrainerCallback] = (),
    counts: Counts | None = None,
    beside: torch.nn.Module | None = None,
) -> StudentTrainer:
    """The trainer of a run whose checkpoints go to `folder`; a module `beside` the student is trained too."""
    average = averaging.build(student, settings, folder)
    chosen = [*callbacks, *([average] if average is not None else []), LastStep(evaluate=evaluation is not None)]
    if progress is not None:
        chosen.append(StepProgress(progress))
    tracking = tracked(settings.report_to, folder.parent)
    chosen += tracking.callbacks
    if evaluation is not None and evaluation.best is not None and settings.patience is not None:
        chosen.append(EarlyStoppingCallback(early_stopping_patience=settings.patience))
    return StudentTrainer(
        model=student,
        args=_arguments(steps, rates, settings, folder, evaluation, tracking.report_to),
        train_dataset=rows,
        loss=objective,
        evaluator=evaluation.evaluator if evaluation is not None else None,
        data_collator=collator,
        callbacks=chosen,
        rates=rates,
        average=average,
        counts=counts,
        beside=beside,
    )


def run(trainer: StudentTrainer, checkpoint: Path | None) -> None:
    """Train to the end, from `checkpoint` if there is one; the model has the weights that were asked for then.

    Raises:
        KeyboardInterrupt: SIGINT or SIGTERM came; a checkpoint was written at the end of the step.
    """
    if checkpoint is None or not _has_stopped(trainer, checkpoint):
        trainer.train_from(checkpoint)
    if trainer.average is not None:
        trainer.average.settle()


def _has_stopped(trainer: StudentTrainer, checkpoint: Path) -> bool:
    """Whether the run stopped early at `checkpoint`, where the trainer is then; else it can go on from there."""
    for callback in trainer.callback_handler.callbacks:
        if isinstance(callback, EarlyStoppingCallback):
            saved = checkpoints.callback_state(checkpoint, EarlyStoppingCallback.__name__)
            callback.early_stopping_patience_counter = saved["early_stopping_patience_counter"]
            if callback.early_stopping_patience_counter >= callback.early_stopping_patience:
                trainer.restore_stopped(checkpoint)
                return True
    return False


def kept_step(trainer: StudentTrainer) -> int:
    """The step of the best evaluation where its weights were kept, else the last one."""
    state = trainer.state
    return state.best_global_step if trainer.args.load_best_model_at_end else state.global_step


def averaged(trainer: StudentTrainer, measured: Callable[[], dict[str, float]]) -> dict[str, Any]:
    """What the log tells of weights that are no single step's, in `averaged`: which, and their measures on dev.

    Args:
        trainer: of a run that has ended.
        measured: measures the student as it is now; only asked where no evaluation of the run did.
    """
    average = trainer.average
    if average is None:
        return {}
    return {"averaged": average.told() | ({} if average.is_evaluated else measured())}


def curve(trainer: StudentTrainer) -> list[dict[str, float]]:
    """The points of the loss curve, with the parts of a loss that has parts; nothing that depends on the clock.

    The parts are sorted: those of a checkpoint come back so, and a resumed run must write the same bytes.
    """
    first = ("step", "loss", "learning_rate", "grad_norm")
    return [
        {name: entry[name] for name in first}
        | {name: value for name, value in sorted(entry.items()) if name not in (*first, "epoch")}
        for entry in trainer.state.log_history
        if "loss" in entry
    ]


def _arguments(
    steps: int,
    rates: Rates,
    settings: RunSettings,
    folder: Path,
    evaluation: Evaluation | None,
    trackers: Sequence[str],
) -> SentenceTransformerTrainingArguments:
    on_gpu = torch.cuda.is_available()
    precision = resolve_precision(settings.precision)
    watched = evaluation.best if evaluation is not None else None
    chooses = watched is not None and settings.select == "best"
    metric = f"eval_{watched}" if chooses or (watched is not None and settings.patience is not None) else None
    return SentenceTransformerTrainingArguments(
        output_dir=str(folder),
        max_steps=steps,
        per_device_train_batch_size=settings.batch_size,
        gradient_accumulation_steps=settings.gradient_accumulation,
        learning_rate=rates.peak,
        learning_rate_mapping=dict(rates.of_parameter),
        warmup_steps=rates.warmup_steps,
        lr_scheduler_type=rates.schedule if isinstance(rates.schedule, str) else "constant",
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_gradient_norm,
        seed=settings.seed,
        data_seed=settings.seed,
        bf16=precision == "bf16",
        fp16=precision == "fp16",
        use_cpu=not on_gpu,
        dataloader_pin_memory=on_gpu,
        logging_steps=settings.log_steps,
        logging_nan_inf_filter=False,
        save_strategy="steps",
        save_steps=settings.eval_steps,
        save_total_limit=None if settings.keep_checkpoints else 2,
        eval_strategy="steps" if evaluation is not None else "no",
        eval_steps=settings.eval_steps,
        load_best_model_at_end=chooses,
        metric_for_best_model=metric,
        greater_is_better=True if metric is not None else None,
        report_to=list(trackers) or "none",
        run_name=folder.parent.name if trackers else None,
        disable_tqdm=True,
    )
