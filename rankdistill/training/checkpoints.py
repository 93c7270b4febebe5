"""The folder of a run's checkpoints: whether they belong to this run."""

from __future__ import annotations

import json
from pathlib import Path

from rankdistill import files, plain_json
from rankdistill.errors import BrokenFileError, StaleOutputError
from rankdistill.making import CHECKPOINTS, KEPT
from rankdistill.teachers.teaching.checkpoints import last

FOLDER = CHECKPOINTS
_RUN_FILE = "run.json"


def are_in(folder: Path) -> bool:
    """Whether `folder`, that of checkpoints, belongs to a training that has not ended."""
    return (folder / _RUN_FILE).is_file()


def claim(folder: Path, identity: str) -> None:
    """Mark the checkpoints in `folder` as those of the run `identity`; a run that left none holds no claim.

    Raises:
        StaleOutputError: they belong to a run with other inputs or settings.
    """
    path = folder / _RUN_FILE
    known = _identity(folder) if path.is_file() else identity
    if known != identity and last(folder) is not None:
        raise StaleOutputError(
            expected="checkpoints of this very run",
            got=f"{folder}: checkpoints of an unfinished run with other inputs or settings"
            if known is not None
            else f"{path}, which is damaged: nothing says whose checkpoints these are",
            consequence="nothing was trained, and they were kept",
            remedy="give the same inputs and settings, choose another output, or remove that folder",
        )
    files.write_text(path, json.dumps({"identity": identity}) + "\n")


def _identity(folder: Path) -> str | None:
    """Of the run whose checkpoints these are; None where its file is damaged."""
    try:
        found = plain_json.read(folder / _RUN_FILE)["identity"]
    except (BrokenFileError, KeyError, TypeError):
        return None
    return found if isinstance(found, str) else None


def settle(folder: Path, identity: str, keep: bool) -> None:
    """Remove the checkpoints in `folder` of the run `identity`, whose student is there, or mark them as kept.

    Those that were kept stay. Call it again where a kill may have come before.
    """
    if not folder.is_dir() or (folder / KEPT).is_file():
        return
    if keep:
        files.write_text(folder / KEPT, "")
    elif not are_in(folder) or _identity(folder) == identity:
        files.remove_folder(folder)
