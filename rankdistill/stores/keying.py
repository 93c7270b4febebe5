"""What the scores of a store are keyed by: the texts that were scored, or ids whose texts are elsewhere."""

from __future__ import annotations

from typing import Literal

from rankdistill import integrity, plain_json
from rankdistill.errors import StoreError
from rankdistill.stores.layout import Layout

KeyedBy = Literal["texts", "ids"]

FIELD = "keyed_by"
"""In a teacher's fingerprint and in the manifest's parameters; texts where it is absent."""


def keyed_by(layout: Layout) -> KeyedBy | None:
    """By what the teachers of a store are keyed; None if it has none yet."""
    for teacher_id in layout.teacher_ids():
        return "ids" if plain_json.read(integrity.require(layout.teacher(teacher_id))).get(FIELD) == "ids" else "texts"
    return None


def require_keying(layout: Layout, wanted: KeyedBy) -> None:
    """Raise StoreError if the store's scores are keyed by the other one.

    The key of a score is what resuming and joining rely on; keys of two kinds never match, not even for equal pairs.
    """
    held = keyed_by(layout)
    if held in (None, wanted):
        return
    raise StoreError(
        expected=f"scores keyed by {held}, as all scores in {layout.root} are",
        got=f"scores keyed by {wanted}",
        consequence="nothing was added: equal pairs would be taken for different ones",
        remedy="import with --data (texts) into a new store, which can be scored into; a file of ids makes a store "
        "of ids without it; or choose another output",
    )
