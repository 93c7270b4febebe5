"""`data convert` of conversations: published files and collections whose queries have a history."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

import rankdistill as rd
from rankdistill import manifest, sessions
from rankdistill.data import load
from rankdistill.errors import ConfigError, DataError, StaleOutputError
from rankdistill.formats import conversation_files
from rankdistill.sessions import Sessions
from tests.formats.test_published_conversations import CANARD, CAST_2019, CAST_2022_TREE, MTRAG, QRECC, TOPIOCQA


def rows(path: Path, entries: list[Any], in_lines: bool = True) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(one) + "\n" for one in entries) if in_lines else json.dumps(entries))
    return path


@pytest.fixture
def chats(tmp_path: Path) -> Path:
    """A collection of four documents, with two conversations of two and three turns, one turn not judged."""
    folder = tmp_path / "chats"
    rows(folder / "corpus.jsonl", [{"_id": f"d{n}", "title": "", "text": f"document {n}"} for n in range(4)])
    said = [{"role": "user", "text": "what is a harbour?"}, {"role": "system", "text": "a place for ships"}]
    queries = [
        {"_id": "a_1", "text": "what is a harbour?", "rewrite": "what is a harbour?", "history": []},
        {"_id": "a_2", "text": "is it deep?", "rewrite": "is a harbour deep?", "history": said},
        {"_id": "b_1", "text": "what is bread?", "history": []},
        {"_id": "b_2", "text": "and rye?", "history": [{"role": "user", "text": "what is bread?"}]},
        {
            "_id": "b_3",
            "text": "why?",
            "llm_rewrite": "why rye bread?",
            "history": [{"role": "user", "text": "what is bread?"}, {"role": "user", "text": "and rye?"}],
        },
    ]
    rows(folder / "queries.jsonl", queries)
    (folder / "qrels").mkdir()
    for split, judged in {"train": ["a_1 d0", "a_2 d1"], "test": ["b_1 d2", "b_3 d3", "b_3 d0"]}.items():
        lines = "".join("\t".join([*one.split(), "1"]) + "\n" for one in judged)
        (folder / "qrels" / f"{split}.tsv").write_text(f"query-id\tcorpus-id\tscore\n{lines}")
    return folder


@pytest.mark.parametrize("from_", [None, "beir", "qrecc"])
def test_a_collection_of_turns_gets_sessions(chats: Path, tmp_path: Path, from_: str | None) -> None:
    found = rd.convert(chats, tmp_path / "out", from_=from_)
    assert isinstance(found, Sessions)
    assert found.counts() == {
        "test": {"sessions": 1, "questions": 3, "judged": 2, "relevant": 2, "human": 0, "llm": 1},
        "train": {"sessions": 1, "questions": 2, "judged": 2, "relevant": 2, "human": 2, "llm": 0},
    }
    assert found.has_documents
    assert found.qrels("test") == {"b_1": {"d2": 1}, "b_3": {"d3": 1, "d0": 1}}
    assert found.sessions[1].asked[2].said == ["what is bread?", "", "and rye?", "", "why?"]
    assert found.sessions[0].source == {"from": from_ or "beir", "collection": "chats"}
    dataset, before = load(tmp_path / "out"), load(chats)
    assert dataset.query_texts == before.query_texts
    assert dataset.judgements == before.judgements
    assert isinstance(rd.open(tmp_path / "out"), Sessions)
    made = manifest.read(tmp_path / "out")
    assert made is not None
    assert "sessions.jsonl" in made.outputs


def test_the_same_again_does_nothing_and_another_layout_is_refused(chats: Path, tmp_path: Path) -> None:
    rd.convert(chats, tmp_path / "out", gzip=True)
    path = tmp_path / "out" / "sessions.jsonl.gz"
    first = (path.read_bytes(), path.stat().st_mtime_ns)
    rd.convert(chats, tmp_path / "out", gzip=True)
    assert (path.read_bytes(), path.stat().st_mtime_ns) == first
    with pytest.raises(StaleOutputError, match="sessions"):
        rd.convert(chats, tmp_path / "out", from_="qrecc", gzip=True)


def test_judgements_of_passages_go_along(chats: Path, tmp_path: Path, tiny_bert: Path) -> None:
    found = rd.convert(chats, tmp_path / "out", passage_tokens=8, tokenizer=str(tiny_bert))
    assert isinstance(found, Sessions)
    dataset = load(tmp_path / "out")
    assert found.qrels("train") == dataset.qrels("train")
    assert all(doc_id.startswith("d0#") for doc_id in found.qrels("train")["a_1"])


def test_a_session_in_two_splits_is_refused(chats: Path, tmp_path: Path) -> None:
    path = chats / "qrels" / "test.tsv"
    path.write_text(path.read_text() + "a_1\td0\t1\n")
    with pytest.raises(DataError, match="'a' has judged turns in test and train"):
        rd.convert(chats, tmp_path / "out")
    assert not (tmp_path / "out" / "corpus.jsonl").exists()


def test_queries_without_history_stay_a_collection(tiny_beir: Path, tmp_path: Path) -> None:
    assert not isinstance(rd.convert(tiny_beir, tmp_path / "out"), Sessions)
    assert not (tmp_path / "out" / "sessions.jsonl").exists()
    with pytest.raises(ConfigError, match="no history"):
        rd.convert(tiny_beir, tmp_path / "other", from_="qrecc")


@pytest.mark.parametrize(
    ("layout", "name", "entries", "split"),
    [
        ("qrecc", "qrecc_train.json", QRECC, "train"),
        ("canard", "dev.json", CANARD, "dev"),
        ("topiocqa", "topiocqa_valid.json", TOPIOCQA, "dev"),
        ("cast", "2019_evaluation_topics_v1.0.json", CAST_2019, "test"),
        ("mtrag", "reference_test.jsonl", MTRAG, "test"),
    ],
)
def test_a_published_file_becomes_sessions(
    layout: str, name: str, entries: list[Any], split: str, tmp_path: Path
) -> None:
    path = rows(tmp_path / name, entries, name.endswith("jsonl"))
    found = rd.convert(path, tmp_path / "out", from_=layout)
    assert isinstance(found, Sessions)
    assert found.splits == [split]
    (session,) = found.sessions
    assert session.source == {"from": layout, "file": name}
    assert session.asked[-1].turn.text == "is it deep?"
    assert not found.has_documents
    assert isinstance(rd.open(tmp_path / "out"), Sessions)


def test_splits_by_hash_keep_a_session_together_and_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    entries = [
        {"Conversation_no": n, "Turn_no": turn, "Question": f"question {n} {turn}", "Context": ["a", "b"] * (turn - 1)}
        for n in range(60)
        for turn in (1, 2, 3)
    ]
    for entry in entries:
        entry["Context"] = [
            f"question {entry['Conversation_no']} {1 + n // 2}" if n % 2 == 0 else "so"
            for n in range(len(entry["Context"]))
        ]
    found = rd.convert(rows(tmp_path / "all.jsonl", entries), tmp_path / "out", from_="qrecc", dev=0.2, test=0.3)
    assert isinstance(found, Sessions)
    counts = found.counts()
    assert sum(one["sessions"] for one in counts.values()) == 60
    assert all(one["questions"] == 3 * one["sessions"] for one in counts.values())
    assert {split for split in counts} == {"train", "dev", "test"}
    assert "60 sessions are in a split by a hash" in caplog.text
    again = rd.convert(rows(tmp_path / "fewer.jsonl", entries[:90]), tmp_path / "o2", from_="qrecc", dev=0.2, test=0.3)
    assert isinstance(again, Sessions)
    assert {one.session_id: one.split for one in again.sessions}.items() <= {
        one.session_id: one.split for one in found.sessions
    }.items()


def test_judgements_name_the_split(tmp_path: Path) -> None:
    path = rows(tmp_path / "topics.json", CAST_2019, in_lines=False)
    (tmp_path / "qrels.txt").write_text("31_1 Q0 MARCO_7 2\n31_2 0 CAR_1 0\n31_2 0 MARCO_7 1\n")
    found = rd.convert(path, tmp_path / "out", from_="cast", qrels=f"held={tmp_path / 'qrels.txt'}")
    assert isinstance(found, Sessions)
    assert found.splits == ["held"]
    assert found.qrels("held") == {"31_1": {"MARCO_7": 2}, "31_2": {"CAR_1": 0, "MARCO_7": 1}}
    (tmp_path / "qrels.txt").write_text("99_1 0 MARCO_7 2\n")
    with pytest.raises(DataError, match="unknown query '99_1'"):
        rd.convert(path, tmp_path / "other", from_="cast", qrels=f"held={tmp_path / 'qrels.txt'}")


def test_each_file_of_judgements_counts_in_what_was_made(tmp_path: Path) -> None:
    """Of several files without a split the last alone did, so that a corrected one changed nothing."""
    path = rows(tmp_path / "topics.json", CAST_2019, in_lines=False)
    first, second = tmp_path / "a.txt", tmp_path / "b.txt"
    first.write_text("31_1 Q0 MARCO_7 2\n")
    second.write_text("31_2 Q0 MARCO_7 1\n")
    given: dict[str, Any] = {"from_": "cast", "qrels": [first, second]}
    made = rd.convert(path, tmp_path / "out", **given)
    assert isinstance(made, Sessions)
    assert made.qrels() == {"31_1": {"MARCO_7": 2}, "31_2": {"MARCO_7": 1}}
    rd.convert(path, tmp_path / "out", **given)
    first.write_text("31_1 Q0 MARCO_7 1\n")
    with pytest.raises(StaleOutputError, match="qrels"):
        rd.convert(path, tmp_path / "out", **given)
    rd.convert(path, tmp_path / "one", from_="cast", qrels=second)
    alone = manifest.read(tmp_path / "one")
    assert alone is not None
    assert alone.inputs["qrels"] == sha256(second.read_bytes()).hexdigest()


def test_a_folder_of_mtrag_has_rewrites_and_judgements(tmp_path: Path) -> None:
    root = tmp_path / "mtrag-human"
    key = "c0ffee<::>"
    rows(root / "generation_tasks" / "reference.jsonl", MTRAG)
    rows(root / "generation_tasks" / "RAG.jsonl", [MTRAG[0] | {"contexts": []}])
    rows(root / "evaluations" / "other.jsonl", [{"model": "m", "score": 1}])
    tasks = root / "retrieval_tasks" / "govt"
    rows(tasks / "govt_lastturn.jsonl", [{"_id": f"{key}2", "text": "|user|: is it deep?"}])
    rows(
        tasks / "govt_questions.jsonl",
        [
            {"_id": f"{key}2", "text": "|user|: what is a harbour?\n|user|: is it deep?"},
            {"_id": "cafe<::>1", "text": "|user|: what is bread?"},
        ],
    )
    rows(tasks / "govt_rewrite.jsonl", [{"_id": f"{key}2", "text": "|user|: is a harbour deep?"}])
    (tasks / "qrels").mkdir()
    (tasks / "qrels" / "dev.tsv").write_text(f"query-id\tcorpus-id\tscore\n{key}2\td1-0-5\t1\n")
    found = rd.convert(root, tmp_path / "out", from_="mtrag")
    assert isinstance(found, Sessions)
    first, second = found.sessions
    assert first.split == "dev"
    assert first.asked[0].said == ["what is a harbour?", "a place for ships", "is it deep?"]
    assert first.asked[0].turn.rewrites == {"auto": ("is a harbour deep?",)}
    assert first.asked[0].turn.gold == {"d1-0-5": 1}
    assert second.asked[0].turn.rewrites == {}


def test_a_folder_of_cast_joins_what_several_files_know(tmp_path: Path) -> None:
    folder = tmp_path / "cast"
    rows(folder / "topics.json", CAST_2019, in_lines=False)
    (folder / "topics_annotated_resolved_v1.0.tsv").write_text("31_1\twhat is a harbour?\n31_2\tis a harbour deep?\n")
    found = rd.convert(folder, tmp_path / "out", from_="cast")
    assert isinstance(found, Sessions)
    assert found.rewrites("human")["31_2"] == "is a harbour deep?"
    changed = json.loads(json.dumps(CAST_2019))
    changed[0]["turn"][0]["raw_utterance"] = "what's a harbour?"
    rows(folder / "topics_b.json", changed, in_lines=False)
    with pytest.raises(DataError, match="give one of the files"):
        rd.convert(folder, tmp_path / "other", from_="cast")


def test_paths_through_a_tree_are_sessions(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    found = rd.convert(rows(tmp_path / "test.json", CAST_2022_TREE, in_lines=False), tmp_path / "out", from_="cast")
    assert isinstance(found, Sessions)
    assert [[one.turn_id for one in session.asked] for session in found.sessions] == [
        ["132_1-1", "132_1-3"],
        ["132_2-1"],
    ]
    assert "1 sessions more than conversations" in caplog.text


def splits_of(found: object) -> dict[str, str | None]:
    assert isinstance(found, Sessions)
    return {one.session_id: one.split for one in found.sessions}


@pytest.mark.parametrize("judged", ["132_1-3", "132_2-1"])
def test_all_paths_of_a_published_tree_are_in_the_split_that_judges_one(judged: str, tmp_path: Path) -> None:
    path = rows(tmp_path / "topics.json", CAST_2022_TREE, in_lines=False)
    (tmp_path / "qrels.txt").write_text(f"{judged} 0 MARCO_7 2\n")
    given: dict[str, Any] = {"from_": "cast", "qrels": f"test={tmp_path / 'qrels.txt'}"}
    found = rd.convert(path, tmp_path / "out", dev=0.0, test=0.0, **given)  # a hash would say train
    assert splits_of(found) == {"132": "test", "132#2": "test"}


def test_all_paths_of_a_tree_are_in_the_split_of_one_hash(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Also where they begin with other questions, whose hashes say other splits."""
    turns = [
        {"number": f"{n}-1", "participant": "User", "utterance": f"question {n}", "parent": None} for n in range(1, 21)
    ]
    path = rows(tmp_path / "topics.json", [{"number": 7, "turn": turns}], in_lines=False)
    splits = splits_of(rd.convert(path, tmp_path / "out", from_="cast", dev=0.3, test=0.3))
    assert len(splits) == 20
    assert len(set(splits.values())) == 1
    assert "20 sessions are in a split by a hash" in caplog.text


