"""A ranking whose best were scored anew."""

from __future__ import annotations

from math import inf

from rankdistill.fusion.reordering import reordered


def test_the_scored_come_first_and_the_rest_follows_in_its_order() -> None:
    found = reordered(["a", "b", "c", "d", "e"], {"a": 0.5, "b": 2.0, "c": 0.5})
    assert list(found.items()) == [("b", 2.0), ("a", 0.5), ("c", 0.5), ("d", -0.5), ("e", -1.5)]


def test_what_has_no_score_comes_last() -> None:
    found = reordered(["a", "b", "c", "d"], {"a": -inf, "b": -3.0, "c": -2.0})
    assert list(found.items()) == [("c", -2.0), ("b", -3.0), ("d", -4.0), ("a", -5.0)]
    assert list(reordered(["a", "b"], {"a": -inf, "b": -inf})) == ["a", "b"]


def test_nothing_found_stays_nothing() -> None:
    assert reordered([], {}) == {}
