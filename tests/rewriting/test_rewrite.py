"""`rewrite`: models, services and files as rewriters; what is kept, resumed and refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import rankdistill as rd
from rankdistill import sessions
from rankdistill.cli.rewrite import rewrite
from rankdistill.data import load
from rankdistill.errors import ConfigError, DataError, ModelReferenceError, StaleOutputError, TeacherError
from rankdistill.rewriting import openai, registry
from rankdistill.rewriting.cache import Cache
from rankdistill.sessions import Session, Turn, rewrites, writing
from rankdistill.teachers.http import chat
from tests.cli.verb import run_verb
from tests.querying.test_seq2seq import tiny_t5
from tests.teachers.conftest import tiny_causal_lm
from tests.teachers.http_server import FakeServer, FakeTime, Reply, serving

__all__ = ["tiny_causal_lm", "tiny_t5"]  # fixtures


def say(text: str) -> Reply:
    return Reply({"choices": [{"message": {"content": text}}], "usage": {"total_tokens": 30}})


def answer(path: str, body: Any) -> Reply:
    """A rewrite that depends on the messages alone."""
    if path.endswith("/models"):
        return Reply({"data": [{"id": "m"}]})
    mark = sha256(json.dumps(body["messages"]).encode()).hexdigest()
    return say(f"rewritten {mark[:12]}?")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("REWRITER_KEY", "secret-of-tests")
    with serving(answer) as fake:
        yield fake


@pytest.fixture
def chats(tmp_path: Path) -> Path:
    """Eight sessions of three turns, the last two without an opening question; two that say the same."""
    made = []
    for number in range(8):
        topic = ("river", "planet", "bread", "violin", "harbour", "engine", "stone", "stone")[number]
        turns = (
            Turn("user", f"what is a {topic}?", f"{number}_1"),
            Turn("system", f"the {topic} is old"),
            Turn("user", "is it deep?", f"{number}_2", {"human": (f"is a {topic} deep?",)}),
            Turn("user", "why?", f"{number}_3"),
        )
        made.append(Session(str(number), turns, "train" if number < 6 else "test"))
    writing.write(tmp_path / "S" / "sessions.jsonl", made)
    return tmp_path / "S"


def settings(server: FakeServer, **more: Any) -> dict[str, Any]:
    return {
        "kind": "openai",
        "url": f"{server.url}/v1/chat/completions",
        "model": "m",
        "api_key_variable": "REWRITER_KEY",
        "retries": 1,
        "first_wait": 0.0,
        "prices": {"per_1k_tokens": 2.0},
        **more,
    }


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


def test_a_service_rewrites_in_place_and_the_key_is_nowhere(
    server: FakeServer, chats: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="rankdistill")
    before = (chats / "sessions.jsonl").read_bytes()
    made = rd.rewrite(chats, settings(server), chats, name="llm")
    assert (made.questions, made.rewritten, made.opening, made.unchanged) == (24, 24, 8, 0)
    assert (chats / "sessions.jsonl").read_bytes() == before
    found = sessions.read(chats)
    assert found.rewriters == {"llm": 24, "human": 8}
    taken = found.rewrites("llm")
    assert taken["0_1"] == "what is a river?", "it opens the conversation"
    assert taken["0_3"].startswith("rewritten ")
    assert len(server.posts) == 14, "two sessions say the same"
    assert taken["6_2"] == taken["7_2"]
    assert {post.headers["Authorization"] for post in server.posts} == {"Bearer secret-of-tests"}
    assert "14 requests, 420 tokens, cost 0.8400" in caplog.text
    assert not any(b"secret-of-tests" in content for content in files_of(chats).values())
    assert made.to_polars()["turn_id"].to_list() == list(taken)
    assert "24" in str(made)
    rd.rewrite(chats, settings(server), chats, name="llm")
    assert len(server.posts) == 14, "done is done"


def topical(folder: Path) -> Path:
    """Sessions whose questions have a topic, but for one without and one with an empty topic."""
    turns = (
        Turn("user", "who wrote it? {topic}", "1_1", metadata={"topic": "Pride  and\nPrejudice", "year": 1813}),
        Turn("user", "when?", "1_2", metadata={"topic": " "}),
        Turn("user", "why?", "1_3"),
    )
    writing.write(folder / "sessions.jsonl", [Session("1", turns, "train")])
    return folder


def test_a_template_says_what_is_known_of_a_question_and_nothing_where_that_is_missing(tmp_path: Path) -> None:
    chats = topical(tmp_path / "S")
    made = rd.rewrite(chats, {"kind": "template"}, chats, name="topic")
    assert (made.questions, made.rewritten) == (3, 1)
    assert sessions.read(chats).rewrites("topic", missing="drop") == {
        "1_1": "Pride and Prejudice: who wrote it? {topic}"
    }, "a brace in a question is its own"
    file = tmp_path / "dated.yaml"
    file.write_text("kind: template\ntemplate: '{question} ({year})'\n")
    rd.rewrite(chats, str(file), chats, name="dated")
    assert sessions.read(chats).rewrites("dated", missing="drop") == {"1_1": "who wrote it? {topic} (1813)"}
    with pytest.raises(DataError, match=r"(?s)chapter.*topic, year"):
        rd.rewrite(chats, {"kind": "template", "template": "{chapter} {question}"}, chats, name="other")


@pytest.mark.parametrize("template", ["{topic}", "{question}", "no place"])
def test_a_template_that_says_nothing_more_is_refused(tmp_path: Path, template: str) -> None:
    chats = topical(tmp_path / "S")
    with pytest.raises(ConfigError, match=r"needs \{question\}"):
        rd.rewrite(chats, {"kind": "template", "template": template}, chats, name="topic")


def test_several_stand_side_by_side_and_another_rewriter_of_that_name_is_refused(
    server: FakeServer, chats: Path
) -> None:
    rd.rewrite(chats, settings(server), chats, name="one")
    rd.rewrite(chats, settings(server, system="be brief"), chats, name="two")
    found = sessions.read(chats)
    assert found.rewrites("one") != found.rewrites("two")
    with pytest.raises(StaleOutputError, match="be brief"):
        rd.rewrite(chats, settings(server, system="be brief"), chats, name="one")
    with pytest.raises(StaleOutputError, match="splits"):
        rd.rewrite(chats, settings(server), chats, name="one", splits="test")
    with pytest.raises(DataError, match="another name"):
        rd.rewrite(chats, settings(server), chats, name="human")


def test_another_folder_becomes_a_copy(server: FakeServer, chats: Path, tmp_path: Path) -> None:
    rd.rewrite(chats, settings(server), chats, name="one")
    made = rd.rewrite(chats, settings(server, system="be brief"), tmp_path / "T", name="two")
    assert Path(made) == tmp_path / "T"
    assert sessions.read(chats).rewriters.keys() == {"human", "one"}
    copied = sessions.read(made)
    assert copied.rewriters.keys() == {"human", "one", "two"}
    assert (tmp_path / "T" / "sessions.jsonl").read_bytes() == (chats / "sessions.jsonl").read_bytes()
    rd.rewrite(chats, settings(server, system="be brief"), tmp_path / "T", name="two")
    assert isinstance(rd.open(tmp_path / "T"), sessions.Sessions)


def test_a_copy_of_a_collection_is_a_collection(server: FakeServer, tiny_beir: Path, tmp_path: Path) -> None:
    said = [{"role": "user", "text": "the old river"}]
    rows = [json.loads(line) for line in (tiny_beir / "queries.jsonl").read_text().splitlines()]
    (tiny_beir / "queries.jsonl").write_text("".join(json.dumps(row | {"history": said}) + "\n" for row in rows))
    rd.convert(tiny_beir, tmp_path / "S")
    rd.rewrite(tmp_path / "S", settings(server), tmp_path / "T", name="llm", splits=["test"])
    dataset = load(tmp_path / "T")
    assert dataset.judgements == load(tiny_beir).judgements
    assert sessions.read(tmp_path / "T").rewriters == {"llm": 6}


def test_a_service_that_fails_midway_is_asked_for_the_rest_alone_and_the_bytes_are_the_same(
    server: FakeServer, chats: Path, tmp_path: Path
) -> None:
    shutil.copytree(chats, tmp_path / "whole")
    rd.rewrite(tmp_path / "whole", settings(server), tmp_path / "whole", name="llm")
    server.asked.clear()
    broken = iter(range(5))
    server.answer = lambda path, body: Reply("down", 503) if next(broken, None) is None else answer(path, body)
    with pytest.raises(TeacherError, match="2 failed attempts, the last: HTTP 503"):
        rd.rewrite(chats, settings(server, concurrency=1), chats, name="llm", unit_size=4)
    assert sessions.read(chats).rewriters == {"human": 8}, "what is unfinished is not there"
    server.asked.clear()
    server.answer = answer
    with pytest.raises(StaleOutputError, match="begun with") as refused:
        rd.rewrite(chats, settings(server, model="other"), chats, name="llm")
    assert "choose another --name" in refused.value.remedy
    rd.rewrite(chats, settings(server, concurrency=1), chats, name="llm", unit_size=4)
    assert len(server.posts) == 14 - 5
    assert files_of(chats / "rewrites") == files_of(tmp_path / "whole" / "rewrites")


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_kill_costs_no_answer_that_came(
    server: FakeServer, chats: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, elsewhere: bool
) -> None:
    """As after SIGKILL nothing is written at the end of the unit."""
    given: dict[str, Any] = {"name": "llm", "cache": tmp_path / "cache"} if elsewhere else {"name": "llm"}
    server.answer = lambda path, body: answer(path, body) if len(server.posts) <= 5 else Reply("broken", 400)
    with monkeypatch.context() as patch:
        patch.setattr(Cache, "add", lambda self, made: None)
        with pytest.raises(TeacherError):
            rd.rewrite(chats, settings(server, concurrency=1), chats, **given)
    server.answer = answer
    server.asked.clear()
    rd.rewrite(chats, settings(server, concurrency=1), chats, **given)
    assert len(server.posts) == 14 - 5
    assert not [*tmp_path.rglob("answers/**/*.txt")]


def test_half_of_an_emoji_in_a_reply_is_a_mark_and_blocks_nothing(
    server: FakeServer, chats: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where an earlier version has kept it as it came."""
    server.answer = lambda path, body: say(f"what \ud83d is {len(body['messages'][-1]['content'])}")
    with monkeypatch.context() as patch:
        patch.setattr(Cache, "add", lambda self, made: None)
        patch.setattr(chat, "without_halves", lambda text: text)
        with pytest.raises(UnicodeEncodeError):
            rd.rewrite(chats, settings(server), tmp_path / "A", name="llm", cache=tmp_path / "cache", splits="train")
    server.asked.clear()
    rd.rewrite(chats, settings(server), chats, name="llm", cache=tmp_path / "cache", splits="train")
    assert not server.posts
    rd.rewrite(chats, settings(server), tmp_path / "again", name="llm", splits="train")
    for folder in (chats, tmp_path / "again"):
        found = {said for one in sessions.read(folder).asked("train") for said in one.turn.rewrites.get("llm", ())}
        assert {said[:10] for said in found} == {"what is a ", "what \ufffd is "}