def test_a_tree_that_is_judged_in_two_splits_is_refused_or_left_out(tmp_path: Path) -> None:
    path = rows(tmp_path / "topics.json", [*CAST_2022_TREE, *CAST_2019], in_lines=False)
    for split, turn in (("train", "132_1-3"), ("test", "132_2-1")):
        (tmp_path / f"{split}.txt").write_text(f"{turn} 0 MARCO_7 2\n")
    qrels = [f"{split}={tmp_path / split}.txt" for split in ("train", "test")]
    with pytest.raises(DataError, match="'132' has judged turns in test and train"):
        rd.convert(path, tmp_path / "out", from_="cast", qrels=qrels)
    found = rd.convert(path, tmp_path / "out", from_="cast", qrels=qrels, lenient=True)
    assert list(splits_of(found)) == ["31"]


def test_all_paths_of_a_tree_in_a_collection_are_in_the_split_that_judges_one(chats: Path, tmp_path: Path) -> None:
    said = [{"role": "user", "text": "what is a harbour?"}, {"role": "system", "text": "a place for ships"}]
    with (chats / "queries.jsonl").open("a") as file:
        file.write(json.dumps({"_id": "a_3", "text": "who digs it?", "history": said}) + "\n")
    assert splits_of(rd.convert(chats, tmp_path / "out")) == {"a": "train", "a#2": "train", "b": "test"}
    path = chats / "qrels" / "test.tsv"
    path.write_text(path.read_text() + "a_3\td0\t1\n")
    with pytest.raises(DataError, match="'a' has judged turns in test and train"):
        rd.convert(chats, tmp_path / "other")


