"""Words that are counted text by text give what bm25s makes of all of them in memory, byte for byte."""

from __future__ import annotations

import random
from pathlib import Path

import bm25s
import numpy as np
import pytest

from rankdistill.data import spill
from rankdistill.mining import postings
from rankdistill.mining.bm25 import VOCABULARY_FILE, Bm25
from rankdistill.mining.postings import Postings


def texts() -> list[str]:
    draw = random.Random(0)
    words = [f"w{number}" for number in range(300)]
    found = [" ".join(draw.choices(words, range(300, 0, -1), k=draw.randrange(30))) for _ in range(200)]
    return [*found, "", "w1 " * 50, "zebra Ü 日本"]


def by_bm25s(given: list[str], k1: float, b: float) -> bm25s.BM25:
    tokens = [text.lower().split() for text in given]
    vocabulary = {word: row for row, word in enumerate(sorted({word for words in tokens for word in words}))}
    index = bm25s.BM25(method="lucene", k1=k1, b=b)
    index.index(([[vocabulary[word] for word in words] for words in tokens], vocabulary), show_progress=False)
    return index


@pytest.mark.parametrize(("k1", "b"), [(0.9, 0.4), (1.2, 0.75), (0.0, 1.0), (2, 0)])
@pytest.mark.parametrize("on_disk", [False, True])
def test_the_files_are_those_of_bm25s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, k1: float, b: float, on_disk: bool
) -> None:
    if on_disk:
        monkeypatch.setattr(spill, "IN_MEMORY", 1000)
        monkeypatch.setattr(spill, "WRITTEN_AT_ONCE", 100)
        monkeypatch.setattr(postings, "TEXTS_AT_ONCE", 7)
        monkeypatch.setattr(postings, "POSTINGS_AT_ONCE", 60)
    given = texts()
    counted = Postings("words")
    counted.add(given[:50])
    counted.add(iter(given[50:]))
    made = Bm25.of_postings(counted, [str(row) for row in range(len(given))], k1, b, "words")
    (tmp_path / "made").mkdir()
    made.save(tmp_path / "made")
    by_bm25s(given, k1, b).save(tmp_path / "wanted", vocab_name=VOCABULARY_FILE, show_progress=False)
    names = sorted(path.name for path in (tmp_path / "wanted").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "made").iterdir())
    for name in names:
        assert (tmp_path / "made" / name).read_bytes() == (tmp_path / "wanted" / name).read_bytes(), name


def test_a_loaded_index_finds_what_the_one_in_memory_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = {f"d{row}": text for row, text in enumerate(texts())}
    made = Bm25(contents)
    made.save(tmp_path)
    monkeypatch.setattr("rankdistill.mining.bm25._RELEASED_AFTER", 1)
    loaded = Bm25.load(tmp_path, list(contents))
    for one, other in zip(
        made.retrieve(["w1 w250", "zebra"], 20), loaded.retrieve(["w1 w250", "zebra"], 20), strict=True
    ):
        assert all(np.array_equal(first, second) for first, second in zip(one, other, strict=True))


def test_as_many_ids_as_texts_are_needed() -> None:
    counted = Postings("words")
    counted.add(["a b", "c"])
    with pytest.raises(ValueError, match="1 ids of 2 texts"):
        Bm25.of_postings(counted, ["d1"], 0.9, 0.4)
