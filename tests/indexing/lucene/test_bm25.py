"""Lucene's BM25 against the formula."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from rankdistill.errors import ConfigError, DataError
from rankdistill.indexing.base import NOTHING
from rankdistill.indexing.lucene.bm25 import LuceneBm25Index

pytestmark = pytest.mark.usefixtures("lucene")

TEXTS = {
    "b": "red red fox",
    "a": "red fox jump over blue dog",
    "é /": "blue dog",
    "empty": "",
    "stop": "the of and",
    "c": "blue dog",
}
"""Words that stay as they are under Porter's stemmer; a document is shorter than what Lucene's norms round."""


def _score(query: str, text: str, k1: float, b: float) -> float:
    documents = [text.split() for name, text in TEXTS.items() if name not in ("empty", "stop")]
    average = sum(map(len, documents)) / len(documents)
    counts, score = Counter(text.split()), 0.0
    for word in query.split():
        holding = sum(word in document for document in documents)
        idf = math.log(1 + (len(documents) - holding + 0.5) / (holding + 0.5))
        length = k1 * (1 - b + b * len(text.split()) / average)
        score += idf * counts[word] / (counts[word] + length)
    return score


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, lucene: None) -> Path:
    made = LuceneBm25Index()
    made.add(list(TEXTS)[:2], list(TEXTS.values())[:2])
    made.add(list(TEXTS)[2:], list(TEXTS.values())[2:])
    out = tmp_path_factory.mktemp("bm25")
    made.save(out)
    return out


@pytest.mark.parametrize(("k1", "b"), [(0.9, 0.4), (1.2, 0.75)])
def test_it_is_bm25(folder: Path, k1: float, b: float) -> None:
    index = LuceneBm25Index.load(folder, k1, b)
    assert index.ids == list(TEXTS)
    names, scores = index.search(["red fox", "blue", "Foxes jumped"], 3)
    assert names.tolist() == [["b", "a", NOTHING], ["c", "é /", "a"], ["a", "b", NOTHING]]
    for row, query in enumerate(["red fox", "blue", "fox jump"]):
        found = [name for name in names[row] if name != NOTHING]
        expected = [_score(query, TEXTS[name], k1, b) for name in found]
        np.testing.assert_allclose(scores[row, : len(found)], expected, atol=1e-4)


LONG = {"long": "red " * 2000, "many words": " ".join(f"red{word}" for word in range(2000))}


@pytest.mark.parametrize("query", ["", "the of", "unheard", "??? *:* AND (", *LONG])
def test_any_text_is_a_query(folder: Path, query: str) -> None:
    query = LONG.get(query, query)
    names, scores = LuceneBm25Index.load(folder).search([query, "dog"], 10)
    assert names.shape == scores.shape == (2, 6)
    assert ("b" in names[0]) == ("red red" in query)
    assert set(names[1]) == {"a", "c", "é /", NOTHING}


def test_bad_input_is_an_error_of_ours(folder: Path, tmp_path: Path) -> None:
    index = LuceneBm25Index()
    for ids, message in ((["x", "x"], "twice"), ([""], "empty id")):
        with pytest.raises(DataError, match=message):
            index.add(ids, ["text"] * len(ids))
    with pytest.raises(ConfigError, match="at least 1"):
        LuceneBm25Index.load(folder).search(["dog"], 0)
    (tmp_path / "ids.parquet").write_bytes((folder / "ids.parquet").read_bytes())
    with pytest.raises(DataError, match="then build it again"):
        LuceneBm25Index.load(tmp_path)


def test_another_language_is_taken_apart_by_its_analyser_and_kept(tmp_path: Path) -> None:
    texts = {"d1": "\u7ea2\u8272\u7684\u6cb3\u6d41\u5728\u5317\u65b9", "d2": "\u73bb\u7483\u5c0f\u63d0\u7434"}
    made = LuceneBm25Index(language="zh")
    made.add(list(texts), list(texts.values()))
    made.save(tmp_path)
    for index in (made, LuceneBm25Index.load(tmp_path, language="zh")):
        ids, _ = index.search(["\u6cb3\u6d41", "\u63d0\u7434", "\u8272\u5317"], 2)
        assert ids.tolist() == [
            ["d1", NOTHING],
            ["d2", NOTHING],
            [NOTHING, NOTHING],
        ]  # no pair of neighbours: not found
    with pytest.raises(ConfigError, match="zh"):
        LuceneBm25Index(language="klingon")
