"""Weights that are no single step's: the mean of the last evaluations', or a moving average over all steps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from transformers import TrainerCallback

from rankdistill import integrity, locations
from rankdistill.errors import DamagedError
from rankdistill.training import processes
from rankdistill.training.settings import RunSettings

SNAPSHOTS = "weights"
"""Folder of the weights at the last evaluations, beside the checkpoints: each is written once."""

_AVERAGE_FILE = "moving_average.pt"


class Average(ABC, TrainerCallback):
    """A callback that knows the weights a run ends with, whatever step it was resumed from."""

    is_evaluated: ClassVar[bool]
    """Whether evaluations while training measure these weights, so that the last one tells of what is saved."""

    @abstractmethod
    def settle(self) -> None:
        """Give the student these weights; buffers stay those of the last step."""

    @abstractmethod
    def told(self) -> dict[str, Any]:
        """What the log tells of them besides the measures."""

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Within the block, the student has the weights that evaluations while training measure."""
        yield

    def save(self, checkpoint: Path) -> None:
        """Write into `checkpoint` what a resumed run needs."""

    def load(self, checkpoint: Path) -> None:
        """Go on from what `save` wrote."""


class MeanOfLast(Average):
    """The mean of the weights at the last evaluations, which are every `eval_steps` and at the last step.

    Evaluations and early stopping see the weights as they are. The weights lie as files beside the checkpoints, each
    written once, before the checkpoint of its step; a run that is resumed writes those behind its step again.

    Source: Izmailov et al. 2018, arXiv 1803.05407, without its constant rate.

    Args:
        student: the model.
        folder: of the checkpoints.
        count: evaluations at most.
        every: steps between evaluations.
    """

    is_evaluated = False

    def __init__(self, student: nn.Module, folder: Path, count: int, every: int) -> None:
        self._parameters = dict(student.named_parameters())
        self._folder, self._count, self._every = folder / SNAPSHOTS, count, every

    @property
    def steps(self) -> list[int]:
        """The steps whose weights are there, ascending."""
        return sorted(int(path.stem) for path in locations.listing(self._folder, "*.safetensors"))

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Forget what an interrupted run wrote behind the checkpoint that this one goes on from."""
        if not state.is_world_process_zero:
            return
        done = state.global_step >= state.max_steps
        last = state.global_step if done else state.global_step - state.global_step % self._every
        # A kill after the next evaluation's weights and before its checkpoint has cost the oldest.
        self._require(last, self._count if done else self._count - 1)
        self._keep([step for step in self.steps if step <= state.global_step])

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Keep the weights of an evaluation, and no more than the last ones."""
        due = state.global_step % self._every == 0 or state.global_step >= state.max_steps
        if not due or not state.is_world_process_zero:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        with integrity.noting(self._path(state.global_step), self._folder) as temporary:
            save_file({name: one.detach().contiguous() for name, one in self._parameters.items()}, temporary)
        self._keep(self.steps[-self._count :])

    def settle(self) -> None:
        """The mean, computed in double precision."""
        processes.await_first()
        steps = self.steps
        self._require(max(steps, default=0), self._count)
        sums = {name: torch.zeros_like(one, dtype=torch.float64) for name, one in self._parameters.items()}
        for step in steps:
            for name, weights in load_file(self._path(step)).items():
                sums[name] += weights.to(sums[name].device)
        with torch.no_grad():
            for name, one in self._parameters.items():
                one.copy_(sums[name] / len(steps))

    def told(self) -> dict[str, Any]:
        """The steps."""
        return {"steps": self.steps}

    def _keep(self, steps: Sequence[int]) -> None:
        gone = [self._path(step) for step in sorted(set(self.steps) - {*steps})]
        for path in gone:
            path.unlink()
        if gone:
            integrity.forget(self._folder, [path.name for path in gone])

    def _require(self, last: int, count: int) -> None:
        """Raise DamagedError unless the weights of the `count` evaluations up to step `last` are what they were."""
        due = [*range(self._every, last, self._every), last] if last else []
        for step in due[max(0, len(due) - count) :]:
            if not integrity.is_kept(path := self._path(step)):
                raise DamagedError(
                    expected=f"the weights of step {step}, {path}, as they were written",
                    got="other bytes: they were damaged or changed" if path.is_file() else "no such file",
                    consequence="the training was stopped: its result is a mean that these weights are part of",
                    remedy=f"remove {self._folder.parent} and run the same command again: the training begins anew",
                )

    def _path(self, step: int) -> Path:
        return self._folder / f"{step:09d}.safetensors"


class MovingAverage(Average):
    """The exponential moving average of the weights after each step; it is what evaluations measure.

    The first step's weights are taken whole; after step `n` (from 0, the second is 1) it keeps
    `min(decay, (1 + n) / (10 + n))` of what it was: without that rise the start would outweigh the rest of a short run.
    It lies in each checkpoint.

    Source: Polyak and Juditsky 1992; the rise is that of TensorFlow's `ExponentialMovingAverage`.

    Args:
        student: the model.
        decay: share that a step keeps.
    """

    is_evaluated = True

    def __init__(self, student: nn.Module, decay: float) -> None:
        self._live = nn.ParameterList(student.parameters())
        self._averaged = AveragedModel(self._live, multi_avg_fn=_rising(decay))
        self._decay = decay

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Be where the student is."""
        self._averaged.to(args.device)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Take the step's weights in."""
        self._averaged.update_parameters(self._live)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Within the block, the student has the average."""
        before = [one.detach().clone() for one in self._live]
        self.settle()
        try:
            yield
        finally:
            self._give(before)

    def settle(self) -> None:
        """The average, as it is now."""
        self._give(list(self._averaged.module.parameters()))

    def told(self) -> dict[str, Any]:
        """The share that a step keeps."""
        return {"decay": self._decay}

    def save(self, checkpoint: Path) -> None:
        """Write the average and the number of steps in it."""
        torch.save(self._averaged.state_dict(), checkpoint / _AVERAGE_FILE)

    def load(self, checkpoint: Path) -> None:
        """Read them."""
        self._averaged.load_state_dict(torch.load(checkpoint / _AVERAGE_FILE, map_location="cpu", weights_only=True))

    def _give(self, weights: Sequence[Tensor]) -> None:
        with torch.no_grad():
            for one, wanted in zip(self._live, weights, strict=True):
                one.copy_(wanted)


def build(student: nn.Module, settings: RunSettings, folder: Path) -> Average | None:
    """What `settings.select` names; None where the weights are those of one step."""
    if settings.select == "mean":
        return MeanOfLast(student, folder, settings.average, settings.eval_steps)
    return MovingAverage(student, settings.ema_decay) if settings.select == "ema" else None


def _rising(decay: float) -> Any:
    def update(averages: Any, current: Any, count: Any) -> None:
        step = int(count)
        get_ema_multi_avg_fn(min(decay, (1 + step) / (10 + step)))(averages, current, count)

    return update
