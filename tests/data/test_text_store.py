"""Texts by id: the same from memory and from disk, read in any order, and gone with the process."""

from __future__ import annotations

import errno
import pickle
import tempfile
from pathlib import Path

import pytest

from rankdistill.data import spill, text_store
from rankdistill.data.text_store import Chosen, Texts
from rankdistill.errors import OutputError

WANTED = {f"d{number}": f"text {number} Ü " + "word " * (number % 40) for number in range(500)} | {"empty": ""}


@pytest.fixture(params=["memory", "disk"])
def texts(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Texts:
    if request.param == "disk":
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        monkeypatch.setattr(spill, "IN_MEMORY", 100)
        monkeypatch.setattr(spill, "WRITTEN_AT_ONCE", 200)
        monkeypatch.setattr(text_store, "_READ_AT_ONCE", 333)
    return Texts.of_pairs(WANTED.items())


def test_they_are_a_mapping(texts: Texts) -> None:
    assert texts == WANTED
    assert list(texts.items()) == list(WANTED.items())
    assert list(texts.values()) == list(WANTED.values())
    assert [texts[one] for one in reversed(list(WANTED))] == list(reversed(WANTED.values()))
    assert (texts.get("other"), "other" in texts, "empty" in texts, len(texts)) == (None, False, True, 501)
    assert pickle.loads(pickle.dumps(texts)) == WANTED
    with pytest.raises(KeyError):
        texts["other"]


def test_the_first_of_two_texts_of_an_id_counts(texts: Texts) -> None:
    assert Texts.of_pairs([("a", "1"), ("b", "2"), ("a", "3")]) == {"a": "1", "b": "2"}


def test_some_are_chosen_by_number(texts: Texts) -> None:
    ids = ["d7", "empty", "d499", "d7"]
    for given in (texts, WANTED):
        chosen = Chosen(given, ids)
        assert list(chosen) == [WANTED[one] for one in ids]
        assert (chosen[2], chosen[1:3], len(chosen)) == (WANTED["d499"], [WANTED["empty"], WANTED["d499"]], 4)


def test_nothing_is_left_in_the_folder(texts: Texts, tmp_path: Path) -> None:
    assert list(tmp_path.iterdir()) == []


def test_a_full_folder_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**settings: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(spill, "IN_MEMORY", 100)
    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    with pytest.raises(OutputError, match="free space"):
        Texts.of_pairs(WANTED.items())
