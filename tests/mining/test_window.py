"""Rank windows and their draws."""

from __future__ import annotations

from collections import Counter

import pytest

from rankdistill.errors import ConfigError
from rankdistill.mining.choosing import Choice
from rankdistill.mining.window import ALL_RANKS, Window, parse_ranks, parse_windows


def test_both_ends_are_inside() -> None:
    assert Window(3, 5).choose(range(1, 11), "q", "s") == {3, 4, 5}
    assert Window(9).choose(range(1, 11), "q", "s") == {9, 10}


def test_a_sample_is_drawn_from_the_window_and_repeats_for_its_seed() -> None:
    drawn = Window(10, 50, sample=8, seed=1).choose(range(1, 101), "q", "s")
    assert len(drawn) == 8
    assert drawn <= set(range(10, 51))
    assert drawn == Window(10, 50, sample=8, seed=1).choose(range(1, 101), "q", "s")


@pytest.mark.parametrize(("seed", "query_id", "source"), [(2, "q", "s"), (1, "r", "s"), (1, "q", "t")])
def test_seed_query_and_source_each_give_another_draw(seed: int, query_id: str, source: str) -> None:
    ranks = range(1, 1001)
    other = Window(sample=20, seed=seed).choose(ranks, query_id, source)
    assert other != Window(sample=20, seed=1).choose(ranks, "q", "s")


def test_the_draw_is_uniform() -> None:
    counts: Counter[int] = Counter()
    for number in range(3000):
        counts.update(Window(sample=3).choose(range(1, 11), f"q{number}", "s"))
    assert all(count == pytest.approx(900, abs=100) for count in counts.values())
    assert len(counts) == 10


def test_a_sample_beyond_the_window_is_the_window() -> None:
    assert Window(1, 3, sample=9).choose(range(1, 11), "q", "s") == {1, 2, 3}


@pytest.mark.parametrize(("first", "last", "sample"), [(0, 5, None), (5, 4, None), (1, 5, 0), (-1, None, None)])
def test_an_empty_window_or_sample_is_refused(first: int, last: int | None, sample: int | None) -> None:
    with pytest.raises(ConfigError):
        Window(first, last, sample)


def test_a_window_below_the_depth_is_refused() -> None:
    Window(1, 50).require_within(50)
    for window, depth in ((Window(1, 51), 50), (Window(51), 50), (Window(), 0)):
        with pytest.raises(ConfigError):
            window.require_within(depth)


def test_ranks_are_parsed() -> None:
    assert parse_ranks("10:950") == (10, 950)
    for text in ("10", "a:b", "1-50", ":5", "5:", "-1:5"):
        with pytest.raises(ConfigError, match="FIRST:LAST"):
            parse_ranks(text)


def test_the_top_is_kept_of_queries_without_a_relevant_document() -> None:
    choice = Choice(Window(3, 4, top=True))
    lists = {"s": [(doc, 1.0) for doc in "abcde"], "none": []}
    assert choice.choose("q", lists, {}) == {"s": {"a", "c", "d"}, "none": set()}
    assert choice.choose("q", lists, {"b": 0}) == {"s": {"a", "c", "d"}, "none": set()}
    assert choice.choose("q", lists, {"b": 1}) == {"s": {"b", "c", "d"}, "none": {"b"}}
    assert Choice(Window(1, 4)).parameters(9) == {"ranks": [1, 4], "sample": None, "seed": 0}
    assert Choice(Window(1, 4, top=True)).parameters(9)["top"] is True


def test_windows_by_source_take_what_they_lack_from_all() -> None:
    window, windows = parse_windows(["1:50", "dense=10:100"], ["bm25=5", "20"], 3)
    assert window == Window(1, 50, 20, 3)
    assert windows == {"dense": Window(10, 100, 20, 3), "bm25": Window(1, 50, 5, 3)}
    assert parse_windows([], [], 0) == (ALL_RANKS, {})


@pytest.mark.parametrize(
    ("ranks", "samples"),
    [(["1:5", "2:6"], []), (["a=1:5", "a=2:6"], []), (["=1:5"], []), (["a=5"], []), ([], ["a=x"]), ([], ["-1"])],
)
def test_windows_of_another_shape_are_refused(ranks: list[str], samples: list[str]) -> None:
    with pytest.raises(ConfigError):
        parse_windows(ranks, samples, 0)
