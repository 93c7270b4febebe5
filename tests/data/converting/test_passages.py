"""Passages: pieces of the text, letter by letter, that a model reads whole; counted by another tokeniser's code."""

from __future__ import annotations

import random
import re
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from rankdistill.data.converting import passages
from rankdistill.data.converting.passages import Cutter
from rankdistill.errors import ConfigError, ModelReferenceError
from rankdistill.records import Document
from tests.conftest import TOPICS, WORDS


@pytest.fixture(scope="module")
def counted(tiny_bert: Path) -> Any:
    """Counts tokens as transformers does."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_bert)
    return lambda text, special=False: len(tokenizer(text, add_special_tokens=special, truncation=False)["input_ids"])


def prose(sentences: int, seed: int = 0) -> str:
    generator = random.Random(seed)
    found = []
    for _ in range(sentences):
        words = generator.choices((*WORDS, *TOPICS, "naïve", "x9", "42,5"), k=generator.randint(3, 14))
        found.append(f"The {' '.join(words)}.")
    return generator.choice([" ", "\n\n", "  "]).join(found)


@pytest.mark.parametrize(("tokens", "overlap"), [(16, 0), (32, 8), (48, 20), (9, 4)])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_passages_are_pieces_of_the_text_that_fit_and_leave_nothing_out(
    tiny_bert: Path, counted: Any, tokens: int, overlap: int, seed: int
) -> None:
    text = prose(40, seed)
    document = Document("doc", "river 7", text)
    found = list(Cutter(str(tiny_bert), tokens, overlap).cut(document, {"year": 1}))
    covered, before = 0, None
    for number, (one, metadata) in enumerate(found, start=1):
        start, end = metadata["start"], metadata["end"]
        assert one == Document(f"doc#{number}", "river 7", text[start:end])
        assert metadata == {"year": 1, "document": "doc", "passage": number, "start": start, "end": end}
        assert not text[covered:start].strip(), "words between two passages"
        if tokens > 12:  # a title of more than half counts as half
            assert counted(one.contents, True) <= tokens
        if before is not None:
            assert start > before[0]
            assert counted(text[start : before[1]]) <= overlap
        covered, before = end, (start, end)
    assert not text[covered:].strip()
    assert len(found) > 3


def test_they_end_and_begin_with_sentences_where_that_is_possible(tiny_bert: Path) -> None:
    text = " ".join(f"The old river is deep and slow {number}." for number in range(30))
    spans = Cutter(str(tiny_bert), 34, 12).spans("", text)
    assert len(spans) > 5
    for span in spans:
        assert text[span.start : span.end].startswith("The old")
        assert text[span.end - 1] == "."
    assert any(after.start < before.end for before, after in pairwise(spans))


def test_without_sentences_they_end_between_words_and_without_words_anywhere(tiny_bert: Path) -> None:
    words = " ".join(["river", "stone", "glass"] * 40)
    for span in Cutter(str(tiny_bert), 20, 5).spans("", words):
        assert re.fullmatch(r"(river|stone|glass)( (river|stone|glass))*", words[span.start : span.end])
    letters = "q" * 90  # a token each
    spans = Cutter(str(tiny_bert), 20, 0).spans("", letters)
    assert "".join(letters[span.start : span.end] for span in spans) == letters


def test_a_short_document_is_one_passage_and_one_without_text_too(tiny_bert: Path) -> None:
    cutter = Cutter(str(tiny_bert), 32)
    assert [one for one, _ in cutter.cut(Document("d", "t", "An old river.\n"), {})] == [
        Document("d#1", "t", "An old river.\n")
    ]
    assert [one.doc_id for one, _ in cutter.cut(Document("d", "t", ""), {})] == ["d#1"]


def test_a_title_that_is_too_long_leaves_half_of_the_tokens(tiny_bert: Path, counted: Any) -> None:
    text = prose(20)
    for span in Cutter(str(tiny_bert), 32).spans("river " * 50, text):
        assert counted(text[span.start : span.end]) <= 14  # half, less the two that every text gets


def test_ids_of_passages_never_meet(tiny_bert: Path) -> None:
    cutter = Cutter(str(tiny_bert), 8)
    found = [one.doc_id for name in ("a", "a#1") for one, _ in cutter.cut(Document(name, "", prose(9)), {})]
    assert len(set(found)) == len(found)


def test_blocks_change_nothing(tiny_bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = prose(300)
    whole = Cutter(str(tiny_bert), 40, 10).spans("", text)
    monkeypatch.setattr(passages, "BLOCK", 2500)
    assert Cutter(str(tiny_bert), 40, 10).spans("", text) == whole


def test_a_long_document_takes_time_by_its_length(tiny_bert: Path) -> None:
    text = "A. B. river 5 stone " * 4_000
    started = time.perf_counter()
    spans = Cutter(str(tiny_bert), 64, 8).spans("", text)
    assert spans[-1].end == len(text.rstrip())
    assert time.perf_counter() - started < 5


@pytest.mark.parametrize(("tokens", "overlap"), [(7, 0), (32, 16), (32, -1)])
def test_numbers_that_cannot_be(tiny_bert: Path, tokens: int, overlap: int) -> None:
    with pytest.raises(ConfigError, match="overlap by less than half"):
        Cutter(str(tiny_bert), tokens, overlap)


def test_a_model_without_a_tokeniser_is_told(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelReferenceError, match=r"tokenizer\.json"):
        Cutter(str(tmp_path), 32).spans("", "text")
