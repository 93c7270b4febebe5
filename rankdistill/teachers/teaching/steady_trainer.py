"""What the trainers of students and of teachers share: rows in order, and runs that resume to the same bytes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import torch
from sentence_transformers.base.trainer import BaseTrainer
from torch.utils.data import DataLoader, SequentialSampler
from transformers import PrinterCallback, TrainerState
from transformers.trainer import TRAINING_ARGS_NAME
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR, rotate_checkpoints

from rankdistill.inference.loading import quietly
from rankdistill.inference.saving import save_model
from rankdistill.teachers.teaching import checkpoints
from rankdistill.teachers.teaching.clipping import ClippingCount
from rankdistill.teachers.teaching.interruption import Interruption


class Counts(Protocol):
    """Something that is counted from one point of the loss curve to the next."""

    def state(self) -> Mapping[str, Any]:
        """What was counted since: tensors, numbers and dicts of them."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` told."""


class SteadyTrainer(BaseTrainer):
    """Reads the rows in the order they were drawn in, and goes on from any step as if it had not been interrupted.

    The library's checkpoints hold no sum of losses: resumed between two points of the loss curve, its next point would
    tell of the steps since alone. Here each process keeps its sums (and `counts`) beside the checkpoint.

    Args:
        counts: what else is summed up between two points of the loss curve.
    """

    def __init__(self, *args: Any, counts: Counts | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.remove_callback(PrinterCallback)
        self.clipping = ClippingCount(self.args.max_grad_norm)
        self.clipping.watch(self)
        self.interruption = Interruption()
        self.add_callback(self.interruption)
        self._counts = counts
        self._losses = torch.zeros((), device=self.args.device)
        self._logged_at = 0

    def train_from(self, checkpoint: Path | None) -> None:
        """Train to the end, from `checkpoint` if there is one.

        Raises:
            KeyboardInterrupt: SIGINT or SIGTERM came; a checkpoint was written at the end of the step.
        """
        if checkpoint is not None:
            self._resume(checkpoint)
        with quietly(), self.interruption.heeded():
            self.train(resume_from_checkpoint=str(checkpoint) if checkpoint is not None else None)

    def restore_stopped(self, checkpoint: Path) -> None:
        """Be as at the end of a run that stopped early, at the step of `checkpoint`; nothing is trained."""
        self._resume(checkpoint)
        self.state = TrainerState.load_from_json(str(checkpoint / checkpoints.STATE_FILE))
        if self.args.load_best_model_at_end:
            with quietly():
                self._load_best_model()

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
        """None: its automatic card would ask the hub, and what is finished gets one of ours."""

    def training_step(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        """The loss of a batch, which is summed up."""
        loss: torch.Tensor = super().training_step(*args, **kwargs)
        self._losses += loss
        return loss

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """A point of the loss curve is the mean over all steps since the last one, those before a resume included."""
        if "loss" in logs:
            total = self.accelerator.gather(self._losses).mean().item()
            logs["loss"] = total / (self.state.global_step - self._logged_at)
            self._losses -= self._losses
            self._logged_at = self.state.global_step
        super().log(logs, start_time)

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Write the model, and beside that of a checkpoint this process's sums."""
        super().save_model(output_dir, _internal_call)
        if _internal_call and output_dir is not None:
            sums = {
                "losses": self._losses,
                "logged_at": self._logged_at,
                "components": dict(self.accum_loss_components["train"]),
                "counts": dict(self._counts.state()) if self._counts is not None else {},
            }
            Path(output_dir).mkdir(parents=True, exist_ok=True)
            torch.save(sums, self._sums_file(Path(output_dir)))

    def _save_checkpoint(self, model: torch.nn.Module, trial: Any) -> None:
        """The library's, with the list of its files at the end; older ones are removed after that."""
        limit, self.args.save_total_limit = self.args.save_total_limit, None
        try:
            super()._save_checkpoint(model, trial)
        finally:
            self.args.save_total_limit = limit
        self.accelerator.wait_for_everyone()  # each process has files of its own in it
        if not self.args.should_save:
            return
        folder, best = Path(self.args.output_dir), self.state.best_model_checkpoint
        needs = Path(best).name if best is not None and self.args.load_best_model_at_end else None
        checkpoints.finish(folder / f"{PREFIX_CHECKPOINT_DIR}-{self.state.global_step}", needs)
        rotate_checkpoints(str(folder), limit, best, use_mtime=True)

    def _load_best_model(self) -> None:
        """The library's, where the best checkpoint is what it was, wherever the folder lies by now."""
        best = Path(self.args.output_dir) / Path(self.state.best_model_checkpoint).name
        checkpoints.require_whole(best)
        self.state.best_model_checkpoint = str(best)
        super()._load_best_model()

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        """A checkpoint is the model without the library's card, which takes longer than a small model."""
        folder = output_dir or self.args.output_dir
        Path(folder).mkdir(parents=True, exist_ok=True)
        save_model(self.model, Path(folder))
        torch.save(self.args, Path(folder) / TRAINING_ARGS_NAME)

    def _resume(self, checkpoint: Path) -> None:
        self.clipping.resume(checkpoint)
        self._logged_at = checkpoints.step_of(checkpoint)
        path = self._sums_file(checkpoint)
        if not path.is_file():
            return  # of a version that wrote checkpoints at points of the loss curve alone
        device = self.args.device
        # Several processes on CPUs have "cpu:0", which torch saves to but does not load to.
        sums = torch.load(path, map_location="cpu" if device.type == "cpu" else device, weights_only=True)
        self._losses, self._logged_at = sums["losses"], sums["logged_at"]
        self.accum_loss_components["train"] = sums["components"]
        if self._counts is not None:
            self._counts.restore(sums["counts"])

    def _sums_file(self, checkpoint: Path) -> Path:
        return checkpoint / f"sums_{self.args.process_index}.pt"