def test_a_conversation_in_files_of_two_splits_is_refused(tmp_path: Path) -> None:
    """It stood in `train`, with the file that comes first, and was lost to `valid`."""
    for name in ("train.json", "valid.json"):
        rows(tmp_path / "both" / name, CANARD, in_lines=False)
    with pytest.raises(DataError, match="turns in files named for dev and train"):
        rd.convert(tmp_path / "both", tmp_path / "out", from_="canard")
    rows(tmp_path / "one" / "all.json", CANARD, in_lines=False)
    rows(tmp_path / "one" / "valid.json", CANARD, in_lines=False)
    assert set(splits_of(rd.convert(tmp_path / "one", tmp_path / "out", from_="canard")).values()) == {"dev"}


@pytest.fixture
def numbered_anew(tmp_path: Path) -> Path:
    """TopiOCQA's two files, each of which counts its conversations from 1; that of `train` has a second one."""
    rows(tmp_path / "T" / "topiocqa_train.json", [*TOPIOCQA, *({**one, "Conversation_no": 8} for one in TOPIOCQA)])
    other = [{**one, "Question": f"{one['Question']} and {n}"} for n, one in enumerate(TOPIOCQA)]
    rows(tmp_path / "T" / "topiocqa_dev.json", other)
    return tmp_path / "T"


