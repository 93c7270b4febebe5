"""Packed strings and numbers behave as a list and a dict, in a fraction of their memory."""

from __future__ import annotations

import pickle
import random
import tracemalloc

import pytest

from rankdistill.data import packed
from rankdistill.data.packed import Numbers, Strings

WORDS = ["a", "", "Ü", "\U0001f600x", "a b", "\ud800", *(f"word{number}" for number in range(300))]


def test_strings_are_a_list() -> None:
    found = Strings(WORDS)
    assert found == WORDS
    assert found.__eq__("text") is NotImplemented
    assert list(found) == [found[place] for place in range(len(WORDS))] == WORDS
    assert (found[-1], found[3:9:2], len(found)) == (WORDS[-1], WORDS[3:9:2], len(WORDS))
    assert found != WORDS[:-1]
    assert found != [*WORDS[:-1], "other"]
    assert pickle.loads(pickle.dumps(found)) == WORDS
    with pytest.raises(IndexError):
        found[len(WORDS)]
    with pytest.raises(IndexError):
        found[-len(WORDS) - 1]


def test_strings_of_arrow_are_cut_where_its_places_would_overflow(monkeypatch: pytest.MonkeyPatch) -> None:
    words = [word for word in WORDS if word != "\ud800"]
    assert Strings(words).to_arrow().to_pylist() == words
    assert Strings(words).to_arrow(2, 7).to_pylist() == words[2:7]
    assert Strings().to_arrow().to_pylist() == []
    monkeypatch.setattr(packed, "_MOST_BYTES", 20)
    found = Strings(words).to_arrow()
    assert found.to_pylist() == words
    assert max(len("".join(chunk.to_pylist()).encode()) for chunk in found.chunks) <= 20
    assert Strings(["x" * 50, "y"]).to_arrow().to_pylist() == ["x" * 50, "y"]


def test_numbers_are_a_dict() -> None:
    draw = random.Random(0)
    wanted: dict[str, int] = {}
    found = Numbers()
    for number in range(5000):
        word = f"w{draw.randrange(1500)}"
        assert found.setdefault(word, number) == wanted.setdefault(word, number)
    assert found == wanted
    assert list(found.items()) == list(wanted.items())
    assert list(found.values()) == list(wanted.values())
    assert [found.place(word) for word in wanted] == list(range(len(wanted)))
    assert ("other" in found, 3 in found, found.get("other"), found.place("other")) == (False, False, None, -1)
    assert found.keys() & {"w1", "other"} == {"w1"}
    assert {"w1", "other"} - found.keys() == {"other"}
    assert pickle.loads(pickle.dumps(found)) == wanted
    with pytest.raises(KeyError):
        found["other"]


def test_they_take_a_fraction_of_a_dict() -> None:
    def taken(make: object) -> int:
        tracemalloc.start()
        held = make()  # type: ignore[operator]
        size = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        assert len(held) == 20_000
        return size

    def numbers() -> Numbers:
        made = Numbers()
        for number in range(20_000):
            made.setdefault(f"document-{number}", number)
        return made

    assert taken(numbers) < 60 * 20_000 < taken(lambda: {f"document-{number}": number for number in range(20_000)})
