"""Checkpoints of a training run that has not finished: which one to go on from, and what it holds."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from rankdistill import plain_json

STATE_FILE = "trainer_state.json"


def last(folder: Path) -> Path | None:
    """The latest complete checkpoint, or None; one is complete when its state, which is written last, can be read."""
    complete = [path for path in folder.glob("checkpoint-*") if _read_state(path) is not None]
    return max(complete, key=step_of, default=None)


def remove_incomplete(folder: Path) -> None:
    """Remove what a killed run left half-written."""
    for path in folder.glob("checkpoint-*"):
        if _read_state(path) is None:
            shutil.rmtree(path)


def callback_state(checkpoint: Path, callback: str) -> dict[str, Any]:
    """The attributes that the callback of that class name saved with the checkpoint; empty where it saved none."""
    state = _read_state(checkpoint) or {}
    found: dict[str, Any] = state.get("stateful_callbacks", {}).get(callback, {}).get("attributes", {})
    return found


def step_of(checkpoint: Path) -> int:
    """The optimiser steps done when it was written."""
    return int(checkpoint.name.rpartition("-")[2])


def _read_state(checkpoint: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = plain_json.loads((checkpoint / STATE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found
