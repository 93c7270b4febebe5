"""The loss and dev curves of the training that a system's model came of, for its report.

They are read off the model's `training_log.json` when it is evaluated, and lie in `curves.json` beside the run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from rankdistill import files, integrity
from rankdistill.bundles.layout import query_model
from rankdistill.errors import DataError
from rankdistill.evaluation.systems import Record
from rankdistill.teachers.teaching import training_log

CURVES_FILE = "curves.json"

ALIGNMENT_DEV = "asymmetric_ndcg_at_10"
"""The measure of an alignment's monitor by which its checkpoint is chosen; those of one dev split end in it too."""

Points = list[tuple[int, float]]
"""(step, value), in order."""


class Curves(Record):
    """How one training went.

    Args:
        loss: the loss by step.
        dev: measure on a dev split -> its value by step, 0 being the model before training.
        kept: step whose weights were kept; None where the log does not say.
    """

    loss: Points
    dev: dict[str, Points] = Field(default_factory=dict)
    kept: int | None = None


class Training(Record):
    """The training of a system.

    Args:
        system: what tables call it.
        curves: of each of its trainings.
    """

    system: str
    curves: list[Curves]


def of_model(model: str | Path | None) -> Curves | None:
    """The curves that a model of ours tells, or a bundle's query model; None for another, or with a damaged log."""
    folder = None if model is None else Path(query_model(str(model)))
    if folder is None or not (folder / training_log.LOG_FILE).is_file():
        return None
    try:
        return of_log(training_log.read(folder))
    except (DataError, KeyError, TypeError, ValueError):  # what it was is not needed to measure what it does
        return None


def of_log(log: Mapping[str, Any]) -> Curves | None:
    """The curves in a training log; None where it has no loss."""
    loss = [(int(point["step"]), float(point["loss"])) for point in log.get("loss") or []]
    if not loss:
        return None
    dev = {}
    for name, title in (("dev_ndcg_at_10", "dev nDCG@10"), ("dev_ndcg@10", "dev nDCG@10")):
        if points := log.get(name):
            dev[title] = _points(points, "value")
    monitor: Sequence[Mapping[str, Any]] = log.get("monitor") or []
    for name in monitor[0] if monitor else ():
        if name.endswith(ALIGNMENT_DEV):
            dev[name.replace("_ndcg_at_10", " nDCG@10").replace("/", " ")] = _points(monitor, name)
    return Curves(loss=loss, dev=dev, kept=log.get("best_step"))


def write(folder: Path, curves: Curves | None) -> None:
    """Write `curves.json` into the folder of an evaluation, where there are some."""
    if curves is not None:
        files.write_text(folder / CURVES_FILE, json.dumps(curves.model_dump(mode="json")) + "\n")


def read(folder: Path) -> Curves | None:
    """What `write` wrote; None where there are none."""
    path = folder / CURVES_FILE
    if not integrity.is_there(path):
        return None
    try:
        return Curves.model_validate_json(integrity.read_bytes(path))
    except ValidationError as error:
        raise DataError(
            expected=f"{CURVES_FILE} as `rankdistill evaluate` writes it",
            got=f"{path}: {str(error).splitlines()[0]}",
            consequence="nothing was compared",
            remedy="remove the file, or evaluate again into another folder",
        ) from error


def _points(points: Sequence[Mapping[str, Any]], name: str) -> Points:
    return [(int(point["step"]), float(point[name])) for point in points if name in point]
