"""Documents by number: the same from memory and from disk, field by field."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from rankdistill.data import spill
from rankdistill.data.document_store import Documents
from rankdistill.records import Document

WANTED = [Document(f"d{number}", "Ü" * (number % 3), "word " * (number % 17)) for number in range(90)]


@pytest.fixture(params=["memory", "disk"])
def documents(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Documents:
    if request.param == "disk":
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        monkeypatch.setattr(spill, "IN_MEMORY", 100)
        monkeypatch.setattr(spill, "WRITTEN_AT_ONCE", 200)
    return Documents(iter(WANTED))


def test_they_are_a_list(documents: Documents) -> None:
    assert list(documents) == WANTED
    assert (len(documents), documents[0], documents[-1], documents[17]) == (90, WANTED[0], WANTED[-1], WANTED[17])
    assert documents[5:50:7] == WANTED[5:50:7]
    assert list(reversed(documents)) == WANTED[::-1]
    with pytest.raises(IndexError):
        documents[90]


def test_there_may_be_none() -> None:
    assert [*Documents([])] == []
