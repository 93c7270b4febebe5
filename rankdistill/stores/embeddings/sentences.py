"""Sentences of running text, by punctuation: good enough to make query-like texts of documents."""

from __future__ import annotations

from collections.abc import Iterator

from rankdistill.data.sentence_ends import ends

LEAST_WORDS = 4
"""A piece with fewer words is no sentence: a heading, a number, what is left of an abbreviation."""


def sentences(text: str) -> Iterator[str]:
    """The sentences of a text, stripped, each of at least `LEAST_WORDS` words (East Asian ones of as many letters)."""
    for sentence in _pieces(text):
        words = sentence.split()
        if len(words) >= LEAST_WORDS or (len(words) == 1 and not sentence.isascii() and len(sentence) >= LEAST_WORDS):
            yield " ".join(words)


def _pieces(text: str) -> Iterator[str]:
    start = 0
    for end, following in ends(text):
        yield text[start:end].rstrip()
        start = following
    yield text[start:]
