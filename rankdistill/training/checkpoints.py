"""Checkpoints of an unfinished run: which one to go on from, and whether it belongs to this run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from rankdistill import files
from rankdistill.errors import StaleOutputError

FOLDER = "checkpoints"
_RUN_FILE = "run.json"
_STATE_FILE = "trainer_state.json"


def claim(folder: Path, identity: str) -> None:
    """Mark the checkpoints in `folder` as those of the run `identity`; a run that left none holds no claim.

    Raises:
        StaleOutputError: they belong to a run with other inputs or settings.
    """
    path = folder / _RUN_FILE
    known = json.loads(path.read_text(encoding="utf-8"))["identity"] if path.is_file() else identity
    if known != identity and last(folder) is not None:
        raise StaleOutputError(
            expected="checkpoints of this very run",
            got=f"{folder}: checkpoints of an unfinished run with other inputs or settings",
            consequence="nothing was trained, and they were kept",
            remedy="give the same inputs and settings, choose another output, or remove that folder",
        )
    files.write_text(path, json.dumps({"identity": identity}) + "\n")


def last(folder: Path) -> Path | None:
    """The latest complete checkpoint, or None; one is complete when its state, which is written last, can be read."""
    complete = [path for path in folder.glob("checkpoint-*") if _read_state(path) is not None]
    return max(complete, key=_step, default=None)


def remove_incomplete(folder: Path) -> None:
    """Remove what a killed run left half-written."""
    for path in folder.glob("checkpoint-*"):
        if _read_state(path) is None:
            shutil.rmtree(path)


def callback_state(checkpoint: Path, callback: str) -> dict[str, Any]:
    """The attributes that the callback of that class name saved with the checkpoint."""
    state = _read_state(checkpoint) or {}
    return state["stateful_callbacks"][callback]["attributes"]


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])


def _read_state(checkpoint: Path) -> dict[str, Any] | None:
    try:
        return json.loads((checkpoint / _STATE_FILE).read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return None
