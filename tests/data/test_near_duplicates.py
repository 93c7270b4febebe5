"""Near-duplicates found by MinHash are those that comparing all pairs finds."""

from __future__ import annotations

import random
import re

from rankdistill.data.near_duplicates import first_of_each


def shingles(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.lower())
    return {tuple(words[start : start + 4]) for start in range(max(1, len(words) - 3))}


def by_all_pairs(texts: list[str], threshold: float) -> list[int]:
    kept: list[int] = []
    for position, text in enumerate(texts):
        own = shingles(text)
        others = [shingles(texts[other]) for other in kept]
        if all(len(own & other) / len(own | other) < threshold for other in others):
            kept.append(position)
    return kept


def test_agrees_with_comparing_all_pairs() -> None:
    generator = random.Random(5)
    texts = []
    for _ in range(60):
        words = [generator.choice("abcdefghijklmnop") * generator.randint(1, 3) for _ in range(80)]
        texts.append(" ".join(words))
        for changes in (1, 2, 15):
            copy = list(words)
            for position in generator.sample(range(80), changes):
                copy[position] = "changed"
            texts.append(" ".join(copy))
    expected = by_all_pairs(texts, 0.7)
    assert first_of_each(texts, 0.7) == expected
    assert 60 < len(expected) < len(texts)


def test_case_and_punctuation_do_not_hide_a_duplicate_and_the_first_stays() -> None:
    assert first_of_each(["Return the mean of x.", "something else here", "return: the MEAN of x"]) == [0, 1]


def test_short_and_empty_texts_are_compared_whole() -> None:
    assert first_of_each(["one two", "one two three", "one two", "", ""]) == [0, 1, 3]


def test_nothing_in_nothing_out() -> None:
    assert first_of_each([]) == []
