"""Sessions: written, read back, split, and what is refused of them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from rankdistill import manifest, sessions
from rankdistill.errors import ConfigError, DataError
from rankdistill.inference import conversation
from rankdistill.sessions import Session, Turn, rewrites, writing

HARBOUR = Session(
    "c1",
    (
        Turn("user", "what is a harbour?", "c1_1", {"human": ("what is a harbour?",)}, {"d1": 2, "d9": 0}),
        Turn("system", "a place for ships"),
        Turn("user", "is it deep?", "c1_2", {"human": ("is a harbour deep?", "how deep?")}, {"d2": 1}, {"topic": "a"}),
        Turn("user", "who digs it?", "c1_3", {}, {}, {"topic": "b"}),
    ),
    "train",
    {"from": "qrecc", "file": "a.json"},
)
BREAD = Session("c2", (Turn("user", "what is bread?"), Turn("user", "and rye?", "c2_2", {"human": ("rye bread?",)})))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    writing.write(tmp_path / "S" / "sessions.jsonl", [HARBOUR, BREAD])
    return tmp_path / "S"


@pytest.mark.parametrize("name", ["sessions.jsonl", "sessions.jsonl.gz"])
def test_sessions_come_back(tmp_path: Path, name: str) -> None:
    writing.write(tmp_path / name, [HARBOUR, BREAD])
    for place in (tmp_path, tmp_path / name):
        found = sessions.read(place)
        assert list(found.sessions) == [HARBOUR, BREAD]
        assert not found.reports
    plain = "".join(f"{writing.line(one)}\n" for one in (HARBOUR, BREAD))
    assert found.fingerprint == hashlib.sha256(plain.encode()).hexdigest()


@pytest.mark.parametrize("name", ["sessions.jsonl", "sessions.jsonl.gz"])
def test_the_file_of_a_folder_stands_for_the_folder(tmp_path: Path, name: str) -> None:
    """With the rewrites and documents beside it; a file of another name is alone."""
    folder = tmp_path / "S"
    for path in (folder / name, folder / "other.jsonl"):
        writing.write(path, [HARBOUR, BREAD])
    rewrites.write(rewrites.folder_of(folder, "hand"), {"c1_2": "is a harbour deep?"})
    manifest.Manifest(rewrites.ARTEFACT).write(rewrites.folder_of(folder, "hand"))
    (folder / "corpus.jsonl").write_text('{"_id": "d1", "text": "a harbour"}\n')
    for place in (folder, folder / name):
        found = sessions.read(place)
        assert (found.path, found.rewriters["hand"], found.has_documents) == (folder, 1, True)
    alone = sessions.read(folder / "other.jsonl")
    assert (alone.path, "hand" in alone.rewriters, alone.has_documents) == (folder / "other.jsonl", False, False)


def test_what_a_question_knows() -> None:
    first, second, third = HARBOUR.asked
    assert [one.turn_id for one in HARBOUR.asked] == ["c1_1", "c1_2", "c1_3"]
    assert [one.depth for one in HARBOUR.asked] == [1, 2, 3]
    assert [one.topic_shift for one in HARBOUR.asked] == [None, None, True]
    assert first.said == ["what is a harbour?"]
    assert second.said == ["what is a harbour?", "a place for ships", "is it deep?"]
    assert third.said == [*second.said, "", "who digs it?"]
    assert [one.turn_id for one in BREAD.asked] == ["c2_2"]
    assert [one.depth for one in BREAD.asked] == [2]
    same = Session(
        "s", (Turn("user", "a", "1", metadata={"topic": "t"}), Turn("user", "b", "2", metadata={"topic": "t"}))
    )
    assert same.asked[1].topic_shift is False


def test_splits_questions_and_judgements(folder: Path) -> None:
    found = sessions.read(folder)
    assert found.splits == ["train"]
    assert [one.turn_id for one in found.asked("train")] == ["c1_1", "c1_2", "c1_3"]
    assert [one.turn_id for one in found.asked("train", judged=True)] == ["c1_1", "c1_2"]
    assert list(found.questions("unjudged")) == ["c2_2"]
    assert found.questions()["c1_2"] == "is it deep?"
    assert found.qrels() == {"c1_1": {"d1": 2, "d9": 0}, "c1_2": {"d2": 1}}
    with pytest.raises(DataError, match="'test'"):
        found.asked("test")
    assert not found.has_documents


def test_the_split_unjudged_is_none(folder: Path) -> None:
    """Questions of such sessions were in no split, and in none of `unjudged` either."""
    path = folder / "sessions.jsonl"
    path.write_text(path.read_text().replace('"split": "train"', '"split": "unjudged"'))
    found = sessions.read(folder)
    assert found.splits == []
    assert list(found.questions("unjudged")) == ["c1_1", "c1_2", "c1_3", "c2_2"]
    assert sum(one["sessions"] for one in found.counts().values()) == 2


def test_they_show_their_counts(folder: Path) -> None:
    found = sessions.read(folder)
    assert found.counts() == {
        "train": {"sessions": 1, "questions": 3, "judged": 2, "relevant": 2, "human": 2},
        "unjudged": {"sessions": 1, "questions": 1, "judged": 0, "relevant": 0, "human": 1},
    }
    assert "2 sessions" in str(found)
    assert "rewrites human" in repr(found)
    assert json.loads(json.dumps(found.to_json()))["questions"] == 4
    frame = found.to_polars()
    assert frame["depth"].to_list() == [1, 2, 3, 2]
    assert frame["human"].to_list() == ["what is a harbour?", "is a harbour deep?", None, "rye bread?"]


def test_judged_is_what_is_evaluated_and_relevant_what_can_be_found(tmp_path: Path) -> None:
    path = tmp_path / "S" / "sessions.jsonl"
    turns = (Turn("user", "is it deep?", "t1", gold={"d1": 0}), Turn("user", "who digs it?", "t2", gold={"d1": 1}))
    writing.write(path, [Session("c1", turns, "dev")])
    found = sessions.read(path)
    assert found.counts() == {"dev": {"sessions": 1, "questions": 2, "judged": 2, "relevant": 1}}
    assert found.counts()["dev"]["judged"] == len(found.qrels("dev"))
    assert [one.turn_id for one in found.asked("dev", judged=True)] == ["t2"]
    assert "relevant" in str(found)


def test_texts_are_the_conversations_in_a_format(folder: Path) -> None:
    found = sessions.read(folder)
    texts = found.texts(conversation.named("newest_first"), "train")
    assert texts["c1_3"] == "who digs it? [SEP] is it deep? [SEP] a place for ships [SEP] what is a harbour?"
    assert list(texts) == ["c1_1", "c1_2", "c1_3"]
    short = found.texts(conversation.named("newest_first"), "train", length=lambda text: len(text.split()), most=8)
    assert short["c1_3"] == "who digs it? [SEP] is it deep?"
    assert found.texts(conversation.named("last_turn")) == found.questions()


def test_rewrites_by_name_and_what_becomes_of_questions_without_one(folder: Path) -> None:
    found = sessions.read(folder)
    assert found.rewriters == {"human": 3}
    with pytest.raises(DataError, match="none of 1, as of c1_3"):
        found.rewrites("human", "train")
    taken = {"c1_1": "what is a harbour?", "c1_2": "is a harbour deep?"}
    assert found.rewrites("human", "train", "drop") == taken
    assert found.rewrites("human", "train", "question") == {**taken, "c1_3": "who digs it?"}
    assert found.rewrites("human", "unjudged") == {"c2_2": "rye bread?"}
    with pytest.raises(ConfigError, match="human"):
        found.rewrites("llm")


def test_rewrites_that_were_made_stand_beside(folder: Path) -> None:
    place = rewrites.folder_of(folder, "t5")
    rewrites.write(place, {"c1_1": "harbours", "c1_3": "who digs a harbour?"})
    assert sessions.read(folder).rewriters == {"human": 3}, "unfinished ones are not there"
    manifest.Manifest(rewrites.ARTEFACT).write(place)
    before = sessions.read(folder)
    assert before.rewriters == {"human": 3, "t5": 2}
    assert before.rewrites("t5", "train", "drop") == {"c1_1": "harbours", "c1_3": "who digs a harbour?"}
    assert before.sessions[1] == BREAD
    (place / rewrites.FILE_NAME).write_bytes(b"PAR1")
    with pytest.raises(DataError, match="rankdistill rewrite"):
        sessions.read(folder)


def turns(*given: dict[str, Any]) -> dict[str, Any]:
    return {"session_id": "x", "turns": list(given)}


ASKED = {"role": "user", "text": "a", "turn_id": "x_1"}
ANSWER = {"role": "system", "text": "b"}
BAD = [
    (turns(), "has no turns"),
    ({"session_id": "x"}, "'turns' is None"),
    (turns({"role": "user", "text": "a"}), "no turn with a 'turn_id'"),
    (turns(ANSWER, ASKED), "turn 1: turns out of order: it begins with an answer"),
    (turns(ASKED, ANSWER, ANSWER), "turn 3: turns out of order: an answer follows an answer"),
    (turns(ASKED, ANSWER, ASKED), "two turns with the id 'x_1'"),
    (turns(ASKED | {"role": "narrator"}), "'narrator'"),
    (turns(ASKED | {"text": " "}), "no words"),
    (turns(ASKED | {"text": 3}), "not a text"),
    (turns(ASKED, ANSWER | {"turn_id": "x_2"}), "only questions are queries"),
    (turns(ASKED, {"role": "user", "text": "a", "gold": {"d": 1}}), "of no query"),
    (turns(ASKED | {"gold": {"d": 0.5}}), "label of 'd'"),
    (turns(ASKED | {"gold": ["d"]}), "not an object"),
    (turns(ASKED | {"rewrites": "r"}), "not an object"),
    (turns(ASKED | {"rewrites": {"human": [3]}}), "not a text"),
    (turns("a"), "not an object"),
    (turns(ASKED) | {"session_id": "c1"}, "duplicate session 'c1'"),
    (turns(ASKED | {"turn_id": "c1_2"}), "duplicate turn id 'c1_2'"),
    (turns(ASKED) | {"session_id": None}, "missing 'session_id'"),
    (turns(ASKED) | {"source": "s"}, "'source'"),
    ([], "not an object"),
]


@pytest.mark.parametrize(("record", "said"), BAD)
def test_bad_sessions_are_named_and_can_be_left_out(tmp_path: Path, record: Any, said: str) -> None:
    path = tmp_path / "sessions.jsonl"
    path.write_text(f"{writing.line(HARBOUR)}\n{json.dumps(record)}\n")
    with pytest.raises(DataError, match=said) as raised:
        sessions.read(path)
    assert "sessions.jsonl:2" in str(raised.value)
    kept = sessions.read(path, "lenient")
    assert list(kept.sessions) == [HARBOUR]
    assert len(kept.reports) == 1


def test_where_there_is_nothing_it_says_how_to_make_some(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "absent"):
        with pytest.raises(DataError, match="data convert --from"):
            sessions.read(place)
    (tmp_path / "sessions.jsonl").write_text("\n")
    with pytest.raises(DataError, match="none"):
        sessions.read(tmp_path)