@pytest.mark.parametrize("lenient", [False, True])
def test_files_of_splits_that_number_anew_have_the_split_in_all_their_ids(
    numbered_anew: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, lenient: bool
) -> None:
    (tmp_path / "dev.txt").write_text("7_1 0 wiki:1 1\n7_2 0 wiki:2 1\ndev_7_2 0 wiki:9 2\n")
    (tmp_path / "train.txt").write_text("7_1 0 wiki:3 1\n8_2 0 wiki:4 1\n")
    qrels = [f"dev={tmp_path / 'dev.txt'}", f"train={tmp_path / 'train.txt'}"]
    found = rd.convert(numbered_anew, tmp_path / "out", from_="topiocqa", qrels=qrels, lenient=lenient)
    assert isinstance(found, Sessions)
    assert splits_of(found) == {"dev_7": "dev", "train_7": "train", "train_8": "train"}
    assert found.qrels("dev") == {"dev_7_1": {"wiki:1": 1}, "dev_7_2": {"wiki:2": 1, "wiki:9": 2}}
    assert found.qrels("train") == {"train_7_1": {"wiki:3": 1}, "train_8_2": {"wiki:4": 1}}
    assert found.asked("dev")[1].said == ["what is a harbour? and 0", "a place for ships", "is it deep? and 1"]
    assert "as 'dev_7_1' for '7_1'" in caplog.text
    assert "left out" not in caplog.text