def test_what_a_service_refuses_keeps_no_other_question_from_being_asked(
    server: FakeServer, chats: Path, tmp_path: Path
) -> None:
    """A filter refuses the planet, and says nothing of the violin: each run stopped there, and never went on."""
    shutil.copytree(chats, tmp_path / "whole")
    rd.rewrite(tmp_path / "whole", settings(server), tmp_path / "whole", name="llm")
    server.asked.clear()

    def filtered(path: str, body: Any) -> Reply:
        asked = body["messages"][-1]["content"]
        if "planet" in asked:
            return Reply("filtered", 400)
        return Reply({"choices": [{"message": {"content": None}}]}) if "violin" in asked else answer(path, body)

    server.answer = filtered
    for posts in (14, 4):  # the second time those alone that have no answer
        with pytest.raises(TeacherError, match="4 questions: 1_2, 1_3, 3_2, 3_3") as refused:
            rd.rewrite(chats, settings(server), chats, name="llm", unit_size=4)
        assert "HTTP 400" in refused.value.got
        assert len(server.posts) == posts
        server.asked.clear()
    server.answer = answer
    rd.rewrite(chats, settings(server), chats, name="llm", unit_size=4)
    assert len(server.posts) == 4
    assert files_of(chats / "rewrites") == files_of(tmp_path / "whole" / "rewrites")


