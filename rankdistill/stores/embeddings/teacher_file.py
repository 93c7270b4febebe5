"""`teacher.json`: whose vectors a store holds; a store has one teacher."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rankdistill import files, integrity, manifest, plain_json
from rankdistill.errors import DataError, StaleOutputError
from rankdistill.stores.embeddings.layout import Layout, VectorType
from rankdistill.teachers import names
from rankdistill.teachers.base import EmbeddingTeacher
from rankdistill.teachers.names import Called

REFERENCE = "reference"
"""The one field that may differ between runs: the same weights may lie in another place."""


def describe_teacher(teacher: EmbeddingTeacher, dtype: VectorType) -> dict[str, Any]:
    """What `teacher.json` says; raises ConfigError where the teacher's prompts are not clear."""
    return {
        "teacher_id": teacher.teacher_id,
        REFERENCE: teacher.reference,
        "fingerprint": dict(teacher.fingerprint),
        "space": teacher.space.to_json(),
        "prompts": dict(teacher.prompts),
        "dtype": dtype,
    }


def read_teacher(layout: Layout) -> dict[str, Any]:
    """What `teacher.json` of a store says; raises DataError where there is none."""
    try:
        found: dict[str, Any] = plain_json.loads(integrity.read_text(layout.teacher))
    except (FileNotFoundError, ValueError) as error:
        raise DataError(
            expected=f"an embedding store with {layout.teacher.name}",
            got=f"{layout.teacher}: {error}",
            consequence="whose vectors these are is unknown, so nothing was read",
            remedy="make the store again with `rankdistill embed`",
        ) from error
    return found


def called(layout: Layout, teacher: Mapping[str, Any]) -> Called:
    """What the teacher is called in the store; `teacher` as `describe_teacher` gives it."""
    teacher_id = str(teacher["teacher_id"])
    given = names.read(layout.root).get(teacher_id, {}).get(names.USERS)
    return Called(teacher_id, (given,) if given else (), str(teacher[REFERENCE]).rstrip("/"))


def require_teacher(layout: Layout, wanted: Mapping[str, Any]) -> None:
    """Check that the store has no other teacher than `wanted`, which `describe_teacher` gives. Writes nothing.

    Raises:
        StaleOutputError: it holds vectors of another teacher or in another number format.
    """
    if not integrity.is_there(layout.teacher, layout.root):
        return
    held, new = ({**given, REFERENCE: ""} for given in (read_teacher(layout), wanted))
    if manifest.digest(held) != manifest.digest(new):
        raise StaleOutputError(
            expected=f"the teacher and settings whose vectors {layout.root} holds",
            got="; ".join(_differences(held, new)),
            consequence="nothing was embedded: vectors of two teachers cannot be compared",
            remedy="choose another output, or give the same teacher and settings",
        )


def keep_teacher(layout: Layout, wanted: Mapping[str, Any]) -> None:
    """Write `teacher.json` into a store that has none. Call it while holding the store's lock."""
    if not integrity.is_there(layout.teacher, layout.root):
        files.write_text(layout.teacher, json.dumps(wanted, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def _differences(held: Mapping[str, Any], new: Mapping[str, Any], within: str = "") -> list[str]:
    found = []
    for name in sorted(held.keys() | new.keys()):
        before, after = held.get(name), new.get(name)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            found += _differences(before, after, f"{within}{name}.")
        elif before != after:
            found.append(f"{within}{name} was {before!r}, is now {after!r}")
    return found
