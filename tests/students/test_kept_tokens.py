"""A tokeniser that is cut to a size cuts texts of kept tokens as before, and knows all that it knew."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from rankdistill.errors import ConfigError, ModelReferenceError
from rankdistill.students.kept_tokens import Cutter, Kept
from rankdistill.students.prune import count

SYLLABLES = (
    "ri",
    "ver",
    "plan",
    "et",
    "bre",
    "ad",
    "vi",
    "o",
    "lin",
    "har",
    "bour",
    "en",
    "gine",
    "ñu",
    "ß",
    "東",
    "京",
)
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]


def words(seed: int, count: int) -> list[str]:
    generator = random.Random(seed)
    return ["".join(generator.choices(SYLLABLES, k=generator.randint(1, 4))) for _ in range(count)]


CORPUS = [" ".join(words(seed, 12)) for seed in range(120)]
TEXTS = [" ".join(words(1000 + seed, 6)) for seed in range(60)]
UNSEEN = ["zyx wvq", "☃ river☃", "a", "", "plan-et, ad!", "東☃京", "x" * 120]


def word_piece() -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=300, special_tokens=SPECIAL, show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer


def byte_pairs(**options: Any) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(**options))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=500,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.post_processor = processors.RobertaProcessing(("[SEP]", 3), ("[CLS]", 2))
    return tokenizer


def affixed_pairs() -> Tokenizer:
    """With marks of what goes on and of what ends a word."""
    tokenizer = Tokenizer(
        models.BPE(unk_token="[UNK]", continuing_subword_prefix="##", end_of_word_suffix="</w>", fuse_unk=True)
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=SPECIAL,
        continuing_subword_prefix="##",
        end_of_word_suffix="</w>",
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


def unigram() -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=250, special_tokens=SPECIAL, unk_token="[UNK]", show_progress=False, max_piece_length=8
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


KINDS: dict[str, Callable[[], Tokenizer]] = {
    "word pieces": word_piece,
    "byte pairs": byte_pairs,
    "affixed pairs": affixed_pairs,
    "unigram": unigram,
}


@pytest.fixture(scope="module", params=KINDS)
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    found = KINDS[request.param]()
    found.add_tokens(["<phrase>"])
    return found


def cut(tokenizer: Tokenizer, texts: list[str], size: int) -> tuple[Tokenizer, Kept]:
    cutter = Cutter(json.loads(tokenizer.to_str()))
    kept = cutter.keep(count(tokenizer, texts)[0], size)
    return Tokenizer.from_str(json.dumps(cutter.written(kept))), kept


def named(tokenizer: Tokenizer, text: str) -> list[str | None]:
    """The tokens of a text, by their numbers: an unknown one is shown as its text otherwise."""
    return [tokenizer.id_to_token(number) for number in tokenizer.encode(text).ids]


def halfway(tokenizer: Tokenizer) -> int:
    cutter = Cutter(json.loads(tokenizer.to_str()))
    return (cutter.smallest + cutter.whole) // 2


def test_texts_of_kept_tokens_are_cut_as_before_and_others_lose_nothing(tokenizer: Tokenizer) -> None:
    smaller, kept = cut(tokenizer, CORPUS[:40], halfway(tokenizer))
    assert smaller.get_vocab_size() == len(kept) < tokenizer.get_vocab_size()
    assert smaller.get_vocab() == kept.ids
    same = 0
    for text in [*CORPUS, *TEXTS, *UNSEEN, "<phrase> river"]:
        before, after = named(tokenizer, text), named(smaller, text)
        if all(token in kept.ids for token in before):
            assert after == before, text
            same += 1
        else:
            assert len(after) >= len(before)
            assert after.count("[UNK]") <= before.count("[UNK]"), text
    assert 10 < same < len(CORPUS)


def test_every_token_keeps_its_own_row(tokenizer: Tokenizer) -> None:
    _, kept = cut(tokenizer, CORPUS[:40], halfway(tokenizer))
    old = tokenizer.get_vocab()
    for name, rows in zip(kept.names, kept.rows, strict=True):
        assert [old[name]] == list(rows) if name in old else all(len(name.removeprefix("##")) == 1 for _ in rows)


def test_the_most_counted_tokens_stay(tokenizer: Tokenizer) -> None:
    text = "planet planet"
    _, kept = cut(tokenizer, [text], halfway(tokenizer))
    assert set(named(tokenizer, text)) <= set(kept.names)
    assert "<phrase>" in kept.ids


def test_the_smallest_one_still_reads_all_texts(tokenizer: Tokenizer) -> None:
    smallest = Cutter(json.loads(tokenizer.to_str())).smallest
    smaller, _ = cut(tokenizer, CORPUS, smallest)
    for text in [*CORPUS, *TEXTS, *UNSEEN]:
        assert named(smaller, text).count("[UNK]") <= named(tokenizer, text).count("[UNK]")
    with pytest.raises(ConfigError, match=f"{smallest:,} tokens at least") as raised:
        cut(tokenizer, CORPUS, smallest - 1)
    assert f"{smallest - 1:,}" in str(raised.value)


@pytest.mark.parametrize("kind", ["WordPiece", "Unigram"])
def test_a_character_that_is_no_token_becomes_one(kind: str) -> None:
    """Greedy and probable cuts could otherwise end at it, and lose the whole word, or the character."""
    if kind == "WordPiece":
        vocabulary = {name: number for number, name in enumerate(["[UNK]", "a", "b", "##b", "abc", "##x", "ab"])}
        tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
        added, text = "##c", "abcx"
    else:
        pieces = [("[UNK]", 0.0), ("a", -1.0), ("b", -2.0), ("x", -3.0), ("abc", -2.5), ("bc", -4.0), ("ab", -3.5)]
        tokenizer = Tokenizer(models.Unigram(pieces, unk_id=0))
        added, text = "c", "abcx"
    assert "[UNK]" not in named(tokenizer, text)
    cutter = Cutter(json.loads(tokenizer.to_str()))
    smaller, kept = cut(tokenizer, [], cutter.smallest)
    assert added in kept.ids
    old = tokenizer.get_vocab()
    with_it = {"WordPiece": ["abc"], "Unigram": ["abc", "bc"]}[kind]
    assert sorted(kept.rows[kept.ids[added]]) == sorted(old[name] for name in with_it if name not in kept.ids)
    assert "[UNK]" not in named(smaller, text)
    assert "abc" not in kept.ids


def test_special_tokens_keep_their_place_around_texts() -> None:
    for make in (word_piece, byte_pairs):
        tokenizer = make()
        tokenizer.enable_padding(pad_id=0, pad_token="[PAD]")
        smaller, kept = cut(tokenizer, CORPUS, halfway(tokenizer))
        found = smaller.encode_batch(["river", "river planet engine river"])
        assert [encoding.tokens[0] for encoding in found] == ["[CLS]", "[CLS]"]
        assert found[0].ids[-1] == kept.ids["[PAD]"]
        assert found[1].ids[-1] == kept.ids["[SEP]"]


def test_a_low_padding_token_keeps_its_number() -> None:
    tokenizer = word_piece()
    cutter = Cutter(json.loads(tokenizer.to_str()), padding=5)
    kept = cutter.keep(np.zeros(10, dtype=np.int64), cutter.smallest)
    assert kept.names[5] == {number: name for name, number in tokenizer.get_vocab().items()}[5]


def test_a_tokeniser_of_whole_words_is_refused() -> None:
    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0, "a": 1}, unk_token="[UNK]"))
    with pytest.raises(ModelReferenceError, match="WordLevel"):
        Cutter(json.loads(tokenizer.to_str()))


def test_as_many_tokens_stay_as_are_asked_for() -> None:
    for make in (word_piece, unigram):
        tokenizer = make()
        assert len(cut(tokenizer, CORPUS, halfway(tokenizer))[1]) == halfway(tokenizer)
