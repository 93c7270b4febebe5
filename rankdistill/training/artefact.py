"""The folder of a student: whether it is there already, its checkpoints, and writing it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankdistill import files, manifest
from rankdistill.inference.loading import quietly
from rankdistill.teachers.teaching.checkpoints import remove_incomplete
from rankdistill.training import checkpoints, processes

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

LOG_FILE = "training_log.json"


@contextmanager
def claimed(out: Path, wanted: manifest.Manifest, keep_checkpoints: bool) -> Iterator[Path | None]:
    """The folder for checkpoints of the run `wanted`, or None where `out` holds its student already.

    It is held against other processes, cleared of half-written checkpoints, and removed after success unless kept.

    Raises:
        LockedError: another process trains into `out`.
        StaleOutputError: `out` holds another student, or the checkpoints of another run.
    """
    with files.exclusive(out) if processes.is_first() else nullcontext():
        if manifest.is_current(out, wanted):
            yield None
            return
        folder = out / checkpoints.FOLDER
        if processes.is_first():
            checkpoints.claim(folder, wanted.identity)
            remove_incomplete(folder)
        yield folder
        if processes.is_first() and not keep_checkpoints:
            shutil.rmtree(folder)


def save(out: Path, model: SentenceTransformer) -> None:
    """Write the model, as sentence-transformers does, without a card."""
    with files.output_errors(out), quietly():
        model.save_pretrained(str(out), create_model_card=False)


def finish(out: Path, log: dict[str, Any], readme: str, wanted: manifest.Manifest) -> None:
    """Write what tells about the student that is in `out`; the manifest comes last."""
    files.write_text(out / "README.md", readme)
    files.write_text(out / LOG_FILE, json.dumps(log, indent=1) + "\n")
    written = {path.relative_to(out): path for path in sorted(out.rglob("*")) if path.is_file()}
    outputs = {
        name.as_posix(): files.hash_file(path)
        for name, path in written.items()
        if name.parts[0] != checkpoints.FOLDER and not name.name.startswith(".")
    }
    replace(wanted, outputs=outputs).write(out)
