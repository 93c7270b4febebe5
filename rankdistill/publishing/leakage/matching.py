"""Texts that are nearly the same as one of some others: all of them, by the Jaccard similarity of their parts."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping

Parts = Callable[[str], frozenset[str]]

SHINGLE_WORDS = 4
_WORD = re.compile(r"\w+")


def words(text: str) -> frozenset[str]:
    """Its different words, in lower case: the parts of a query."""
    return frozenset(_WORD.findall(text.lower()))


def shingles(text: str) -> frozenset[str]:
    """Its different runs of 4 words, in lower case; of all its words if it has fewer: the parts of a document."""
    found = _WORD.findall(text.lower())
    starts = range(max(1, len(found) - SHINGLE_WORDS + 1))
    return frozenset(" ".join(found[start : start + SHINGLE_WORDS]) for start in starts)


class Matcher:
    """Finds which of some texts another one is nearly the same as.

    |A and B| / |A or B| >= t. No pair is missed: parts are ordered from the rarest among the texts, and two sets
    of that similarity have a part in common among the first |A| - ceil(t |A|) + 1 of each (Chaudhuri et al. 2006,
    Bayardo et al. 2007).

    Args:
        texts: id -> text.
        parts: what a text is taken apart into.
        threshold: t, above 0.
    """

    def __init__(self, texts: Mapping[str, str], parts: Parts, threshold: float) -> None:
        self._parts, self._threshold = parts, threshold
        self._sets = {key: found for key, text in texts.items() if (found := parts(text))}
        self._frequency = Counter(part for found in self._sets.values() for part in found)
        self._holders: dict[str, list[str]] = defaultdict(list)
        for key, found in self._sets.items():
            for part in self._rarest(found):
                self._holders[part].append(key)

    def of(self, text: str) -> Iterator[tuple[str, float]]:
        """(id, similarity) of every text that `text` is nearly the same as."""
        mine = self._parts(text)
        for key in {key for part in self._rarest(mine) for key in self._holders.get(part, ())}:
            theirs = self._sets[key]
            common = len(mine & theirs)
            similarity = common / (len(mine) + len(theirs) - common)
            if similarity >= self._threshold:
                yield key, similarity

    def _rarest(self, found: frozenset[str]) -> list[str]:
        ordered = sorted(found, key=lambda part: (self._frequency.get(part, 0), part))
        return ordered[: len(found) - math.ceil(self._threshold * len(found) - 1e-9) + 1]
