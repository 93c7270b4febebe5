"""How a tokeniser frames texts with special tokens, found by probing it, and its truncation of pairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

_PROBES = ("first one", "then the second", "third")
"""Short texts of different lengths; framing does not depend on the words."""


@dataclass(frozen=True)
class Template:
    """The special tokens around texts, with the token type of every part.

    A text becomes `parts[0] text parts[1]`; a pair becomes `parts[0] first parts[1] second parts[2]`.

    Args:
        parts: int32 arrays of special token ids: before, between and after the texts.
        part_types: int64 arrays of the token types of `parts`.
        text_types: the token type of each text's own tokens.
    """

    parts: tuple[np.ndarray, ...]
    part_types: tuple[np.ndarray, ...]
    text_types: tuple[int, ...]

    @property
    def special(self) -> int:
        """How many special tokens are added."""
        return sum(len(part) for part in self.parts)


def detect(tokenizer: Any, texts: int) -> Template | None:
    """The template of `tokenizer` for one text or for pairs (`texts` = 1 or 2); None where it has no fixed one."""
    found = [_probe(tokenizer, list(probe)) for probe in _probes(texts)]
    first = found[0]
    if first is None or any(other is None or not _equal(first, other) for other in found[1:]):
        return None
    return first


def truncate_longest_first(first: np.ndarray, second: np.ndarray, budget: int) -> tuple[np.ndarray, np.ndarray]:
    """Lengths left of two texts when a pair may have `budget` text tokens: the longer one is cut first.

    If both exceed half the budget, the longer gets the odd token (ties: the second), as in the `tokenizers` library.
    """
    shorter, longer = np.minimum(first, second), np.maximum(first, second)
    fits = shorter + longer <= budget
    kept_long = np.maximum(shorter, budget - shorter)
    halve = shorter + kept_long > budget
    kept_short = np.where(halve, budget // 2, shorter)
    kept_long = np.where(halve, budget // 2 + budget % 2, kept_long)
    kept_short, kept_long = np.where(fits, shorter, kept_short), np.where(fits, longer, kept_long)
    swapped = first > second
    return np.where(swapped, kept_long, kept_short), np.where(swapped, kept_short, kept_long)


def _probes(texts: int) -> list[tuple[str, ...]]:
    one, two, three = _PROBES
    return [(one,), (two,), (three,)] if texts == 1 else [(one, two), (two, one), (three, two)]


def _probe(tokenizer: Any, texts: list[str]) -> Template | None:
    framed = tokenizer(*texts, return_token_type_ids=True, truncation=False, padding=False, verbose=False)
    ids = np.array(framed["input_ids"], dtype=np.int32)
    types = np.array(framed["token_type_ids"], dtype=np.int64)
    parts, part_types, text_types, at = [], [], [], 0
    for text in texts:
        own = np.array(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"], dtype=np.int32)
        start = _find(ids, own, at)
        if start is None or len(set(types[start : start + len(own)])) != 1:
            return None
        parts.append(ids[at:start])
        part_types.append(types[at:start])
        text_types.append(int(types[start]))
        at = start + len(own)
    return Template((*parts, ids[at:]), (*part_types, types[at:]), tuple(text_types))


def _find(ids: np.ndarray, wanted: np.ndarray, start: int) -> int | None:
    if not len(wanted):
        return None
    for at in range(start, len(ids) - len(wanted) + 1):
        if np.array_equal(ids[at : at + len(wanted)], wanted):
            return at
    return None


def _equal(a: Template, b: Template) -> bool:
    return (
        a.text_types == b.text_types
        and all(map(np.array_equal, a.parts, b.parts))
        and all(map(np.array_equal, a.part_types, b.part_types))
    )