def test_a_service_that_refuses_all_is_not_asked_about_all(server: FakeServer, tmp_path: Path) -> None:
    turns = [(Turn("user", f"a {n}"), Turn("user", "why?", f"{n}_2")) for n in range(60)]
    writing.write(tmp_path / "S" / "sessions.jsonl", [Session(str(n), one, "train") for n, one in enumerate(turns)])
    server.answer = lambda path, body: Reply("no such model", 400)
    with pytest.raises(TeacherError, match="HTTP 400"):
        rd.rewrite(tmp_path / "S", settings(server, concurrency=1), tmp_path / "S", name="llm")
    assert len(server.posts) <= 25


def test_a_cache_is_parquet_by_content_and_serves_other_sessions(
    server: FakeServer, chats: Path, tmp_path: Path
) -> None:
    rd.rewrite(chats, settings(server), chats, name="llm", splits="test", cache=tmp_path / "cache")
    assert len(server.posts) == 2
    (held,) = (tmp_path / "cache").rglob("*.parquet")
    assert pl.read_parquet(held).columns == ["key", "rewrite"]
    rd.rewrite(chats, settings(server), tmp_path / "T", name="all", cache=tmp_path / "cache")
    assert len(server.posts) == 14
    held.write_bytes(b"PAR1")
    with pytest.raises(DataError, match="remove the file"):
        rd.rewrite(chats, settings(server), tmp_path / "U", name="all", cache=tmp_path / "cache")


