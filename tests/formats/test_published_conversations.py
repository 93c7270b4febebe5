"""Conversations in the layouts of their makers, on small files written by hand in them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from rankdistill.errors import ConfigError, DataError
from rankdistill.formats import conversations, published_conversations
from rankdistill.formats.conversations import Message, Turn
from rankdistill.formats.published_conversations import LAYOUTS, read

Q1, A1, Q2 = "what is a harbour?", "a place for ships", "is it deep?"
BEFORE = (Message("user", Q1), Message("system", A1))
REWRITE = {"rewrite": ("is a harbour deep?",)}

QRECC = [
    {
        "Context": [Q1, A1],
        "Question": Q2,
        "Rewrite": "is a harbour deep?",
        "Answer": "often",
        "Answer_URL": "https://example.org/harbour",
        "Conversation_no": 74,
        "Turn_no": 2,
        "Conversation_source": "trec",
    }
]
CANARD = [
    {
        "History": ["Harbours", "Depth", Q1, A1],
        "QuAC_dialog_id": "C_74_0",
        "Question": Q2,
        "Question_no": 2,
        "Rewrite": "is a harbour deep?",
    }
]
TOPIOCQA = [
    {"Conversation_no": 7, "Turn_no": 1, "Question": Q1, "Answer": A1, "Topic": "Harbour", "Additional_answers": []},
    {"Conversation_no": 7, "Turn_no": 2, "Question": Q2, "Answer": "often", "Topic": "Harbour", "Topic_section": "Use"},
]
CAST_2019 = [
    {"number": 31, "title": "sea", "turn": [{"number": n, "raw_utterance": q} for n, q in enumerate([Q1, Q2], 1)]}
]
CAST_2021 = [
    {
        "number": 106,
        "turn": [
            {"number": 1, "raw_utterance": Q1, "passage": A1, "manual_rewritten_utterance": Q1, "passage_id": 7},
            {
                "number": 2,
                "raw_utterance": Q2,
                "passage": "often",
                "manual_rewritten_utterance": "is a harbour deep?",
                "automatic_rewritten_utterance": "how deep?",
                "canonical_result_id": "MARCO_D1",
            },
        ],
    }
]
CAST_2022_FLAT = [
    {
        "number": 132,
        "turn": [
            {"number": "1-1", "utterance": Q1, "response": A1, "provenance": ["MARCO_1-1"]},
            {"number": number, "utterance": Q2, "manual_rewritten_utterance": "is a harbour deep?"},
        ],
    }
    for number in ("1-3", "2-1")
]
CAST_2022_TREE = [
    {
        "number": 132,
        "turn": [
            {"number": "1-1", "participant": "User", "utterance": Q1, "automatic_rewritten_utterance": Q1},
            {"number": "1-2", "parent": "1-1", "participant": "System", "response": A1, "provenance": ["MARCO_1-1"]},
            {"number": "1-3", "parent": "1-2", "participant": "User", "utterance": "who digs it?"},
            {"number": "1-4", "parent": "1-3", "participant": "System", "response": "dredgers"},
            {"number": "2-1", "parent": "1-2", "participant": "User", "utterance": Q2},
        ],
    }
]
IKAT_2023 = [
    {
        "number": "9-1",
        "title": "Harbours",
        "ptkb": {"1": "I own a ship."},
        "turns": [
            {"turn_id": 1, "utterance": Q1, "resolved_utterance": Q1, "response": A1, "ptkb_provenance": [1]},
            {"turn_id": 2, "utterance": Q2, "resolved_utterance": "is a harbour deep?", "response": "often"},
        ],
    }
]
IKAT_2025 = [
    {
        "conv_id": "9-1",
        "title": "Harbours",
        "ptkb": ["I own a ship."],
        "responses": [
            {"turn_id": 1, "user_utterance": Q1, "resolved_utterance": Q1, "response": A1, "citations": ["x:1"]},
            {"turn_id": 2, "user_utterance": Q2, "resolved_utterance": "is a harbour deep?", "response": "often"},
        ],
    }
]
MTRAG = [
    {
        "task_id": "c0ffee<::>2",
        "Collection": "mt-rag-govt",
        "input": [
            {"speaker": "user", "text": Q1},
            {"speaker": "agent", "text": A1},
            {"speaker": "user", "text": Q2},
        ],
        "targets": [{"speaker": "agent", "text": "often"}],
        "contexts": [{"document_id": "d1", "text": "..."}],
        "Answerability": ["ANSWERABLE"],
    }
]


def write(path: Path, entries: list[Any], in_lines: bool = False) -> Path:
    text = "\n".join(map(json.dumps, entries)) if in_lines else json.dumps(entries, indent=2)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.mark.parametrize(
    ("layout", "entries", "expected"),
    [
        (
            "qrecc",
            QRECC,
            Turn(
                "74_2",
                Q2,
                BEFORE,
                REWRITE,
                {"answer": "often", "answer_url": "https://example.org/harbour", "source": "trec"},
            ),
        ),
        ("canard", CANARD, Turn("C_74_0_2", Q2, BEFORE, REWRITE, {"title": "Harbours", "section": "Depth"})),
        (
            "topiocqa",
            TOPIOCQA,
            Turn("7_2", Q2, BEFORE, {}, {"answer": "often", "topic": "Harbour", "section": "Use", "turn": 2}),
        ),
        ("cast", CAST_2019, Turn("31_2", Q2, BEFORE[:1], {}, {"title": "sea"})),
        ("cast", CAST_2021, Turn("106_2", Q2, BEFORE, REWRITE | {"auto_rewrite": ("how deep?",)}, {})),
        ("cast", CAST_2022_FLAT, Turn("132_2-1", Q2, BEFORE, REWRITE, {})),
        ("cast", CAST_2022_TREE, Turn("132_2-1", Q2, BEFORE, {}, {})),
        ("ikat", IKAT_2023, Turn("9-1_2", Q2, BEFORE, REWRITE, {"title": "Harbours", "ptkb": {"1": "I own a ship."}})),
        ("ikat", IKAT_2025, Turn("9-1_2", Q2, BEFORE, REWRITE, {"title": "Harbours", "ptkb": ["I own a ship."]})),
        (
            "mtrag",
            MTRAG,
            Turn("c0ffee<::>2", Q2, BEFORE, {}, {"collection": "mt-rag-govt", "answerability": ["ANSWERABLE"]}),
        ),
    ],
)
@pytest.mark.parametrize("name", ["a.json", "a.json.gz"])
@pytest.mark.parametrize("in_lines", [False, True])
def test_the_last_turn_of_a_published_file(
    layout: str, entries: list[Any], expected: Turn, name: str, in_lines: bool, tmp_path: Path
) -> None:
    turns, reports = read(write(tmp_path / name, entries, in_lines), layout)
    assert turns[-1] == expected
    assert reports == []
    conversations.write(tmp_path / "own.jsonl", turns)
    assert conversations.read(tmp_path / "own.jsonl") == (turns, [])


def test_scai_qrecc_names_its_passages(tmp_path: Path) -> None:
    entry = {
        "Context": [Q1, A1],
        "Question": Q2,
        "Truth_rewrite": "is a harbour deep?",
        "Truth_answer": "often",
        "Truth_passages": ["p1", "p2"],
        "Conversation_no": 74,
        "Turn_no": 2,
    }
    (turn,), _ = read(write(tmp_path / "a.json", [entry]), "qrecc")
    assert turn == Turn("74_2", Q2, BEFORE, REWRITE, {"answer": "often"}, {"p1": 1, "p2": 1})
    conversations.write(tmp_path / "own.jsonl", [turn])
    assert conversations.read(tmp_path / "own.jsonl")[0] == [turn]


def test_questions_of_scai_qrecc_have_their_history_in_the_turns_before(tmp_path: Path) -> None:
    """Its test questions come without `Context`."""
    said = [{"Conversation_no": 1, "Turn_no": n, "Question": q} for n, q in enumerate([Q1, Q2, "why?"], 1)]
    path = tmp_path / "questions.json"
    path.write_text(json.dumps(said), encoding="utf-8")
    turns, _ = read(path, "qrecc")
    assert [turn.history for turn in turns] == [(), (Message("user", Q1),), (Message("user", Q1), Message("user", Q2))]
    path.write_text(json.dumps([said[0], said[2]]), encoding="utf-8")
    with pytest.raises(DataError, match="turn 3 where 2 should be"):
        read(path, "qrecc")
    path.write_text(json.dumps([{**QRECC[0], "Conversation_no": 9}, *said]), encoding="utf-8")
    with pytest.raises(DataError, match="'Context' in all entries"):
        read(path, "qrecc")
    path.write_text(json.dumps([{**said[0], "Conversation_no": 74}, *QRECC]), encoding="utf-8")
    assert [turn.history for turn in read(path, "qrecc")[0]] == [(), BEFORE], "first turns have no history to name"


def test_topiocqa_may_name_its_passage(tmp_path: Path) -> None:
    entries = [TOPIOCQA[0] | {"Gold_passage": {"id": "wiki:7", "title": "a", "text": "b"}}, TOPIOCQA[1]]
    turns, _ = read(write(tmp_path / "a.json", entries), "topiocqa")
    assert [turn.gold for turn in turns] == [{"wiki:7": 1}, {}]


@pytest.mark.parametrize("numbers", [(1, 3), (2, 3), (1, 1)])
def test_a_turn_that_is_missing_would_change_the_history_of_others(numbers: tuple[int, int], tmp_path: Path) -> None:
    """Two entries with one number are one id twice, which is told first."""
    entries = [TOPIOCQA[0] | {"Turn_no": numbers[0]}, TOPIOCQA[1] | {"Turn_no": numbers[1]}]
    said = "duplicate id" if numbers == (1, 1) else f"turn {max(numbers) if numbers[0] == 1 else 2} where"
    with pytest.raises(DataError, match=said):
        read(write(tmp_path / "a.json", entries), "topiocqa")


def test_mtrag_s_retrieval_tasks_hold_the_user_s_side(tmp_path: Path) -> None:
    row = {"_id": "c0ffee<::>3", "text": f"|user|: {Q1}\n|user|: and where?\n|user|: {Q2}"}
    (turn,), _ = read(write(tmp_path / "a.jsonl", [row], in_lines=True), "mtrag")
    assert turn == Turn("c0ffee<::>3", Q2, (Message("user", Q1), Message("user", "and where?")))
    with pytest.raises(DataError, match="does not begin with"):
        read(write(tmp_path / "b.jsonl", [row | {"text": Q1}], in_lines=True), "mtrag")


def test_rows_of_this_package_are_read_under_any_layout(tmp_path: Path) -> None:
    turn = Turn("74_2", Q2, BEFORE, REWRITE)
    conversations.write(tmp_path / "own.jsonl", [turn])
    for layout in LAYOUTS:
        assert read(tmp_path / "own.jsonl", layout)[0] == [turn]


def test_paths_through_a_topic_share_turns(tmp_path: Path) -> None:
    for entries in (CAST_2022_FLAT, CAST_2022_TREE):
        turns, _ = read(write(tmp_path / "a.json", entries), "cast")
        assert [turn.turn_id for turn in turns] == ["132_1-1", "132_1-3", "132_2-1"]


BAD: list[tuple[str, Any, str]] = [
    ("qrecc", {"Question": Q2, "Conversation_no": 1}, "missing 'Turn_no'"),
    ("qrecc", QRECC[0] | {"Context": "a"}, "not a list"),
    ("canard", CANARD[0] | {"Question": ""}, "the question is empty"),
    ("topiocqa", TOPIOCQA[0] | {"Turn_no": "b"}, "not a number"),
    ("cast", {"number": 1, "turn": [{"number": 1}]}, "the utterance of turn '1'"),
    ("cast", {"number": 1, "turn": [{"number": "1-3", "parent": "1-2", "participant": "User"}]}, "parent '1-2'"),
    ("ikat", {"number": "1-1", "title": "a"}, "missing 'responses'"),
    ("mtrag", {"task_id": "a<::>1", "input": [{"speaker": "narrator", "text": "b"}]}, "narrator"),
    ("mtrag", {"task_id": "a<::>1", "input": [{"speaker": "agent", "text": "b"}]}, "not the user's"),
]


@pytest.mark.parametrize(("layout", "entry", "said"), BAD)
def test_bad_entries_are_named_and_can_be_left_out(layout: str, entry: Any, said: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", [entry])
    with pytest.raises(DataError, match=said) as raised:
        read(path, layout)
    assert "a.json:1" in str(raised.value)
    turns, reports = read(path, layout, "lenient")
    assert turns == []
    assert len(reports) == 1


@pytest.mark.parametrize("layout", LAYOUTS)
def test_entries_that_are_no_objects_are_bad(layout: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="3 bad rows"):
        read(write(tmp_path / "a.json", [[], "a", None]), layout)


def test_two_different_turns_of_one_id_are_bad(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="duplicate id '74_2'"):
        read(write(tmp_path / "a.json", [QRECC[0], QRECC[0] | {"Question": "another?"}]), "qrecc")


def test_damaged_files_and_unknown_layouts_are_explained(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("[{}, ")
    with pytest.raises(DataError, match="a JSON array"):
        read(tmp_path / "a.json", "cast")
    with pytest.raises(DataError, match="a readable file"):
        read(tmp_path / "absent.json", "cast")
    with pytest.raises(ConfigError, match="qrecc, canard"):
        read(tmp_path / "a.json", "coqa")


def test_every_layout_is_tested() -> None:
    assert set(published_conversations.LAYOUTS) == {layout for layout, *_ in BAD}
