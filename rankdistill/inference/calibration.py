"""Texts that show a model's usual activations, for quantisation: pairs like those to be scored, or a stand-in.

The stand-in is the Python documentation inside every Python: the same on every machine, and better than nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from rankdistill.manifest import digest

Pairs = Sequence[tuple[str, str]]
"""(query text, document text)."""

SAMPLES = 200
"""Rows that a quantised model is calibrated with."""

_LENGTHS = (25, 45, 65, 90, 140)
"""Words of a passage, in turns: collections mix short and long documents."""

_SHORT = 9
"""Words of a query."""


def rows_of(pairs: Pairs, columns: int) -> list[list[str]]:
    """Rows for a model of pairs (`columns` = 2) or of texts (1: a query and a document in turns), `SAMPLES` at most."""
    kept = list(pairs)[:SAMPLES]
    if columns == 2:
        return [[query for query, _ in kept], [document for _, document in kept]]
    return [[pair[row % 2] for row, pair in enumerate(kept)]]


def hash_of(pairs: Pairs) -> str:
    """SHA-256 (hex) of calibration pairs."""
    return digest([list(pair) for pair in pairs])


@cache
def documentation_pairs() -> Pairs:
    """The stand-in, `SAMPLES` pairs of a few words and a passage; they change with the version of Python.

    In every other pair the words begin the passage; in the rest they begin another one: models react differently to
    relevant and irrelevant documents.
    """
    passages = _passages(SAMPLES)
    queries = [" ".join(passage.split()[:_SHORT]) for passage in passages]
    half = SAMPLES // 2
    return tuple((queries[row if row % 2 else (row + half) % SAMPLES], passages[row]) for row in range(SAMPLES))


def _passages(count: int) -> list[str]:
    """Prose cut into passages, taken from topics all over the documentation."""
    from pydoc_data.topics import topics

    texts = [_prose(topics[name]) for name in sorted(topics)]
    found: list[str] = []
    for start in range(0, max(map(len, texts)), max(_LENGTHS)):
        for text in texts:
            length = _LENGTHS[len(found) % len(_LENGTHS)]
            if len(text) >= start + length:
                found.append(" ".join(text[start : start + length]))
    return (found * -(-count // len(found)))[:count]


def _prose(topic: str) -> Sequence[str]:
    """The words of a topic without code: lines set in, and marks of the format, are left out."""
    lines = [line for line in topic.splitlines() if line and not line.startswith(" ")]
    return re.sub(r"[*`\"|=~^+-]{2,}|[*`|]", " ", " ".join(lines)).split()
