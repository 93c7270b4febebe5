"""When a training run keeps a checkpoint besides its intervals: by the clock, and when it is told to stop."""

from __future__ import annotations

import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback

from rankdistill import notes
from rankdistill.teachers.teaching import checkpoints

MOST_SECONDS = 300.0
"""Between two checkpoints, where no single step with its evaluation takes longer."""

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption(TrainerCallback):
    """Writes a checkpoint where the last one is too old, and one before the run ends on a signal.

    Such checkpoints lie between the intervals and are passing: the next one takes their place, so that which ones a
    finished run holds does not depend on the clock. Several processes act together, on the first one's clock and on a
    signal to any of them.

    Args:
        seconds: that may pass without a checkpoint.
        clock: gives seconds.
    """

    def __init__(self, seconds: float = MOST_SECONDS, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._clock = seconds, clock
        self._saved_at = clock()
        self._signal: int | None = None
        self._stopping = False

    @contextmanager
    def heeded(self) -> Iterator[None]:
        """While it lasts, SIGINT and SIGTERM let the running step end; afterwards they do what they did before.

        A second signal ends the run at once; not where several processes train: torchrun sends one of its own after
        that of a terminal, and kills what has not ended half a minute later. Python tells signals to the main thread
        alone, so in others nothing changes; nor do signals that the process was started to ignore.

        Raises:
            KeyboardInterrupt: a signal came, whose number it has; what was written can be resumed.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in SIGNALS}
        heeded = {number: known for number, known in before.items() if known not in (signal.SIG_IGN, None)}
        try:
            for number in heeded:
                signal.signal(number, self._request)
            yield
        finally:
            for number, known in heeded.items():
                signal.signal(number, known)
        if self._signal is not None:
            raise self._interrupt()

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Count the time from here."""
        self._saved_at = self._clock()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Ask for a checkpoint where one is due."""
        late = state.is_world_process_zero and self._clock() - self._saved_at >= self._seconds
        due, self._stopping = _together(late, self._signal is not None, args.device)
        if due or self._stopping:
            control.should_save = True

    def on_evaluate(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Ask for one where a signal came during the evaluation."""
        if self._signal is not None and not _several():
            control.should_save = True

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Remove the passing checkpoints before this one, and end a run that was told to."""
        self._saved_at = self._clock()
        if state.is_world_process_zero:
            _remove_passing(Path(args.output_dir), state)
        if self._stopping or (self._signal is not None and not _several()):
            if state.is_world_process_zero:
                notes.tell(f"checkpoint written at step {state.global_step} of {state.max_steps}")
            raise self._interrupt()

    def _request(self, number: int, frame: object) -> None:
        second = self._signal is not None
        self._signal = number
        if second and not _several():
            raise self._interrupt()

    def _interrupt(self) -> KeyboardInterrupt:
        """With the signal's number; without where it came to another process."""
        return KeyboardInterrupt() if self._signal is None else KeyboardInterrupt(self._signal)


def _remove_passing(folder: Path, state: Any) -> None:
    for path in folder.glob("checkpoint-*"):
        step = checkpoints.step_of(path)
        if step < state.global_step and step % state.save_steps and step != state.best_global_step:
            shutil.rmtree(path)


def _several() -> bool:
    from torch import distributed

    return distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1


def _together(due: bool, stop: bool, device: torch.device) -> tuple[bool, bool]:
    """What any process says."""
    if not _several():
        return due, stop
    from torch import distributed

    found = torch.tensor([due, stop], dtype=torch.int32, device=device)
    distributed.all_reduce(found, op=distributed.ReduceOp.MAX)
    due, stop = found.bool().tolist()
    return due, stop
