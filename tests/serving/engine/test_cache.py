"""Vectors kept: the least recently used goes first, by number and by bytes."""

from __future__ import annotations

import numpy as np
import pytest

from rankdistill.serving.engine import cache as cache_module
from rankdistill.serving.engine.cache import Kept, VectorCache


def _kept(value: float, length: int = 4) -> Kept:
    return Kept(np.full(length, value, np.float32), 3, 5)


def test_the_least_recently_used_goes_first() -> None:
    cache = VectorCache(2)
    for number, text in enumerate(("a", "b")):
        cache.put(text, "", _kept(number))
    assert cache.get("a", "") is not None
    cache.put("c", "", _kept(2))
    assert cache.get("b", "") is None
    assert [cache.get(text, "") is not None for text in "ac"] == [True, True]


def test_prompts_are_told_apart() -> None:
    cache = VectorCache(9)
    cache.put("a", "query: ", _kept(1))
    assert cache.get("a", "") is None
    found = cache.get("a", "query: ")
    assert found is not None
    assert (found.output[0], found.tokens, found.whole) == (1, 3, 5)


def test_bytes_are_bounded_and_counted_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module, "LARGEST", 10_000)
    cache = VectorCache(1000)
    for number in range(50):
        cache.put(str(number), "", _kept(number, 300))
        cache.put(str(number), "", _kept(number, 300))
    assert 0 < len(cache) < 10
    assert cache.bytes <= 10_000


def test_nothing_is_kept_of_long_texts_or_without_a_limit() -> None:
    cache = VectorCache(9)
    cache.put("a" * 5000, "", _kept(1))
    none = VectorCache(0)
    none.put("a", "", _kept(1))
    assert (len(cache), len(none)) == (0, 0)
