"""What the teachers of a store are called, and which of them a name stands for.

Wherever a teacher of a store is taken, by a flag or in Python, the first of these that fits says which is meant:

1. its id, such as `cross-encoder-1a2b3c4d5e6f`;
2. its user's name: what `score --name` and `embed --name` gave it, or the name in its fingerprint (`import
   --teacher-name`, `ensemble --name`, the `name` of a table teacher);
3. its model's name: the name of the model's folder, `pypi:NAME` or NAME, a hub id with or without its owner, or the
   model as a server knows it;
4. the start of any of these.

What fits several teachers is an error, and so is what fits none; no later rule is tried where an earlier one fits.

The user's name and the model's name lie in `names.json` of the store, which is none of its manifest's outputs: teacher
ids, keys of scores and identities do not depend on what somebody calls a teacher. A store without that file, as all
were once, has ids and the names in fingerprints.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rankdistill import integrity, locations, plain_json
from rankdistill.errors import DataError, StoreError

FILE_NAME = "names.json"

USERS, MODELS = "name", "model"
"""The fields of a teacher in that file; either may be absent."""

PACKAGE = "pypi:"


@dataclass(frozen=True)
class Called:
    """What one teacher is called.

    Args:
        teacher_id: its id.
        given: the user's names, the newest first.
        model: what its model is called; "" where nothing tells.
    """

    teacher_id: str
    given: tuple[str, ...] = ()
    model: str = ""

    @property
    def models(self) -> tuple[str, ...]:
        """The names of its model, the shortest last."""
        if not self.model:
            return ()
        package = self.model.removeprefix(PACKAGE)
        return tuple(dict.fromkeys((self.model, package, package.rpartition("/")[2] or package)))

    @property
    def name(self) -> str:
        """What it is shown as: the user's name, else the model's, else the id."""
        return next(iter((*self.given, *self.models[-1:])), self.teacher_id)

    @property
    def all(self) -> tuple[str, ...]:
        """Everything that it may be asked for by."""
        return (self.teacher_id, *self.given, *self.models)


def beside(name: str, teacher_id: str) -> str:
    """`NAME (ID)`, as lines and titles show a teacher; the id alone where there is no other name."""
    return teacher_id if name == teacher_id else f"{name} ({teacher_id})"


def read(root: Path) -> dict[str, dict[str, str]]:
    """Teacher id -> its names in the store `root`, by the fields `USERS` and `MODELS`; empty where there is no file.

    Raises:
        DataError: the file is damaged.
    """
    path = root / FILE_NAME
    if not locations.is_file(path):
        return {}
    try:
        found = plain_json.loads(integrity.read_text(path))
        return {teacher: {field: str(name) for field, name in names.items()} for teacher, names in found.items()}
    except (ValueError, AttributeError) as error:
        raise DataError(
            expected=f"{path} to hold the names of the store's teachers",
            got=str(error),
            consequence="nothing was read: it is not clear who is called what",
            remedy="remove that file: the scores do not need it, and teachers then go by their ids",
        ) from error


def called(root: Path, fingerprints: Mapping[str, Mapping[str, Any]]) -> list[Called]:
    """What the teachers of the store `root` are called, given their fingerprints by id; DataError as `read`."""
    kept = read(root)
    return [_called(teacher_id, made, kept.get(teacher_id, {})) for teacher_id, made in fingerprints.items()]


def choose(teachers: Sequence[Called], wanted: str | None) -> str:
    """The id of the one teacher that `wanted` stands for; the order of precedence is above.

    Args:
        teachers: those of a store.
        wanted: a name; None: the only one there is.

    Raises:
        StoreError: none, or several; the message lists the teachers by name and id.
    """
    found = list(teachers) if wanted is None else _fitting(teachers, wanted)
    if len(found) == 1:
        return found[0].teacher_id
    if wanted is None:
        got = "no choice among several" if teachers else "a store without a teacher"
    else:
        got = f"{wanted!r}, which stands for {len(found)} of them" + (f": {_listed(found)}" if found else "")
    raise StoreError(
        expected=f"one of the store's teachers: {_listed(teachers) or 'none'}",
        got=got,
        consequence="no score was read",
        remedy="name one of them, as with --teacher: by name, by id, or by a beginning that no other teacher has",
    )


def shown(teachers: Sequence[Called]) -> dict[str, str]:
    """Teacher id -> what to show it as: its name where that means it and no other, else its id."""
    return {one.teacher_id: one.name if _fitting(teachers, one.name) == [one] else one.teacher_id for one in teachers}


def _called(teacher_id: str, fingerprint: Mapping[str, Any], kept: Mapping[str, str]) -> Called:
    given = [str(name) for name in (kept.get(USERS), fingerprint.get("name")) if name]
    return Called(teacher_id, tuple(dict.fromkeys(given)), kept.get(MODELS) or _asked_for(fingerprint))


def _asked_for(fingerprint: Mapping[str, Any]) -> str:
    """The model that requests to a server name; "" where the teacher asks none."""
    chat = fingerprint.get("model")
    for part in (fingerprint, chat):
        request = part.get("request") if isinstance(part, Mapping) else None
        if isinstance(request, Mapping) and isinstance(request.get("model"), str):
            return str(request["model"])
    return ""


def _fitting(teachers: Sequence[Called], wanted: str) -> list[Called]:
    """The teachers that the first fitting rule finds."""
    if not wanted:
        return []
    exact: Sequence[list[Called]] = (
        [one for one in teachers if one.teacher_id == wanted],
        [one for one in teachers if wanted in one.given],
        [one for one in teachers if wanted in one.models],
    )
    started = [one for one in teachers if any(name.startswith(wanted) for name in one.all)]
    return next((found for found in exact if found), started)


def _listed(teachers: Sequence[Called]) -> str:
    return ", ".join(beside(one.name, one.teacher_id) for one in teachers)
