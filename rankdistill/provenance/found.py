"""The artefacts under a folder: what has a manifest, collections, and what is unfinished."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rankdistill import manifest, plain_json
from rankdistill.errors import DataError
from rankdistill.manifest import COLLECTION, CORPUS, RUN, Manifest
from rankdistill.sessions.lineage import SESSIONS
from rankdistill.sessions.writing import FILE_NAME as SESSIONS_FILE
from rankdistill.stores.embeddings.layout import Layout as EmbeddingsLayout
from rankdistill.stores.layout import Layout
from rankdistill.training import checkpoints

STEPS = "steps"
"""The folder, in that of a run, in which its steps lie."""

UNFINISHED, DAMAGED = "unfinished", "damaged"
"""Instead of an artefact's kind: a step or store without a manifest; a manifest that cannot be read."""

HOLDING = (COLLECTION, RUN, "teacher choice")
"""Artefacts in whose folder others may lie; in any other one lie its own parts."""

TIMES = "times.json"
"""In a run's folder from its first step on."""

_PASSED = {"__pycache__", "node_modules", "site-packages", checkpoints.FOLDER}


@dataclass(frozen=True)
class Artefact:
    """A folder that holds something of ours.

    Args:
        path: the folder.
        kind: as the manifest calls it: `scores`, `student`, `index`, ...; or `unfinished`, `damaged`.
        manifest: what made it; None where it has none: a user's collection or sessions, or what is unfinished.
    """

    path: Path
    kind: str
    manifest: Manifest | None = None


def find(
    folder: Path, looked: Callable[[int], object] = lambda folders: None, depth: int | None = None
) -> Iterator[Artefact]:
    """The artefacts in `folder` and below, `folder` first and the rest in the order of their paths.

    Links to folders are not followed, nor folders whose names begin with a dot looked into; parts of an artefact, as
    the shards of an index, are none. Only a local folder has artefacts below.

    Args:
        folder: where to look.
        looked: called with the number of folders just looked into.
        depth: how far below it is looked; None: all the way.
    """
    for place, below, names in os.walk(folder):
        looked(1)
        found = at(Path(place), names)
        if found is not None:
            yield found
        _go_on(folder, Path(place), below, depth, found is not None and found.kind not in HOLDING)


def plain_models(folder: Path, depth: int | None = None) -> Iterator[Path]:
    """The folders of models in `folder` and below that are no artefacts, such as the towers of a bundle."""
    for place, below, names in os.walk(folder):
        is_model = bool({"modules.json", "config.json"} & set(names))
        if is_model and at(Path(place), names) is None:
            yield Path(place)
        _go_on(folder, Path(place), below, depth, is_model)


def _go_on(folder: Path, place: Path, below: list[str], depth: int | None, ends: bool) -> None:
    """Leave of the folders in `place`, which are in `below`, those that a walk through `folder` goes on with."""
    if ends or (depth is not None and len(place.relative_to(folder).parts) >= depth):
        below.clear()
    below[:] = sorted(name for name in below if not name.startswith(".") and name not in _PASSED)


def at(folder: Path, names: list[str] | None = None) -> Artefact | None:
    """The artefact whose folder this is; None where it is none.

    Args:
        folder: the folder.
        names: of the files in it, where they are known.
    """
    listed = {path.name for path in folder.iterdir()} if names is None and folder.is_dir() else set(names or ())
    if manifest.FILE_NAME in listed and _is_ours(folder / manifest.FILE_NAME):
        try:
            made = manifest.read(folder)
        except DataError:
            return Artefact(folder, DAMAGED)
        if made is not None:
            return Artefact(folder, made.artefact, made)
    if listed & {CORPUS, f"{CORPUS}.gz"}:
        return Artefact(folder, COLLECTION)
    if listed & {SESSIONS_FILE, f"{SESSIONS_FILE}.gz"}:
        return Artefact(folder, SESSIONS)
    if (folder / STEPS).is_dir() and TIMES in listed:
        return Artefact(folder, RUN)
    return Artefact(folder, UNFINISHED) if _is_begun(folder) else None


def _is_begun(folder: Path) -> bool:
    """Whether a step of a run lies there that has not ended, a training, or a store that has no manifest yet."""
    if folder.parent.name == STEPS and (folder.parent.parent / TIMES).is_file():
        return True
    embeddings = EmbeddingsLayout(folder)
    stored = bool(Layout(folder).teacher_ids()) or (embeddings.teacher.is_file() and embeddings.vectors.is_dir())
    return stored or checkpoints.are_in(folder / checkpoints.FOLDER)


def _is_ours(path: Path) -> bool:
    """Whether this manifest is of this package: other programs have files of that name."""
    try:
        content = plain_json.loads(path.read_bytes())
    except (OSError, ValueError):
        return path.is_file() and b'"artefact"' in path.read_bytes()
    return isinstance(content, dict) and {"artefact", "identity"} <= content.keys()
