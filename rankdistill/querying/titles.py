"""`titles`: the title of a document as its query."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rankdistill.querying import generator
from rankdistill.querying.corpus import Corpus
from rankdistill.querying.generator import Written
from rankdistill.records import Document

KIND = "titles"


class Settings(generator.Settings):
    """None."""


class Titles:
    """One query a document that has a title."""

    fingerprint: Mapping[str, Any] = {"kind": KIND}
    costly, alone = False, True

    def generate(self, documents: Sequence[Document], count: int) -> Iterator[tuple[int, list[Written]]]:
        """The title, white space put right; see `Generator.generate`."""
        for number, document in enumerate(documents):
            title = " ".join(document.title.split())
            yield number, [Written(KIND, title)] if title else []


def load(settings: Settings, corpus: Corpus) -> Titles:
    """The generator."""
    return Titles()
