"""`first_sentences`: the first sentences of a document's text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from pydantic import Field

from rankdistill.querying import generator
from rankdistill.querying.corpus import Corpus
from rankdistill.querying.generator import Written
from rankdistill.records import Document
from rankdistill.stores.embeddings.sentences import sentences

KIND = "first_sentences"


class Settings(generator.Settings):
    """Settings of the kind.

    Args:
        longest: words of a query at most; the rest of a sentence is cut off.
    """

    longest: int = Field(default=24, ge=2)


class FirstSentences:
    """As many queries as are asked for, from the beginning of the text on.

    Args:
        settings: see `Settings`.
    """

    costly, alone = False, True

    def __init__(self, settings: Settings) -> None:
        self._longest = settings.longest

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """Kind and length."""
        return {"kind": KIND, "longest": self._longest}

    def generate(self, documents: Sequence[Document], count: int) -> Iterator[tuple[int, list[Written]]]:
        """See `Generator.generate`."""
        for number, document in enumerate(documents):
            found = islice(sentences(document.text), count)
            yield number, [Written(KIND, " ".join(one.split()[: self._longest])) for one in found]


def load(settings: Settings, corpus: Corpus) -> FirstSentences:
    """The generator."""
    return FirstSentences(settings)
