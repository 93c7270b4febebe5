"""How a model has the turns of a conversation as one text."""

from __future__ import annotations

from pathlib import Path

import pytest

from rankdistill.errors import ConfigError, DataError
from rankdistill.inference import conversation
from rankdistill.inference.conversation import Conversation

TURNS = ["who wrote it", "Ann did", "when", "", "and where"]


def test_turns_are_joined_as_trained() -> None:
    assert Conversation().join(TURNS) == "and where [SEP] when [SEP] Ann did [SEP] who wrote it"
    assert Conversation(" | ", "oldest_first").join(TURNS) == "who wrote it | Ann did | when | and where"
    assert Conversation(" ", answers=False).join(TURNS) == "and where when who wrote it"
    assert Conversation().join(["alone"]) == "alone"


@pytest.mark.parametrize("turns", [[], ["a", "b"], ["a", "b", " "], ["", "b", "c"]])
def test_turns_that_do_not_end_with_a_question_are_refused(turns: list[str]) -> None:
    with pytest.raises(ConfigError, match="odd number of turns"):
        Conversation().join(turns)


def test_a_greeting_before_the_first_question_is_named() -> None:
    with pytest.raises(ConfigError, match="begins with an answer") as told:
        Conversation().join(["", "hello, how may I help", "who wrote it"])
    assert "before the first question" in str(told.value)


def test_it_is_kept_beside_the_model(tmp_path: Path) -> None:
    assert conversation.read(tmp_path) is None
    kept = Conversation(" </s> ", "oldest_first", False)
    conversation.write(tmp_path, kept)
    assert conversation.read(tmp_path) == kept


@pytest.mark.parametrize("content", ["{", "[]", '{"order": "random"}', '{"speaker": "A"}', '{"separator": 3}'])
def test_a_damaged_file_is_told(content: str, tmp_path: Path) -> None:
    (tmp_path / "conversation.json").write_text(content)
    with pytest.raises(DataError, match="conversation"):
        conversation.read(tmp_path)


def words(text: str) -> int:
    return len(text.split())


@pytest.mark.parametrize("order", ["newest_first", "oldest_first"])
@pytest.mark.parametrize("most", range(1, 20))
def test_a_text_that_is_too_long_loses_its_oldest_turns_whole(order: str, most: int) -> None:
    """Against trying every number of turns, one after the other."""
    turns = ["one two three", "four", "five six", "", "seven", "eight nine", "ten"]
    found = conversation.named(order).join(turns, words, most)
    read = [turn for turn in turns if turn]
    texts = [" [SEP] ".join(read[-n:][:: -1 if order == "newest_first" else 1]) for n in range(1, len(read) + 1)]
    fitting = [text for text in texts if words(text) <= most]
    assert found == (fitting[-1] if fitting else "ten")
    assert found.startswith("ten") if order == "newest_first" else found.endswith("ten")


def test_the_last_turns_alone() -> None:
    assert conversation.named("newest_first:2").join(TURNS) == "and where [SEP] when"
    assert conversation.named("oldest_first:3").join(TURNS) == "who wrote it [SEP] Ann did [SEP] when [SEP] and where"
    assert conversation.named("oldest_first_questions:9").join(TURNS) == "who wrote it [SEP] when [SEP] and where"
    assert conversation.named("last_turn").join(TURNS) == "and where"
    assert conversation.named("newest_first", last=1) == conversation.named("newest_first:1")


def test_formats_by_name_take_settings() -> None:
    assert conversation.named("disco") == Conversation()
    assert conversation.named("disco").join(TURNS, words, 2) == Conversation().join(TURNS), "the model cuts"
    found = conversation.named("newest_first", separator=" </s> ", answers=False, last=None)
    assert found.join(TURNS) == "and where </s> when </s> who wrote it"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "newest",
        "newest_first:",
        "newest_first:two",
        "newest_first:-1",
        "newest_first:²",
        "newest_first:0",
        "last_turn:3",
    ],
)
def test_other_formats_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="newest_first"):
        conversation.named(name)


@pytest.mark.parametrize("settings", [{"last": 0}, {"order": "random"}, {"cut": "words"}, {"depth": 3}])
def test_settings_that_cannot_be_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        conversation.named("newest_first", **settings)


def test_whole_turns_need_to_know_how_long_a_text_is() -> None:
    assert conversation.named("newest_first").join(TURNS) == Conversation().join(TURNS), (
        "no limit, nothing to leave out"
    )
    with pytest.raises(ConfigError, match="length"):
        conversation.named("newest_first").join(TURNS, most=4)


def test_every_format_is_kept_beside_the_model(tmp_path: Path) -> None:
    for kept in conversation.FORMATS.values():
        conversation.write(tmp_path, kept)
        assert conversation.read(tmp_path) == kept


def test_a_file_without_the_later_keys_reads_as_it_did(tmp_path: Path) -> None:
    (tmp_path / "conversation.json").write_text('{"separator": " | ", "order": "oldest_first", "answers": false}')
    assert conversation.read(tmp_path) == Conversation(" | ", "oldest_first", False, None, "tokens")


def test_the_separator_is_the_token_that_the_model_knows(tiny_bert: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_bert)
    separator = conversation.separator_of(tokenizer)
    assert separator == " [SEP] "
    assert tokenizer("a" + separator + "b")["input_ids"].count(tokenizer.sep_token_id) == 2
    tokenizer.sep_token = None
    assert conversation.separator_of(tokenizer) == "\n"
