"""The folder of a student: whether it is there already, its checkpoints, and writing it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankdistill import files, manifest
from rankdistill.inference.saving import save_trained
from rankdistill.inference.storage import PICKLED, WEIGHTS, Storage, compress
from rankdistill.making import making, visible_files
from rankdistill.teachers.teaching.checkpoints import remove_incomplete
from rankdistill.teachers.teaching.training_log import LOG_FILE
from rankdistill.training import checkpoints, processes

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


@contextmanager
def claimed(out: Path, wanted: manifest.Manifest, keep_checkpoints: bool) -> Iterator[Path | None]:
    """The folder for checkpoints of the run `wanted`, or None where `out` holds its student already.

    `out` is held against other processes, by the first of these, which writes the manifest once the block ends well.
    The folder is cleared of half-written checkpoints, and removed then unless kept.

    Raises:
        LockedError: another process trains into `out`.
        StaleOutputError: `out` holds another student, or the checkpoints of another run.
    """
    folder = out / checkpoints.FOLDER
    if not processes.is_first():
        yield None if manifest.is_current(out, wanted) else folder
        return
    with making(out, wanted) as made:
        if made.current:
            yield None
        else:
            checkpoints.claim(folder, wanted.identity)
            remove_incomplete(folder)
            yield folder
            made.wrote(path for path in visible_files(out) if path.relative_to(out).parts[0] != checkpoints.FOLDER)
    checkpoints.settle(folder, wanted.identity, keep_checkpoints)


def save(out: Path, model: SentenceTransformer, storage: Storage = "float32") -> None:
    """Write the model, as sentence-transformers does, without a card; its weights as `storage` says."""
    for name in (WEIGHTS, PICKLED):
        (out / name).unlink(missing_ok=True)  # of a run that was killed here
    save_trained(model, out)
    compress(model, out, storage)


def describe(out: Path, log: dict[str, Any], readme: str) -> None:
    """Write what tells about the student that is in `out`."""
    files.write_text(out / "README.md", readme)
    files.write_text(out / LOG_FILE, json.dumps(log, indent=1) + "\n")