def test_an_address_is_enough_where_the_server_has_one_model(server: FakeServer, chats: Path) -> None:
    rd.rewrite(chats, f"{server.url}/v1", chats, name="llm")
    assert {post.body["model"] for post in server.posts} == {"m"}
    assert openai.of_address(f"{server.url}/v1/chat/completions#n")["model"] == "n"
    server.answer = lambda path, body: Reply({"data": [{"id": "a"}, {"id": "b"}]})
    with pytest.raises(ConfigError, match="a, b") as asked:
        rd.rewrite(chats, f"{server.url}/v1", chats, name="other")
    assert f"{server.url}/v1#a" in asked.value.remedy
    server.answer = lambda path, body: Reply("no such page", 404)
    with pytest.raises(ConfigError, match="names none"):
        rd.rewrite(chats, f"{server.url}/v1", chats, name="other")


def test_a_server_that_is_not_there_is_told(chats: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with pytest.raises(TeacherError, match="attempts"):
        openai.of_address("http://127.0.0.1:9/v1", FakeTime().clock())
    with pytest.raises(TeacherError, match="1 failed attempt, the last"):
        rd.rewrite(
            chats,
            {"kind": "openai", "url": "http://127.0.0.1:9/v1/chat/completions", "model": "m", "retries": 0},
            chats,
            name="llm",
        )


def test_a_rewriter_that_wrote_nothing_gives_way(server: FakeServer, chats: Path) -> None:
    """An address with a mistake in it is no rewriter that the next one would be mixed with."""
    server.answer = lambda path, body: Reply("no such page", 404)
    with pytest.raises(TeacherError):
        rd.rewrite(chats, settings(server, model="wrong"), chats, name="llm")
    server.answer = answer
    assert rd.rewrite(chats, settings(server), chats, name="llm").rewritten == 24


def test_what_is_unfinished_is_one_rewriters_wherever_it_lies(server: FakeServer, chats: Path, tmp_path: Path) -> None:
    given: dict[str, Any] = {"name": "llm", "unit_size": 4, "cache": tmp_path / "cache"}
    server.answer = lambda path, body: Reply("no such page", 404)
    with pytest.raises(TeacherError):
        rd.rewrite(chats, settings(server, model="wrong"), chats, **given)
    broken = iter(range(5))
    server.answer = lambda path, body: Reply("down", 503) if next(broken, None) is None else answer(path, body)
    with pytest.raises(TeacherError, match="HTTP 503"):
        rd.rewrite(chats, settings(server, concurrency=1), chats, **given)
    server.answer = answer
    for where in (tmp_path / "cache", tmp_path / "other", None):
        with pytest.raises(StaleOutputError, match="begun with"):
            rd.rewrite(chats, settings(server, model="other"), chats, **given | {"cache": where})
    assert rd.rewrite(chats, settings(server, concurrency=1), chats, **given).rewritten == 24


def test_a_split_counts_once_and_the_order_of_several_does_not(server: FakeServer, chats: Path) -> None:
    made = rd.rewrite(chats, settings(server), chats, name="llm", splits=["train", "train"])
    assert (made.questions, made.rewritten) == (18, 18)
    rd.rewrite(chats, settings(server), chats, name="both", splits=["test", "train"])
    posts = len(server.posts)
    rd.rewrite(chats, settings(server), chats, name="both", splits=["train", "test", "test"])
    assert len(server.posts) == posts, "the same rewrites are there"
    with pytest.raises(DataError, match="'dev'"):
        rd.rewrite(chats, settings(server), chats, name="no", splits=["train", "dev"])


def test_replies_without_words_leave_no_rewrite_and_are_told(
    server: FakeServer, chats: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server.answer = lambda path, body: say("") if "why?" in body["messages"][-1]["content"] else answer(path, body)
    made = rd.rewrite(chats, settings(server), chats, name="llm")
    assert made.rewritten == 16
    assert "no rewrite of 8 of 24 questions, as of 0_3" in caplog.text
    with pytest.raises(DataError, match="none of 8"):
        sessions.read(chats).rewrites("llm")


def test_a_reply_that_was_cut_is_no_rewrite_and_is_told(
    server: FakeServer, chats: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def cut(path: str, body: Any) -> Reply:
        said = answer(path, body)
        if "why?" in body["messages"][-1]["content"]:
            said.content["choices"][0]["finish_reason"] = "length"
        return said

    server.answer = cut
    caplog.set_level("INFO", logger="rankdistill")
    assert rd.rewrite(chats, settings(server), chats, name="llm").rewritten == 16
    assert "no rewrite of 8 of 24 questions, as of 0_3" in caplog.text
    assert "7 replies were cut at 512 tokens: raise `max_tokens`" in caplog.text


def test_sessions_in_a_file_of_another_name_get_rewrites_in_a_copy(
    server: FakeServer, chats: Path, tmp_path: Path
) -> None:
    """Beside such a file nobody would look for them, so nothing is asked."""
    other = (chats / "sessions.jsonl").rename(chats / "chats.jsonl")
    with pytest.raises(ConfigError, match=r"rename it to sessions\.jsonl"):
        rd.rewrite(other, settings(server), chats, name="llm")
    assert not server.posts
    rd.rewrite(other, settings(server), tmp_path / "copy", name="llm")
    assert sessions.read(tmp_path / "copy").rewriters["llm"] == 24


def test_a_rewriter_that_says_one_thing_is_stopped(server: FakeServer, tmp_path: Path) -> None:
    turns = [(Turn("user", f"a {n}"), Turn("user", "why?", f"{n}_2")) for n in range(60)]
    writing.write(tmp_path / "S" / "sessions.jsonl", [Session(str(n), one, "train") for n, one in enumerate(turns)])
    server.answer = lambda path, body: say("I cannot help with that.")
    with pytest.raises(TeacherError, match="I cannot help with that"):
        rd.rewrite(tmp_path / "S", settings(server), tmp_path / "S", name="llm", unit_size=25)
    assert len(server.posts) == 50


def test_a_sequence_to_sequence_model_rewrites_the_same_in_any_batch(
    tiny_t5: str, chats: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Against transformers' own greedy decoding of the conversation, oldest first with ` ||| ` between."""
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    given = {"kind": "seq2seq", "model": tiny_t5, "max_new_tokens": 6, "max_length": 40}
    rd.rewrite(chats, given, chats, name="t5")
    found = sessions.read(chats)
    model, tokenizer = AutoModelForSeq2SeqLM.from_pretrained(tiny_t5), AutoTokenizer.from_pretrained(tiny_t5)
    for turn_id, text in {
        "0_2": "what is a river? ||| the river is old ||| is it deep?",
        "3_3": "what is a violin? ||| the violin is old ||| is it deep? ||| why?",
    }.items():
        asked = tokenizer(text, return_tensors="pt")
        wanted = model.generate(
            input_ids=asked["input_ids"], attention_mask=asked["attention_mask"], max_new_tokens=6, do_sample=False
        )
        written = " ".join(tokenizer.batch_decode(wanted, skip_special_tokens=True)[0].split())
        assert found.asked()[int(turn_id[0]) * 3 + int(turn_id[2]) - 1].turn.rewrites.get("t5", ("",))[0] == written
    rd.rewrite(chats, given | {"token_budget": 1}, tmp_path / "T", name="again", unit_size=1)
    ours, again = rewrites.read(chats, "t5"), rewrites.read(tmp_path / "T", "again")
    assert ours == again
    assert "longer than" not in caplog.text
    rd.rewrite(chats, given | {"max_length": 12}, chats, name="short")
    assert "longer than seq2seq reads" in caplog.text
    caplog.clear()
    rd.rewrite(chats, given | {"max_length": 8, "format": "last_turn", "prefix": "a b c d e f"}, chats, name="cut")
    assert "14 conversations are longer than seq2seq reads" in caplog.text, "the question itself is cut"


def test_a_chat_model_on_this_machine(tiny_causal_lm: str, chats: Path) -> None:
    given = {"kind": "causal", "model": tiny_causal_lm, "max_new_tokens": 4, "template": "{conversation}{question}"}
    made = rd.rewrite(chats, given | {"system": ""}, chats, name="chat", splits=["test"])
    assert made.questions == 6
    with pytest.raises(TeacherError, match="conversation_words"):
        rd.rewrite(chats, given | {"system": "word " * 300}, chats, name="long")


def test_a_conversation_that_is_longer_than_a_chat_model_reads_loses_its_oldest_turns(
    tiny_causal_lm: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It stopped the run, and each run after it."""
    given = {"kind": "causal", "model": tiny_causal_lm, "max_new_tokens": 8, "max_length": 120, "system": ""}
    given["template"] = "{conversation}|{question}"
    said = {
        "long": ["x" * 300, "is it deep?", "why?"],
        "short": ["is it deep?", "why?"],
        "endless": ["what is bread?", "y" * 300],
    }
    made = []
    for name, texts in said.items():
        turns = [Turn("user", text, f"{name}_{n}" if n == len(texts) else None) for n, text in enumerate(texts, 1)]
        made.append(Session(name, tuple(turns), "train"))
    writing.write(tmp_path / "S" / "sessions.jsonl", made)
    asked = sessions.read(tmp_path / "S").asked()
    rewriter = registry.named(given | {"batch_size": 1})
    found = dict(rewriter.rewrite(asked))
    assert found[0] == found[1] != ""
    assert found[2] == "", "the question alone is too long"
    assert rewriter.shortened == 2
    rd.rewrite(tmp_path / "S", given, tmp_path / "S", name="chat")
    assert "2 conversations are longer than causal reads" in caplog.text
    assert "no rewrite of 1 of 3 questions, as of endless_2" in caplog.text


def test_models_say_themselves_what_they_are(tiny_t5: str, tiny_causal_lm: str, tiny_encoder: str) -> None:
    assert registry.read(tiny_t5) == ("seq2seq", {"model": tiny_t5})
    assert registry.read(tiny_causal_lm) == ("causal", {"model": tiny_causal_lm})
    assert registry.read(f"causal:{tiny_causal_lm}") == ("causal", {"model": tiny_causal_lm})
    with pytest.raises(ConfigError, match="writes no texts"):
        registry.read(tiny_encoder)
    with pytest.raises(ModelReferenceError):
        registry.named("seq2seq:/no/such/model")


def test_stored_rewrites_are_a_rewriter(chats: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "human.tsv"
    path.write_text("0_2\tis a river deep?\n0_3\twhy is a river deep?\nother\tx\n")
    made = rd.rewrite(chats, str(path), chats, name="by-hand")
    assert (made.rewritten, made.opening) == (2, 0)
    assert "no rewrite of 22 of 24 questions, as of 0_1" in caplog.text
    assert sessions.read(chats).rewrites("by-hand", missing="drop") == {
        "0_2": "is a river deep?",
        "0_3": "why is a river deep?",
    }
    path.write_text("z_9\tx\n")
    with pytest.raises(DataError, match="'z_9'"):
        rd.rewrite(chats, str(path), chats, name="others")


@pytest.mark.parametrize(
    ("given", "name", "said"),
    [
        ({"kind": "t5"}, "n", "'t5'"),
        ({"kind": "openai", "url": "http://localhost/v1/chat/completions"}, "n", "model"),
        ({"kind": "seq2seq", "model": "m", "beams": 4}, "n", "beams"),
        ({"kind": "stored", "path": "x"}, "a/b", "letters"),
        ("rewriter.yaml", "n", "rewriter.yaml"),
        ("missing.tsv", "n", "there is no such file"),
    ],
)
def test_what_cannot_be_is_refused(given: Any, name: str, said: str, chats: Path) -> None:
    with pytest.raises(ConfigError, match=said):
        rd.rewrite(chats, given, chats, name=name)
    assert not (chats / "rewrites").exists()


def test_the_command_line(server: FakeServer, chats: Path, tmp_path: Path) -> None:
    (tmp_path / "service.yaml").write_text(json.dumps(settings(server)))
    words = ("--sessions", chats, "--rewriter", tmp_path / "service.yaml", "--name", "llm", "--out", chats)
    assert "llm" in run_verb(rewrite, *words).output
    assert sessions.read(chats).rewriters["llm"] == 24
