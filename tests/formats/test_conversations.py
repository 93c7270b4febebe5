"""Turns with history and rewrites: written, read back, and read from the layouts in use."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rankdistill.data import load
from rankdistill.errors import DataError
from rankdistill.formats import conversations
from rankdistill.formats.conversations import Message, Turn

TURNS = [
    Turn("c_1", "what is a harbour?", (), {"rewrite": ("what is a harbour?",)}, {"topic": "sea"}),
    Turn(
        "c_2",
        "is it deep?",
        (Message("user", "what is a harbour?"), Message("system", "")),
        {"rewrite": ("is a harbour deep?",), "model": ("how deep is a harbour?", "are harbours deep?")},
    ),
]


def write(path: Path, *records: Any) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


@pytest.mark.parametrize("file", ["turns.jsonl", "turns.jsonl.gz"])
def test_turns_come_back(tmp_path: Path, file: str) -> None:
    conversations.write(tmp_path / file, TURNS)
    assert conversations.read(tmp_path / file) == (TURNS, [])


def test_a_plain_reader_sees_the_utterances_as_queries(tiny_beir: Path) -> None:
    queries = load(tiny_beir).queries(None)
    conversations.write(tiny_beir / "queries.jsonl", (Turn(key, text) for key, text in queries.items()))
    assert load(tiny_beir).queries(None) == queries
    assert [turn.utterance for turn in conversations.read(tiny_beir)[0]] == list(queries.values())


def test_rewrites_in_fields_of_their_own(tmp_path: Path) -> None:
    record = {
        "_id": "1",
        "utterance": "is it deep?",
        "history": [],
        "rewrite": "by hand",
        "auto_rewrite": "by model",
        "llm_rewrites": {"COT": ["one", "", "two"], "REW": [""]},
    }
    [turn], _ = conversations.read(write(tmp_path / "a.jsonl", record))
    assert turn.rewrites == {"rewrite": ("by hand",), "auto_rewrite": ("by model",), "COT": ("one", "two")}


def test_history_is_rebuilt_from_the_turns_before(tmp_path: Path) -> None:
    records = [
        {"_id": "t1_2", "text": "second", "metadata": {"conv": 1, "turn": 2, "answer": "two"}},
        {"_id": "t1_1", "text": "first", "metadata": {"conv": 1, "turn": 1, "answer": "one"}},
        {"_id": "d1_1", "text": "other", "metadata": {"conv": 1, "turn": 1, "answer": "x"}},
    ]
    turns, _ = conversations.read(write(tmp_path / "a.jsonl", *records))
    assert turns[0].history == (Message("user", "first"), Message("system", "one"))
    assert turns[1].history == turns[2].history == ()


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"text": "no id"}, "missing '_id'"),
        ({"_id": "1"}, "the utterance"),
        ({"_id": "1", "text": "a", "history": [{"role": "narrator", "text": "b"}]}, "'narrator'"),
        ({"_id": "1", "text": "a", "history": ["b"]}, "not an object"),
        ({"_id": "1", "text": "a", "rewrites": {"kind": "b"}}, "not a list"),
        ({"_id": "c_1", "text": "a"}, "duplicate id"),
        ([], "not an object"),
    ],
)
def test_bad_turns_are_named(tmp_path: Path, record: Any, said: str) -> None:
    path = write(tmp_path / "a.jsonl", {"_id": "c_1", "text": "first"}, record)
    with pytest.raises(DataError, match=said) as raised:
        conversations.read(path)
    assert "a.jsonl:2" in str(raised.value)
    assert [turn.turn_id for turn in conversations.read(path, "lenient")[0]] == ["c_1"]


@pytest.mark.parametrize(
    ("name", "turns", "kinds"),
    [
        ("topiocqa", 47_964, set()),
        ("qrecc_dev2k", 2_000, {"rewrite", "llm_rewrite", "llm_edited_rewrite"}),
        ("canard_dev", 3_430, {"rewrite"}),
        ("cast_pool", 475, {"rewrite", "auto_rewrite"}),
        ("conv_rewrites/rewrites.jsonl.gz", 1_311, {"rewrite", "REW", "COT-REW"}),
    ],
)
def test_real_conversations(real_data: Path, name: str, turns: int, kinds: set[str]) -> None:
    found, _ = conversations.read(real_data / name)
    assert len(found) == turns
    assert {kind for turn in found for kind in turn.rewrites} >= kinds
    assert any(turn.history for turn in found)


@pytest.mark.parametrize(
    "metadata", ["x", ["turn"], {"turn": "one"}, {"turn": 1.5}, {"turn": None}, {"turn": "9" * 5000}]
)
def test_metadata_that_say_no_turn_are_refused(metadata: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", {"_id": "1_1", "text": "t", "metadata": metadata})
    with pytest.raises(DataError, match=r"a\.jsonl:1: .*metadata"):
        conversations.read(path)


def test_metadata_may_name_the_conversation_of_numbered_turns(tmp_path: Path) -> None:
    records = [
        {"_id": f"{name}-{turn}", "text": f"{name} {turn}", "metadata": {"session": name, "turn": turn, "answer": "a"}}
        for name in "xy"
        for turn in (1, 2)
    ]
    turns, _ = conversations.read(write(tmp_path / "a.jsonl", *records))
    assert [[one.text for one in turn.history] for turn in turns] == [[], ["x 1", "a"], [], ["y 1", "a"]]
    with pytest.raises(DataError, match="conversation 'y': turn 2 where 1 should be"):
        conversations.read(write(tmp_path / "b.jsonl", *records[:2], records[3]))
