"""Keeping in a store what its teachers are called; see `rankdistill.teachers.names`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from rankdistill import integrity, plain_json
from rankdistill.errors import ConfigError, StaleOutputError
from rankdistill.stores.layout import Layout
from rankdistill.teachers import names
from rankdistill.teachers.names import Called

LONGEST = 100
"""Characters of a name."""


def teachers_of(layout: Layout, teacher_ids: Iterable[str] | None = None) -> list[Called]:
    """What the teachers of a score store are called, finished or not; of `teacher_ids` only, where given."""
    chosen = layout.teacher_ids() if teacher_ids is None else teacher_ids
    return names.called(layout.root, {one: plain_json.read(integrity.require(layout.teacher(one))) for one in chosen})


def require_name(name: str | None) -> None:
    """Raise ConfigError for a name that could not be typed again, or not in a list with commas."""
    if name is None or (name == name.strip() and 0 < len(name) <= LONGEST and name.isprintable() and "," not in name):
        return
    raise ConfigError(
        expected=f"a name of 1 to {LONGEST} printable characters without a comma, with no space at either end",
        got=repr(name),
        consequence="nothing was scored",
        remedy="choose another name",
    )


def require_free(layout: Layout, teacher_id: str, wanted: Iterable[str]) -> None:
    """Raise StaleOutputError if a name in `wanted` is another teacher's id or user's name in this store.

    Two teachers of one model are no error: their model's name stands for both, and the names of users for one each.
    """
    new = set(wanted)
    for other in teachers_of(layout):
        held = new & {other.teacher_id, *other.given}
        if held and other.teacher_id != teacher_id:
            raise StaleOutputError(
                expected=f"a name that no other teacher in {layout.root} has",
                got=f"{min(held)!r}, the name of {other.teacher_id}",
                consequence="nothing was scored: two teachers under one name could not be told apart",
                remedy="choose another name",
            )


def keep_names(root: Path, teacher_id: str, name: str | None, model: str = "") -> str | None:
    """Write down what a teacher is called. The earlier user's name, if there was another.

    The user's name is replaced where a new one is given; the model's name stays as it was first: the same weights may
    lie in folders of other names elsewhere. Call it while holding the store's lock.

    Args:
        root: the store.
        teacher_id: whose names.
        name: the user's; None: no new one.
        model: what the model is called; "": nothing tells.

    Raises:
        DataError: the file of names is damaged.
        OutputError: it cannot be written.
    """
    kept = names.read(root)
    before = kept.get(teacher_id, {})
    after = ({names.MODELS: model} if model else {}) | before | ({names.USERS: name} if name else {})
    if after == before:
        return None
    text = json.dumps(kept | {teacher_id: after}, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    with integrity.noting(root / names.FILE_NAME, root) as temporary:
        temporary.write_text(text, encoding="utf-8")
    earlier = before.get(names.USERS)
    return earlier if earlier != after.get(names.USERS) else None
