"""Where sentences of running text end, by punctuation."""

from __future__ import annotations

import re
from collections.abc import Iterator

_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=[\"'(\[]*[^\W\d_a-z])|\n\s*\n|(?<=[。！？])")
"""After an end mark and before a capital letter; at an empty line; after an East Asian end mark."""

_NO_END = re.compile(r"(?:\b(?:[A-Z]|al|approx|cf|dr|e\.g|et|etc|fig|figs|i\.e|mr|mrs|ms|no|prof|ref|st|vs))\.$", re.I)
"""What ends with a full stop but no sentence: initials and abbreviations."""

_LOOKED_AT = 40
"""Letters before an end mark that may be an abbreviation, and more."""


def ends(text: str) -> Iterator[tuple[int, int]]:
    """(end of a sentence, beginning of the next) for each sentence but the last; between them is white space."""
    start = 0
    for end in _END.finditer(text):
        last_words = text[max(start, end.start() - _LOOKED_AT) : end.start()].rstrip()
        if "\n\n" in end.group() or not _NO_END.search(last_words):
            yield end.start(), end.end()
            start = end.end()
