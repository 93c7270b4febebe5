"""Framing by template equals the tokeniser's own output, truncation of pairs included."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rankdistill.inference.framing import Framing
from rankdistill.inference.template import detect, truncate_longest_first

QUERIES = ["what is the old river 3", "bread", "", "iron " * 30, "violin 12"]
DOCUMENTS = ["the river is deep", "glass " * 40, "planet " * 9, "north stone " * 25, ""]
NAMES = ("input_ids", "attention_mask", "token_type_ids")


@pytest.fixture(scope="module")
def tokenizer(tiny_bert: Path):
    """The tiny model's WordPiece tokeniser."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny_bert)


def _roberta_like(tokenizer):
    """The same words framed as RoBERTa does: <s> a </s></s> b </s>, every token type 0."""
    from tokenizers.processors import RobertaProcessing

    tokenizer.backend_tokenizer.post_processor = RobertaProcessing(
        ("[SEP]", tokenizer.sep_token_id), ("[CLS]", tokenizer.cls_token_id)
    )
    return tokenizer


@pytest.mark.parametrize("max_length", [8, 9, 16, 33, 64])
@pytest.mark.parametrize("roberta", [False, True])
def test_pairs_are_framed_and_truncated_as_the_tokeniser_does(tiny_bert: Path, max_length: int, roberta: bool) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_bert)
    tokenizer = _roberta_like(tokenizer) if roberta else tokenizer
    template = detect(tokenizer, 2)
    assert template is not None
    queries = [query for query in QUERIES for _ in DOCUMENTS]
    documents = DOCUMENTS * len(QUERIES)
    framed = Framing(tokenizer, template, max_length, NAMES).apply([queries, documents])
    ours = framed.batch(np.arange(len(queries)))
    theirs = tokenizer(
        queries,
        documents,
        truncation="longest_first",
        max_length=max_length,
        padding=True,
        return_tensors="np",
        return_token_type_ids=True,
    )
    for name in NAMES:
        np.testing.assert_array_equal(ours[name], theirs[name])
    np.testing.assert_array_equal(framed.lengths, theirs["attention_mask"].sum(axis=1))


def test_single_texts_are_framed_and_truncated_as_the_tokeniser_does(tokenizer) -> None:
    template = detect(tokenizer, 1)
    assert template is not None
    assert template.special == 2
    ours = Framing(tokenizer, template, 12, NAMES).apply([DOCUMENTS]).batch(np.array([3, 0, 4]))
    theirs = tokenizer(
        [DOCUMENTS[row] for row in (3, 0, 4)], truncation=True, max_length=12, padding=True, return_tensors="np"
    )
    for name in NAMES:
        np.testing.assert_array_equal(ours[name], theirs[name])


def test_longest_first_takes_tokens_from_the_longer_text_one_by_one() -> None:
    generator = np.random.default_rng(4)
    first, second = generator.integers(0, 30, (2, 500))
    for budget in (1, 7, 20, 21, 60):
        ours = truncate_longest_first(first, second, budget)
        for row in range(500):
            a, b = int(first[row]), int(second[row])
            while a + b > budget:
                a, b = (a - 1, b) if a > b else (a, b - 1)
            kept = (int(ours[0][row]), int(ours[1][row]))
            assert sum(kept) == a + b
            assert sorted(kept) == sorted((a, b))


def test_a_tokeniser_whose_framing_depends_on_the_text_has_no_template() -> None:
    class Odd:
        def __call__(self, *texts, add_special_tokens=True, **options):
            ids = [[ord(letter) for letter in text] for text in texts]
            if not add_special_tokens:
                return {"input_ids": ids[0]}
            framed = [0, len(texts[0]), *ids[0], 1]
            return {"input_ids": framed, "token_type_ids": [0] * len(framed)}

    assert detect(Odd(), 1) is None
