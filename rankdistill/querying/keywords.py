"""`keywords`: the heaviest words of a document, in the order in which they stand there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from pydantic import Field

from rankdistill.querying import generator
from rankdistill.querying.corpus import Corpus, words_of
from rankdistill.querying.generator import Written
from rankdistill.records import Document

KIND = "keywords"


class Settings(generator.Settings):
    """Settings of the kind.

    Args:
        words: of a query.
        read: words of a document that are looked at, from its beginning.
    """

    words: int = Field(default=5, ge=2)
    read: int = Field(default=256, ge=2)


class Keywords:
    """The first query has the words of the largest BM25 weights, the next one the next ones, and so on.

    Args:
        settings: see `Settings`.
        corpus: whose frequencies weigh the words.
    """

    costly, alone = False, True

    def __init__(self, settings: Settings, corpus: Corpus) -> None:
        self._settings, self._corpus = settings, corpus

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """Kind and settings."""
        return {"kind": KIND, **self._settings.model_dump()}

    def generate(self, documents: Sequence[Document], count: int) -> Iterator[tuple[int, list[Written]]]:
        """See `Generator.generate`."""
        weights, size = self._corpus.weights, self._settings.words
        for number, document in enumerate(documents):
            read = words_of(document.contents)[: self._settings.read]
            weight = dict(zip(read, weights.of_document(read), strict=True))
            words = list(weight)
            order = np.argsort([-weight[word] for word in words], kind="stable")
            groups = [sorted(order[start : start + size]) for start in range(0, len(order), size)]
            whole = [group for group in groups if len(group) == size][:count]
            yield number, [Written(KIND, " ".join(words[place] for place in group)) for group in whole]


def load(settings: Settings, corpus: Corpus) -> Keywords:
    """The generator."""
    return Keywords(settings, corpus)