def test_judgements_under_another_name_of_the_split_are_found_by_the_name_of_their_file(
    numbered_anew: Path, tmp_path: Path
) -> None:
    (tmp_path / "dev_qrels.txt").write_text("7_2 0 wiki:2 1\n")
    given = [f"test={tmp_path / 'dev_qrels.txt'}"]
    found = rd.convert(numbered_anew, tmp_path / "out", from_="topiocqa", qrels=given)
    assert isinstance(found, Sessions)
    assert found.qrels("test") == {"dev_7_2": {"wiki:2": 1}}
    (tmp_path / "some.txt").write_text("7_2 0 wiki:2 1\n")
    with pytest.raises(DataError, match="unknown query '7_2'"):
        rd.convert(numbered_anew, tmp_path / "other", from_="topiocqa", qrels=f"test={tmp_path / 'some.txt'}")


def test_most_shared_ids_decide_whether_files_number_anew(tmp_path: Path) -> None:
    """One question in other words, beside one in the same, is a conversation in two splits and no other numbering."""
    rows(tmp_path / "T" / "train.jsonl", [*QRECC, {**QRECC[0], "Turn_no": 3}])
    rows(tmp_path / "T" / "test.jsonl", [*QRECC, {**QRECC[0], "Turn_no": 3, "Question": "how deep?"}])
    with pytest.raises(DataError, match="give one of the files"):
        rd.convert(tmp_path / "T", tmp_path / "out", from_="qrecc")


def test_lenient_leaves_out_and_tells(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = rows(tmp_path / "train.jsonl", [*QRECC, {"Question": "?"}])
    with pytest.raises(DataError, match=r"train\.jsonl:2: missing 'Conversation_no'"):
        rd.convert(path, tmp_path / "out", from_="qrecc")
    assert not (tmp_path / "out").exists()
    found = rd.convert(path, tmp_path / "out", from_="qrecc", lenient=True)
    assert isinstance(found, Sessions)
    assert len(found.asked()) == 1
    assert "left out 1 bad rows" in caplog.text
    caplog.clear()
    rd.convert(path, tmp_path / "out", from_="qrecc", lenient=True)
    assert "left out 1 bad rows" in caplog.text, "told where it was made before, too"


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"text": "Question"}, "text"), ({"overlap": 3, "passage_tokens": 9, "tokenizer": "m"}, "passage_tokens")],
)
def test_settings_of_documents_are_refused(settings: dict[str, Any], said: str, tmp_path: Path) -> None:
    path = rows(tmp_path / "train.json", QRECC, in_lines=False)
    with pytest.raises(ConfigError, match=said):
        rd.convert(path, tmp_path / "out", from_="qrecc", **settings)


def test_where_nothing_is_it_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing is there"):
        rd.convert(tmp_path / "absent", tmp_path / "out", from_="cast")
    with pytest.raises(DataError, match="no such file in it"):
        rd.convert(tmp_path, tmp_path / "out", from_="cast")
    with pytest.raises(ConfigError, match="topiocqa"):
        rd.convert(tmp_path, tmp_path / "out", from_="coqa")


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("qrecc_train.json", "train"),
        ("topiocqa_dev.json.gz", "dev"),
        ("2021_manual_evaluation_topics_v1.0.json", "test"),
        ("2023_test_topics.json", "test"),
        ("train_and_test.json", None),
        ("latest.json", None),
        ("reference.jsonl", None),
    ],
)
def test_the_split_that_a_name_says(name: str, split: str | None) -> None:
    assert conversation_files.split_named(Path(name)) == split


@pytest.mark.parametrize(
    ("name", "counts"),
    [("qrecc_dev2k", (1257, 2000)), ("cast_pool", (64, 475))],
)
def test_real_collections(name: str, counts: tuple[int, int], real_data: Path, tmp_path: Path) -> None:
    found = rd.convert(real_data / name, tmp_path / "out")
    assert isinstance(found, Sessions)
    assert (len(found.sessions), len(found.asked())) == counts
    for split in load(real_data / name).splits:
        assert found.qrels(split) == load(tmp_path / "out").qrels(split)
    assert sessions.read(tmp_path / "out").rewriters["human"] == counts[1]
