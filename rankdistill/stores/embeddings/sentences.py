"""Sentences of running text, by punctuation: good enough to make query-like texts of documents."""

from __future__ import annotations

import re
from collections.abc import Iterator

LEAST_WORDS = 4
"""A piece with fewer words is no sentence: a heading, a number, what is left of an abbreviation."""

_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=[\"'(\[]*[^\W\d_a-z])|\n\s*\n|(?<=[。！？])")
"""After an end mark and before a capital letter; at an empty line; after an East Asian end mark."""

_NO_END = re.compile(r"(?:\b(?:[A-Z]|al|approx|cf|dr|e\.g|et|etc|fig|figs|i\.e|mr|mrs|ms|no|prof|ref|st|vs))\.$", re.I)
"""What ends with a full stop but no sentence: initials and abbreviations."""


def sentences(text: str) -> Iterator[str]:
    """The sentences of a text, stripped, each of at least `LEAST_WORDS` words (East Asian ones of as many letters)."""
    for sentence in _pieces(text):
        words = sentence.split()
        if len(words) >= LEAST_WORDS or (len(words) == 1 and not sentence.isascii() and len(sentence) >= LEAST_WORDS):
            yield " ".join(words)


def _pieces(text: str) -> Iterator[str]:
    start = 0
    for end in _END.finditer(text):
        piece = text[start : end.start()].rstrip()
        if not _NO_END.search(piece) or "\n\n" in end.group():
            yield piece
            start = end.end()
    yield text[start:]
