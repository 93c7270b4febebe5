"""Where a run's curves go while it trains, besides its log: the experiment trackers that the Trainer knows."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rankdistill._extras import require
from rankdistill.names import TRACKERS
from rankdistill.notes import tell

if TYPE_CHECKING:
    from transformers import TrainerCallback

TENSORBOARD = "tensorboard"

LOGGING_DIR = "TENSORBOARD_LOGGING_DIR"
"""The variable by which the Trainer's own callback lets users choose a folder."""


@dataclass(frozen=True)
class Tracking:
    """How a Trainer is told of trackers.

    Args:
        report_to: those that it makes itself.
        callbacks: of the others.
    """

    report_to: Sequence[str] = ()
    callbacks: Sequence[TrainerCallback] = ()


def require_installed(names: Iterable[str]) -> None:
    """Raise MissingDependencyError where a tracker called so is not installed."""
    for name in names:
        require(TRACKERS[name], f"report_to {name}")


def of_run(names: Sequence[str], out: Path) -> Tracking:
    """The trackers called `names` of the run that makes the student in `out`.

    TensorBoard's files lie beside the student, in `OUT.tensorboard`, unless `TENSORBOARD_LOGGING_DIR` says otherwise:
    they hold times, and a student does not. Where the others write, their own settings and variables say.

    Raises:
        MissingDependencyError: a tracker is not installed.
    """
    require_installed(names)
    if TENSORBOARD not in names:
        return Tracking(tuple(names))
    from transformers.integrations import TensorBoardCallback

    callback = TensorBoardCallback()
    if not os.environ.get(LOGGING_DIR):
        callback.logging_dir = str(out.with_name(f"{out.name}.{TENSORBOARD}"))
    tell(f"curves: tensorboard --logdir {callback.logging_dir}")
    return Tracking(tuple(name for name in names if name != TENSORBOARD), (callback,))
