"""Texts found by bisection are those of the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from rankdistill.stores.lookup import StoredTexts
from rankdistill.stores.texts import add_texts, read_texts


@pytest.mark.parametrize(
    "texts", [{}, {"only": "one"}, {"b": "2", "a": "1", "10": "", "é": "ß", "Z": "z", "z\U0001f600": "x"}]
)
def test_texts_are_those_of_the_file(tmp_path: Path, texts: dict[str, str]) -> None:
    path = tmp_path / "documents.parquet"
    add_texts(path, "doc_id", set(texts), texts)
    stored = StoredTexts(path)
    assert dict(stored) == read_texts(path) == texts
    assert len(stored) == len(texts)
    assert {name: stored[name] for name in texts} == texts
    for unknown in ("", "0", "zz"):
        with pytest.raises(KeyError):
            stored[unknown]
