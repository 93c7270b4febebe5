"""Permutations as language models write them, and sliding windows of them over longer lists."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from rankdistill.teachers.replies import is_cut, without_thoughts

_BRACKETED, _BARE = re.compile(r"\[\s*([0-9]+)\s*\]"), re.compile(r"[0-9]+")

_LIST = re.compile(r"[\s\[\]0-9>,.]*")

_MOST_DIGITS = 9


@dataclass(frozen=True)
class Answer:
    """A ranking read from a model's words, repaired where it had to be.

    Args:
        order: every number from 0 to count - 1 once, the best first.
        missing: identifiers that the model left out; they come last, in the order of the list.
        repeated: identifiers given again; the first time counts.
        foreign: identifiers of no passage; they are passed over.
    """

    order: list[int]
    missing: int = 0
    repeated: int = 0
    foreign: int = 0

    @property
    def is_malformed(self) -> bool:
        """Whether anything was repaired."""
        return bool(self.missing or self.repeated or self.foreign)


def read_answer(text: str, count: int) -> Answer:
    """The ranking of `count` passages in a text such as `[2] > [1] > [3]`.

    Identifiers stand in brackets; only where there is none at all are bare numbers taken for them. What a reasoning
    model thinks aloud is no answer; nor are words that were cut before their end, which may be thoughts: of a cut reply
    a list of identifiers alone counts. The repairs are those of RankGPT (Sun et al. 2023).
    """
    said = without_thoughts(usable(text))
    numbers = [_place(number) for number in _BRACKETED.findall(said) or _BARE.findall(said)]
    valid = [number for number in numbers if 0 <= number < count]
    given = list(dict.fromkeys(valid))
    absent = [number for number in range(count) if number not in set(given)]
    return Answer([*given, *absent], len(absent), len(valid) - len(given), len(numbers) - len(valid))


def usable(text: str) -> str:
    """A reply as it may be kept: nothing where it was cut and is more than a list of identifiers."""
    return "" if is_cut(text) and not _LIST.fullmatch(without_thoughts(text)) else text


def _place(digits: str) -> int:
    """Where the passage of that number stands, from 0; -1 for a number so long that int() may refuse it."""
    return int(digits) - 1 if len(digits.lstrip("0")) <= _MOST_DIGITS else -1


def windows(count: int, size: int, step: int) -> Iterator[tuple[int, int]]:
    """(start, end) of the windows over a list of `count`, from its back to its front; the last one starts at 0.

    Args:
        count: length of the list.
        size: of a window.
        step: how far the next window is ahead; less than `size`, so that the best of one get into the next.
    """
    end = count
    while True:
        start = max(0, end - size)
        yield start, end
        if start == 0:
            return
        end -= step


def permutation_to_scores(order: Sequence[int]) -> np.ndarray:
    """float32[n]: 0 for the first of `order`, -1 for the second, and so on; item `i` gets score `i`."""
    scores = np.empty(len(order), dtype=np.float32)
    scores[list(order)] = -np.arange(len(order), dtype=np.float32)
    return scores
