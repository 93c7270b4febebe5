"""`spans`: the runs of words that tell a document from the others of its corpus."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from rankdistill.querying import generator
from rankdistill.querying.corpus import WORD, Corpus, Weights, words_of
from rankdistill.querying.generator import Written
from rankdistill.records import Document
from rankdistill.stores.embeddings.sentences import sentences

KIND = "spans"

_BREAK = re.compile(r"[;:()\[\]{}|<>\"“”]|\s[-–—]\s")
"""Between two words: no span goes over it."""


class Settings(generator.Settings):
    """Settings of the kind.

    Args:
        shortest: words of a span at least.
        longest: words of a span at most.
        read: words of a text that are looked at, from its beginning: models read no more of it.
        titled: put the document's title before a span that shares no word with it, if it has this many words at most;
            0: never.
    """

    shortest: int = Field(default=3, ge=1)
    longest: int = Field(default=8, ge=1)
    read: int = Field(default=256, ge=1)
    titled: int = Field(default=6, ge=0)


class Spans:
    """The best spans of each document, none with half of its words in a better one.

    A span lies within a sentence and begins and ends with a word of at least the document's median weight. Its value is
    `sum of BM25's weights / sqrt(words)`: the mean alone would take the shortest, the sum the longest.

    Args:
        settings: see `Settings`.
        weights: of the corpus.
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
        weights = self._corpus.weights
        for number, document in enumerate(documents):
            yield number, [Written(KIND, text) for text in self._of(document, count, weights)]

    def _of(self, document: Document, count: int, weights: Weights) -> list[str]:
        texts, words, places, segments = self._words(document)
        if not words:
            return []
        value = weights.of_document(words)
        starts, lengths, scores = self._windows(value, segments)
        found: list[str] = []
        taken: list[set[str]] = []
        for at in np.lexsort((starts, -scores)):
            start, length = int(starts[at]), int(lengths[at])
            own = set(words[start : start + length])
            if any(2 * len(own & other) >= len(own) for other in taken):
                continue
            taken.append(own)
            sentence, first = places[start]
            _, (_, last) = places[start], places[start + length - 1]
            found.append(self._titled(document.title, texts[sentence][first[0] : last[1]]))
            if len(found) == count:
                break
        return found

    def _words(
        self, document: Document
    ) -> tuple[list[str], list[str], list[tuple[int, tuple[int, int]]], NDArray[np.int64]]:
        """Sentences; the words in lower case; for each its sentence and (first, end) there; and its segment."""
        texts: list[str] = []
        words: list[str] = []
        segments: list[int] = []
        places: list[tuple[int, tuple[int, int]]] = []
        segment = 0
        for sentence in sentences(document.text):
            segment, end = segment + 1, 0
            for found in WORD.finditer(sentence):
                segment += bool(_BREAK.search(sentence, end, found.start())) if end else 0
                end = found.end()
                words.append(found[0].lower())
                places.append((len(texts), found.span()))
                segments.append(segment)
            texts.append(sentence)
            if len(words) >= self._settings.read:
                break
        read = self._settings.read
        return texts, words[:read], places[:read], np.array(segments[:read], dtype=np.int64)

    def _windows(
        self, value: NDArray[np.float64], segments: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Start, words and value of every span there may be."""
        sums = np.concatenate([[0.0], np.cumsum(value)])
        telling = value >= np.median(value)
        starts, lengths, scores = [], [], []
        for length in range(self._settings.shortest, self._settings.longest + 1):
            last = np.arange(len(value) - length + 1) + length - 1
            if not len(last):
                break
            first = last - length + 1
            kept = (segments[first] == segments[last]) & telling[first] & telling[last]
            starts.append(first[kept])
            lengths.append(np.full(kept.sum(), length))
            scores.append((sums[last[kept] + 1] - sums[first[kept]]) / np.sqrt(length))
        if not starts:
            return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
        return np.concatenate(starts), np.concatenate(lengths), np.concatenate(scores)

    def _titled(self, title: str, span: str) -> str:
        own = words_of(title)
        if not own or len(own) > self._settings.titled or {*own} & {*words_of(span)}:
            return span
        return f"{' '.join(title.split()).rstrip('.:')} {span}"


def load(settings: Settings, corpus: Corpus) -> Spans:
    """The generator."""
    return Spans(settings, corpus)
