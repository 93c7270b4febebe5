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
