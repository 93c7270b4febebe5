"""Checkpoints of a training run that has not finished: which one to go on from, and what it holds."""

from __future__ import annotations

import shutil
import zipfile
import zlib
from pathlib import Path
from typing import Any

from rankdistill import plain_json
from rankdistill.notes import note

STATE_FILE = "trainer_state.json"


def last(folder: Path) -> Path | None:
    """The latest whole checkpoint, or None; a damaged one falls back to the one before it.

    One is complete when its state, which is written last, can be read, and damaged where a file of it is cut off or has
    other bytes than it was written with, as far as its format tells.
    """
    complete = [path for path in folder.glob("checkpoint-*") if _read_state(path) is not None]
    return next((path for path in sorted(complete, key=step_of, reverse=True) if _damaged(path) is None), None)


def remove_incomplete(folder: Path) -> None:
    """Remove what a killed run left half-written, and, with a note, what is damaged behind the last whole one."""
    whole = last(folder)
    for path in folder.glob("checkpoint-*"):
        if _read_state(path) is None:
            shutil.rmtree(path)
        elif (whole is None or step_of(path) > step_of(whole)) and (found := _damaged(path)) is not None:
            before = "begins anew" if whole is None else f"goes on from {whole.name}"
            note(f"{path.name} is damaged ({found.name}): the training {before}")
            shutil.rmtree(path)


def _damaged(checkpoint: Path) -> Path | None:
    """A file of the checkpoint that is not whole, if there is one."""
    for path in sorted(checkpoint.rglob("*")):
        check = _CHECKS.get(path.suffix)
        if check is not None and path.is_file() and not check(path):
            return path
    return None


def _is_whole_zip(path: Path) -> bool:
    """As torch writes files: archives with a checksum of each member."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (OSError, ValueError, zipfile.BadZipFile, zlib.error):
        return False


def _is_whole_safetensors(path: Path) -> bool:
    """A header that says where each tensor lies, and as many bytes behind it."""
    try:
        with path.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if length > path.stat().st_size:
                return False
            header = plain_json.loads(stream.read(length))
        ends = [one["data_offsets"][1] for name, one in header.items() if name != "__metadata__"]
        return bool(8 + length + max(ends, default=0) == path.stat().st_size)
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError):
        return False


def _is_whole_json(path: Path) -> bool:
    try:
        plain_json.loads(path.read_bytes())
    except (OSError, ValueError):
        return False
    return True


_CHECKS = {
    ".safetensors": _is_whole_safetensors,
    ".json": _is_whole_json,
    **dict.fromkeys((".pt", ".pth", ".bin"), _is_whole_zip),
}


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
