"""The texts of a score store where no data set is at hand: for repairs, for workers elsewhere, for what was lost."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from rankdistill.data.text_store import Texts
from rankdistill.stores.keys import text_hasher
from rankdistill.stores.layout import Layout
from rankdistill.stores.texts import read_texts


class StoredTexts:
    """Queries and documents by id, each read once, when they are first asked for; many of them lie on disk.

    Args:
        layout: the store; it must have texts.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout

    @cached_property
    def queries(self) -> Texts:
        """Query id -> text."""
        return read_texts(self.layout.queries)

    @cached_property
    def documents(self) -> Texts:
        """Document id -> text."""
        return read_texts(self.layout.documents)

    @cached_property
    def hash_of(self) -> tuple[Callable[[str], bytes], Callable[[str], bytes]]:
        """Query id -> text hash, and document id -> text hash."""
        return text_hasher(self.queries.__getitem__), text_hasher(self.documents.__getitem__)
