"""What a step is, and running those that are stale.

A step writes into a folder of its own, named by the hash of its settings and of the steps it needs: a changed setting
gives a new folder, so nothing is overwritten, and a finished folder (it has a manifest) is never made again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rankdistill import files, integrity, manifest, plain_json
from rankdistill.errors import DataError
from rankdistill.making import is_cleared
from rankdistill.notes import note
from rankdistill.progress import Named, Reporter

TIMES_FILE = "times.json"

Work = Callable[[Path, Reporter], object]
"""Does a step: gets the folder to write and whom to tell how far it is. Resumes by itself."""


@dataclass(frozen=True)
class Step:
    """One step of a run.

    Args:
        name: what tables call it; unique in the run.
        settings: everything that decides its result, as JSON values.
        needs: the steps whose results it reads.
        work: does it.
        root: the run's folder.
    """

    name: str
    settings: Mapping[str, Any]
    needs: Sequence[Step]
    work: Work
    root: Path = field(repr=False)

    @property
    def key(self) -> str:
        """Hash of the settings and of the needed steps' keys."""
        needs = [step.key for step in self.needs]
        return manifest.digest({"name": self.name, "settings": self.settings, "needs": needs})

    @property
    def folder(self) -> Path:
        """Where its result lies."""
        return self.root / "steps" / f"{self.name}-{self.key[:10]}"

    @property
    def done(self) -> bool:
        """Whether its result is there, whole."""
        return integrity.is_whole(self.folder)

    @property
    def begun(self) -> bool:
        """Whether an interrupted run left something to go on from."""
        return not self.done and self.folder.is_dir()


@dataclass(frozen=True)
class Workspace:
    """The folder of a run, in which its steps lie.

    Args:
        root: the folder.
        command: the command line, for manifests.
    """

    root: Path
    command: str = ""

    def step(self, name: str, settings: Mapping[str, Any], needs: Sequence[Step], work: Work) -> Step:
        """A step of this run; see `Step`."""
        return Step(name, settings, needs, work, self.root)


def present(step: Step | None) -> list[Step]:
    """The step in a list, or none."""
    return [] if step is None else [step]


class Times:
    """Seconds that each step took, over all its interrupted runs; kept beside the steps, not in them."""

    def __init__(self, root: Path) -> None:
        self.path = root / TIMES_FILE

    def read(self) -> dict[str, float]:
        """Folder name -> seconds."""
        return plain_json.read(self.path) if self.path.is_file() else {}

    def add(self, step: Step, seconds: float) -> None:
        """Add `seconds` to the step's."""
        times = self.read()
        times[step.folder.name] = round(times.get(step.folder.name, 0.0) + seconds, 2)
        files.write_text(self.path, json.dumps(times, indent=1, sort_keys=True) + "\n")

    def of(self, step: Step) -> float | None:
        """Seconds of one step, if it has run."""
        return self.read().get(step.folder.name)


def execute(steps: Sequence[Step], reporter: Reporter) -> list[Step]:
    """Run the steps that are not done, in order; returns those that ran.

    Args:
        steps: in an order in which every step follows those it needs.
        reporter: is told how far each is, under its name.

    A step whose files are damaged or gone is done again; where it then gives other bytes, so are those that need it.
    """
    ran = []
    changed: set[str] = set()
    for step in steps:
        if changed & {need.key for need in step.needs}:
            _forget(step, changed)
        if step.done:
            if not is_cleared(step.folder):  # killed behind its manifest: its verb does the rest
                step.work(step.folder, Named(reporter, step.name))
            continue
        before = _digest(step)
        if before is not None and _kind(step) not in REPAIRED:
            note(f"{step.name}: what it made is damaged or not all there, and is made again")
            files.remove_folder(step.folder)
        times, started = Times(step.root), time.perf_counter()
        try:
            step.work(step.folder, Named(reporter, step.name))
        finally:
            times.add(step, time.perf_counter() - started)
        if before is not None and before != _digest(step):
            changed.add(step.key)
        ran.append(step)
    return ran


REPAIRED = ("scores", "embeddings")
"""What is not made again as a whole: their verbs say how what is damaged is."""


def _kind(step: Step) -> str:
    made = manifest.read(step.folder)
    return "" if made is None else made.artefact


def _digest(step: Step) -> str | None:
    """What a step made, as its manifest has it; None where it has none that can be read."""
    try:
        made = manifest.read(step.folder)
    except DataError:
        return None
    return None if made is None else manifest.digest(made.outputs)


def _forget(step: Step, changed: set[str]) -> None:
    """Remove what was made from a step whose result is another one now: it was damaged, and made again otherwise."""
    if (step.folder / manifest.FILE_NAME).is_file():
        note(f"{step.name} is made again: what it needs was damaged, and is not the same to the byte any more")
        files.remove_folder(step.folder)
        changed.add(step.key)
