"""Texts that show a model's usual activations, for quantisation: from the Python documentation inside every Python.

They do not depend on what is to be scored: so a quantised model, and with it a teacher's identity, stays the same when
a store grows, on every worker and after every restart. What the choice costs is measured by the fidelity check.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from rankdistill.manifest import digest

SAMPLES = 200
"""Rows that a quantised model is calibrated with."""

_LENGTHS = (25, 45, 65, 90, 140)
"""Words of a passage, in turns: collections mix short and long documents."""

_SHORT = 9
"""Words of a query."""


def calibration_columns(columns: int, count: int = SAMPLES) -> list[list[str]]:
    """`count` rows of texts (`columns` = 1) or pairs (2), the same on every machine with this Python.

    Every other text is as short as a query. In every other pair the query is the start of its passage; in the rest it
    starts another one: models react differently to relevant and irrelevant documents.
    """
    passages = _passages(count)
    queries = [" ".join(passage.split()[:_SHORT]) for passage in passages]
    if columns == 1:
        return [[text for row in range(count) for text in (queries[row], passages[row])][:count]]
    half = count // 2
    return [[queries[row if row % 2 else (row + half) % count] for row in range(count)], passages]


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


@cache
def calibration_hash() -> str:
    """SHA-256 (hex) of the texts: they change with the version of Python."""
    return digest(calibration_columns(2))
