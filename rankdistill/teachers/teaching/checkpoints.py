"""Checkpoints of a training run that has not finished: which one to go on from, and what it holds.

The SHA-256 of every file of a checkpoint is written last, into a list inside it: a checkpoint without that list is
unfinished, and one whose files differ from it is damaged. The list also names the other checkpoint that a run which
goes on from this one loads in the end, that of the best evaluation so far: both are compared.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rankdistill import files, integrity, plain_json
from rankdistill.errors import DamagedError
from rankdistill.notes import note

STATE_FILE = "trainer_state.json"

LIST_FILE = "sha256.json"
"""`files`: name -> SHA-256; `needs`: the name of the other checkpoint, or null."""


@dataclass(frozen=True)
class _List:
    files: dict[str, str]
    needs: str | None


def finish(checkpoint: Path, needs: str | None = None) -> None:
    """Write the list of a checkpoint's files, after which it counts.

    Args:
        checkpoint: its folder, with everything in it.
        needs: the name of the checkpoint beside it that a run going on from this one loads in the end.
    """
    hashes = {path.relative_to(checkpoint).as_posix(): integrity.hash_of(path) for path in _files(checkpoint)}
    content = {"files": hashes, "needs": needs if needs != checkpoint.name else None}
    files.write_text(checkpoint / LIST_FILE, json.dumps(content, indent=1) + "\n")


def last(folder: Path) -> Path | None:
    """The latest whole checkpoint, or None; a damaged one falls back to the one before it.

    One that needs another is whole where both are.
    """
    return next((path for path in _finished(folder) if _wrong(path) is None), None)


def remove_incomplete(folder: Path) -> None:
    """Remove what a killed run left half-written, and, with a note, what cannot be gone on from.

    That is what is damaged, and what has a trainer's state and no list: an earlier version wrote it, or a kill came
    before the list.
    """
    whole = last(folder)
    unlisted = [path for path in folder.glob("checkpoint-*") if not (path / LIST_FILE).is_file()]
    _note_lost([path for path in unlisted if (path / STATE_FILE).is_file()], whole)
    for path in unlisted:
        shutil.rmtree(path)
    before = "begins anew" if whole is None else f"goes on from {whole.name}"
    for path in _finished(folder):
        if path == whole:
            break
        wrong = _wrong(path)
        assert wrong is not None
        of_other = f", the best before {path.name}," if wrong.parts[0] != path.name else ""
        note(f"{wrong.parts[0]}{of_other} is damaged ({wrong.name}): the training {before}")
    for path in [path for path in _finished(folder) if whole is None or step_of(path) > step_of(whole)]:
        shutil.rmtree(path)


def _note_lost(unlisted: list[Path], whole: Path | None) -> None:
    """A note where checkpoints without a list are further than the one that the training goes on from."""
    done = 0 if whole is None else step_of(whole)
    if further := [path for path in sorted(unlisted, key=step_of) if step_of(path) > done]:
        begins = "begins anew" if whole is None else f"goes on from {whole.name}"
        note(
            f"{', '.join(path.name for path in further)} in {further[0].parent} cannot be compared with what was "
            "written, and cannot be gone on from: an earlier version wrote no list of hashes, or a kill came before it."
            f" The training {begins}: {step_of(further[-1]) - done:,} steps are done again"
        )


def require_whole(checkpoint: Path) -> None:
    """Raise DamagedError unless every file of the checkpoint is as it was written."""
    if (wrong := _damaged(checkpoint)) is not None:
        raise DamagedError(
            expected=f"the checkpoint {checkpoint} as it was written",
            got=f"{wrong.as_posix()}: missing, or other bytes",
            consequence="the training has no result: its best weights are lost",
            remedy="run the same command again: it goes on from the last checkpoint before that is whole",
        )


def _finished(folder: Path) -> list[Path]:
    """The checkpoints that have a list, the newest first."""
    return sorted((path.parent for path in folder.glob(f"checkpoint-*/{LIST_FILE}")), key=step_of, reverse=True)


def _wrong(checkpoint: Path) -> Path | None:
    """`checkpoint name/file name` of a file that is not what it was, of this one or of the one that it needs."""
    if (found := _damaged(checkpoint)) is not None:
        return checkpoint.name / found
    listed = _read_list(checkpoint)
    if listed is None or listed.needs is None:
        return None
    found = _damaged(checkpoint.parent / listed.needs)
    return None if found is None else listed.needs / found


def _damaged(checkpoint: Path) -> Path | None:
    """The name of a file that is not what the checkpoint's list has, the list itself included."""
    if (listed := _read_list(checkpoint)) is None:
        return Path(LIST_FILE)
    for name, content in listed.files.items():
        path = checkpoint / name
        if not path.is_file() or not integrity.is_content(path, content):
            return Path(name)
    return None


def _read_list(checkpoint: Path) -> _List | None:
    """None where it is missing or damaged."""
    try:
        found = plain_json.loads((checkpoint / LIST_FILE).read_bytes())
        listed = _List({str(name): str(content) for name, content in found["files"].items()}, found["needs"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return listed if STATE_FILE in listed.files and isinstance(listed.needs, str | None) else None


def _files(checkpoint: Path) -> list[Path]:
    return [path for path in sorted(checkpoint.rglob("*")) if path.is_file() and path.name != LIST_FILE]


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
