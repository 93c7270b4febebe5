"""How often a training run clips its gradients: where it is every step, the clipping sets the size of the steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import Trainer, TrainerCallback
from transformers.trainer_callback import ExportableState

from rankdistill.teachers.teaching import checkpoints


class ClippingCount(TrainerCallback, ExportableState):
    """Counts the optimiser steps whose gradient norm is above the limit; checkpoints keep the count.

    Args:
        limit: the norm that gradients are clipped to.
    """

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.steps = 0
        self._clipped: torch.Tensor | int = 0

    def watch(self, trainer: Trainer) -> None:
        """Look at each norm that `trainer` clips by; the loss curve holds those of single steps only."""
        trainer.add_callback(self)
        clip = trainer.accelerator.clip_grad_norm_

        def counted(parameters: Any, max_norm: float, *args: Any, **kwargs: Any) -> Any:
            norm = clip(parameters, max_norm, *args, **kwargs)
            self.steps += 1
            # A sum on the device: to ask for each value would make a GPU wait.
            self._clipped = self._clipped + torch.as_tensor(norm > self.limit).to(torch.int64)
            return norm

        trainer.accelerator.clip_grad_norm_ = counted

    @property
    def clipped(self) -> int:
        """How many were clipped."""
        return int(self._clipped)

    @property
    def share(self) -> float:
        """The share of the steps that were clipped; 0 before the first."""
        return self.clipped / self.steps if self.steps else 0.0

    def state(self) -> dict[str, Any]:
        """What the trainer writes into a checkpoint."""
        return {"args": {"limit": self.limit}, "attributes": {"steps": self.steps, "clipped": self.clipped}}

    def resume(self, checkpoint: Path) -> None:
        """Go on from the count of `checkpoint`; from nothing where it holds none."""
        counts = checkpoints.callback_state(checkpoint, type(self).__name__)
        self.steps, self._clipped = counts.get("steps", 0), counts.get("clipped", 0)
