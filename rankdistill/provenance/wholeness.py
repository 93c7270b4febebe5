"""How the files of an artefact are: each as its manifest has it, damaged, missing, or none of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rankdistill import files, integrity, locations, manifest, tables
from rankdistill.errors import DataError
from rankdistill.integrity import Recorded
from rankdistill.notes import note
from rankdistill.provenance.found import DAMAGED, HOLDING, STEPS, UNFINISHED, Artefact
from rankdistill.stores.layout import ARTEFACT, Layout
from rankdistill.stores.repairing import put_aside

State = Literal["whole", "damaged", "missing", "edited", "unknown", "aside", "dead", "living"]
"""`edited`: a card or a report for people is not what was written; `unknown`: no manifest names the file; `aside`: a
repair that was killed put it aside; `dead`, `living`: what a writer has not finished, who is surely dead, or may
live."""

WRONG: frozenset[State] = frozenset({"damaged", "missing"})


@dataclass(frozen=True)
class FileState:
    """One file of an artefact.

    Args:
        name: in the artefact's folder.
        state: see `State`.
        size: bytes of what was put aside; 0: it stands for a shard that was lost. None of other files.
    """

    name: str
    state: State
    size: int | None = None


@dataclass(frozen=True)
class Wholeness:
    """How an artefact is.

    Args:
        path: its folder.
        kind: as its manifest calls it; `unfinished` or `damaged` where there is no readable one.
        files: how each file is.
        command: what makes it again, to the folder where it lies; "" where nothing tells.
        problem: why nothing could be compared; "" where it could.
    """

    path: Path
    kind: str
    files: tuple[FileState, ...]
    command: str = ""
    problem: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether nothing that it is read for is damaged or missing."""
        return not self.problem and not any(one.state in WRONG for one in self.files)

    def names(self, *states: State) -> list[str]:
        """The files in one of these states."""
        return [one.name for one in self.files if one.state in states]


def look(artefact: Artefact, looked: Callable[[int], object] = lambda files: None) -> Wholeness:
    """Read every file of an artefact as a whole.

    Args:
        artefact: as `found.find` gives it.
        looked: called with the number of files just read.
    """
    folder, made = artefact.path, artefact.manifest
    if artefact.kind == DAMAGED:
        return Wholeness(folder, DAMAGED, (FileState(manifest.FILE_NAME, "damaged"),))
    names = {*(made.outputs if made is not None else ()), *integrity.noted(folder)}
    found = [_state(Recorded(folder, name, made), looked) for name in sorted(names)]
    if made is None and artefact.kind == UNFINISHED:
        found += _pages(folder, names, looked)
    found += _put_aside(artefact)
    known = {one.name for one in found}
    found += [FileState(name, "unknown") for name in _others(artefact) if name not in known]
    found += [
        FileState(stray.relative_to(folder).as_posix(), "dead" if files.is_dead(stray) else "living")
        for stray in files.temporaries(folder)
        if _is_own(artefact, stray)
    ]
    return Wholeness(folder, artefact.kind, tuple(found), _command(folder, made))


def _command(folder: Path, made: manifest.Manifest | None) -> str:
    return integrity.again_of(folder, made) if made is not None and made.command else ""


def _state(one: Recorded, looked: Callable[[int], object]) -> FileState:
    try:
        state = one.state(whole=True)
    except OSError as error:
        note(f"{one.path} cannot be read ({error.strerror or error}): it counts as damaged")
        state = "damaged"
    looked(1)
    if state == "whole" or integrity.is_read(one.name):
        return FileState(one.name, state)
    return FileState(one.name, "edited")


def _pages(folder: Path, known: set[str], looked: Callable[[int], object]) -> Iterator[FileState]:
    """The Parquet files of what is unfinished: no manifest has their hashes, but their pages have checksums."""
    for path in locations.all_files(folder):
        name = path.relative_to(folder).as_posix()
        if path.suffix != ".parquet" or name in known:
            continue
        try:
            tables.require_pages(path)
        except (DataError, OSError):
            yield FileState(name, "damaged")
        else:
            yield FileState(name, "whole")
        looked(1)


def _put_aside(artefact: Artefact) -> Iterator[FileState]:
    """The shards of a score store that a killed repair has left under another name."""
    if artefact.kind == ARTEFACT:
        for path in put_aside(Layout(artefact.path)):
            yield FileState(path.relative_to(artefact.path).as_posix(), "aside", path.stat().st_size)


def _others(artefact: Artefact) -> Iterator[str]:
    """The files that no manifest names."""
    made = artefact.manifest
    if made is None:
        return
    for path in integrity.unlisted(artefact.path, made):
        if _is_own(artefact, path):
            yield path.relative_to(artefact.path).as_posix()


def _is_own(artefact: Artefact, path: Path) -> bool:
    """Whether a file in an artefact's folder or below belongs to it, and not to another artefact that lies there."""
    if artefact.kind not in HOLDING:
        return True
    inner = path.relative_to(artefact.path).parent
    between = [artefact.path / part for part in (inner, *inner.parents) if part != Path()]
    return inner.parts[:1] != (STEPS,) and not any((folder / manifest.FILE_NAME).is_file() for folder in between)
