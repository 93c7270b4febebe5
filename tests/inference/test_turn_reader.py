"""How much of a conversation a model reads."""

from __future__ import annotations

from typing import Any

import pytest

from rankdistill.inference import conversation
from rankdistill.inference.turn_reader import TurnReader


def tokenizer(text: str, **_: Any) -> dict[str, list[str]]:
    """Words, and two special tokens."""
    return {"input_ids": ["[CLS]", *text.split(), "[SEP]"]}


@pytest.mark.parametrize("name", conversation.FORMATS)
def test_a_question_that_is_longer_than_the_model_reads_counts_as_cut(name: str) -> None:
    """Also where turns are left out whole: the question never is, so that the model cuts it."""
    reader = TurnReader(conversation.named(name), tokenizer, "", 10)
    assert not reader.is_cut(["what is it"])
    assert reader.is_cut([" ".join(["word"] * 9)])
    assert reader.is_cut(["first?", "answer", " ".join(["word"] * 9)])
    assert not TurnReader(conversation.named(name), tokenizer).is_cut([" ".join(["word"] * 99)])


def test_turns_that_are_left_out_count_as_cut() -> None:
    reader = TurnReader(conversation.named("newest_first", separator=" | "), tokenizer, "", 10)
    assert not reader.is_cut(["one two", "three", "four"])
    assert reader.is_cut(["one two", "three four five", "six seven"])
    assert reader.is_cut(["q"], "a joined text that says more") is True
