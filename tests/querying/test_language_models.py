"""Language models asked for queries: one on this machine, one behind an OpenAI-compatible service."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

import rankdistill as rd
from rankdistill.data import load
from rankdistill.errors import ConfigError, TeacherError
from rankdistill.querying import generating
from rankdistill.querying.cache import Cache
from rankdistill.querying.corpus import Corpus
from rankdistill.querying.generating import generate_all
from rankdistill.querying.generator import Written
from rankdistill.querying.openai import OpenAi, Settings
from rankdistill.querying.prompt import read_reply
from rankdistill.querying.registry import named
from rankdistill.records import Document
from tests.teachers.conftest import tiny_causal_lm
from tests.teachers.http_server import FakeServer, FakeTime, Reply, serving

__all__ = ["tiny_causal_lm"]  # a fixture

LOOSE = {"round_trip": 0, "near_duplicate": 0.0, "unit_size": 8}


def say(text: str) -> Reply:
    return Reply({"choices": [{"message": {"content": text}}], "usage": {"total_tokens": 40}})


def answer(path: str, body: Any) -> Reply:
    """Two queries that depend on the document alone."""
    mark = sha256(body["messages"][-1]["content"].encode()).hexdigest()
    return say(f"1. what is the {mark[:8]} of it\n2. where does {mark[8:16]} come from")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("QUERY_KEY", "secret-of-tests")
    with serving(answer) as fake:
        yield fake


def settings(server: FakeServer, **more: Any) -> dict[str, Any]:
    return {
        "kind": "openai",
        "url": f"{server.url}/v1/chat/completions",
        "model": "m",
        "api_key_variable": "QUERY_KEY",
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


def test_a_service_writes_queries_and_the_key_is_nowhere(
    server: FakeServer, tiny_beir: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="rankdistill")
    made = rd.queries(tiny_beir, tmp_path / "out", settings(server), **LOOSE)
    assert made.kinds["openai"] == {"made": 80, "kept": 80, "dropped": {}}
    assert len(server.posts) == 40
    (asked,) = {tuple(sorted(post.body)) for post in server.posts}
    assert asked == ("max_tokens", "messages", "model", "temperature")
    assert {post.headers["Authorization"] for post in server.posts} == {"Bearer secret-of-tests"}
    assert "40 requests, 1,600 tokens, cost 3.2000" in caplog.text
    assert not any(b"secret-of-tests" in content for content in files_of(tmp_path / "out").values())
    assert not (tmp_path / "out" / ".generating").exists()
    (tmp_path / "out" / ".generating" / "openai-0").mkdir(parents=True)  # as a kill behind the manifest leaves it
    rd.queries(tiny_beir, tmp_path / "out", settings(server), **LOOSE)
    assert not (tmp_path / "out" / ".generating").exists()


def test_a_service_that_fails_midway_is_asked_for_the_rest_alone_and_the_bytes_are_the_same(
    server: FakeServer, tiny_beir: Path, tmp_path: Path
) -> None:
    rd.queries(tiny_beir, tmp_path / "whole", settings(server), **LOOSE)
    server.asked.clear()
    broken = iter(range(13))
    server.answer = lambda path, body: Reply("down", 503) if next(broken, None) is None else answer(path, body)
    with pytest.raises(TeacherError, match="2 failed attempts, the last: HTTP 503"):
        rd.queries(tiny_beir, tmp_path / "stopped", settings(server, concurrency=1), **LOOSE)
    assert not (tmp_path / "stopped" / "corpus.jsonl").exists()
    server.asked.clear()
    server.answer = answer
    rd.queries(tiny_beir, tmp_path / "stopped", settings(server, concurrency=1), **LOOSE)
    assert len(server.posts) == 40 - 13
    assert files_of(tmp_path / "stopped") == files_of(tmp_path / "whole")


def test_a_document_that_a_service_refuses_keeps_no_other_from_being_asked_about(
    server: FakeServer, tiny_beir: Path, tmp_path: Path
) -> None:
    rd.queries(tiny_beir, tmp_path / "whole", settings(server), **LOOSE)
    refused = [one.doc_id for one in load(tiny_beir).documents() if "violin" in one.text]
    server.asked.clear()
    server.answer = lambda path, body: (
        Reply("filtered", 400) if "violin" in body["messages"][-1]["content"] else answer(path, body)
    )
    for posts in (40, len(refused)):
        with pytest.raises(TeacherError, match=f"{len(refused)} documents: {refused[0]}"):
            rd.queries(tiny_beir, tmp_path / "out", settings(server), **LOOSE)
        assert len(server.posts) == posts
        server.asked.clear()
    server.answer = answer
    rd.queries(tiny_beir, tmp_path / "out", settings(server), **LOOSE)
    assert len(server.posts) == len(refused)
    assert files_of(tmp_path / "out") == files_of(tmp_path / "whole")


def test_a_failure_that_passes_is_retried(server: FakeServer, tiny_beir: Path) -> None:
    time = FakeTime()
    given = {name: value for name, value in settings(server, retries=3).items() if name != "kind"}
    generator = OpenAi(Settings.model_validate(given), time.clock())
    server.first = [Reply("slow down", 429, {"Retry-After": "7"}), Reply("", 500)]
    documents = list(load(tiny_beir).documents())[:2]
    found = dict(generator.generate(documents, 2))
    assert [len(found[number]) for number in range(2)] == [2, 2]
    assert "2 retries" in generator.spent()
    assert max(time.waits) >= 6.9


def test_a_cache_serves_other_filters_and_only_new_documents_are_asked_about(
    server: FakeServer, tiny_beir: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    rd.queries(tiny_beir, tmp_path / "ten", settings(server), limit_documents=10, cache=cache, **LOOSE)
    assert len(server.posts) == 10
    shutil.rmtree(tmp_path / "ten")
    rd.queries(tiny_beir, tmp_path / "ten", settings(server), limit_documents=10, cache=cache, **LOOSE | {"longest": 9})
    assert len(server.posts) == 10
    rd.queries(tiny_beir, tmp_path / "all", settings(server), cache=cache, **LOOSE)
    assert len(server.posts) == 40
    rd.queries(tiny_beir, tmp_path / "other", settings(server, model="n"), cache=cache, **LOOSE)
    assert len(server.posts) == 80
    for file in cache.rglob("*.jsonl"):
        whole = file.read_bytes()
        file.write_bytes(whole.replace(b'"]', b's"]', 1))
    with pytest.raises(rd.RankdistillError, match="it was damaged or changed") as caught:
        rd.queries(tiny_beir, tmp_path / "changed", settings(server), cache=cache, **LOOSE | {"longest": 7})
    assert "what it held is generated again" in caught.value.remedy
    for file in cache.rglob("*.jsonl"):
        file.write_text("{")
    with pytest.raises(rd.RankdistillError, match="what it held is generated again"):
        rd.queries(tiny_beir, tmp_path / "damaged", settings(server), cache=cache, **LOOSE | {"longest": 8})


def test_a_service_that_says_one_thing_of_all_documents_leaves_nothing(
    server: FakeServer, tiny_beir: Path, tmp_path: Path
) -> None:
    server.answer = lambda path, body: say("what is this document about\nquery query query query")
    with pytest.raises(rd.RankdistillError) as raised:
        rd.queries(tiny_beir, tmp_path / "out", settings(server), **LOOSE)
    assert "openai made 80, 40 of them dropped: repetitive, 40 of them dropped: common" in raised.value.got
    assert "repeats itself" in raised.value.remedy
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_a_service_that_repeats_itself_is_stopped_before_all_documents_are_paid_for(
    server: FakeServer, tiny_beir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generating, "LOOK_AFTER", 16)
    server.answer = lambda path, body: say("what is this document about\nquery query query query")
    with pytest.raises(TeacherError, match="100% of those of the first 16 documents"):
        rd.queries(tiny_beir, tmp_path / "out", settings(server), **LOOSE)
    assert len(server.posts) == 16
    monkeypatch.setattr(generating, "LOOK_AFTER", 12)
    server.answer = answer
    assert rd.queries(tiny_beir, tmp_path / "good", settings(server), **LOOSE).queries == 80


def test_a_share_that_repeats_itself_is_a_note(
    server: FakeServer, tiny_beir: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server.answer = lambda path, body: say(
        f"what is this about\n{answer(path, body).content['choices'][0]['message']['content']}"
    )
    made = rd.queries(tiny_beir, tmp_path / "out", settings(server), **LOOSE)
    assert made.kinds["openai"] == {"made": 120, "kept": 80, "dropped": {"common": 40}}
    assert "openai repeats itself: 33% of its 120 queries" in caplog.text


def test_a_key_that_is_not_set_is_told_before_anything_is_sent(
    server: FakeServer, tiny_beir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("QUERY_KEY")
    with pytest.raises(ConfigError, match="QUERY_KEY"):
        rd.queries(tiny_beir, tmp_path / "out", settings(server), **LOOSE)
    assert not server.asked


def test_a_local_model_is_asked_like_a_service(tiny_beir: Path, tiny_causal_lm: str) -> None:
    dataset = load(tiny_beir)
    documents = list(dataset.documents())[:6]
    given = {"kind": "causal", "model": tiny_causal_lm, "max_new_tokens": 6, "document_words": 20}
    generator = named(given, Corpus(dataset))
    found = dict(generator.generate(documents, 3))
    assert {*found} == {*range(6)}
    assert all(one.kind == "causal" for queries in found.values() for one in queries)
    alone = named(given | {"batch_size": 1}, Corpus(dataset))
    assert alone.fingerprint == generator.fingerprint
    assert dict(alone.generate(documents, 3)) == found
    few = {"document_words": 300, "max_length": 330}
    shorter = dict(named(given | few, Corpus(dataset)).generate([Document("long", "", "word " * 400)], 3))
    assert len(shorter) == 1, "it is shown as many words as the model reads"
    with pytest.raises(TeacherError, match="lower the setting `document_words`"):
        dict(named(given | {"max_length": 16}, Corpus(dataset)).generate(documents, 3))


class Service:
    """Asks about each document by itself, and is killed at the fourth."""

    fingerprint: Mapping[str, Any] = {"kind": "openai", "model": "m"}
    costly, alone = True, True

    def __init__(self, answers: int) -> None:
        self.answers, self.asked = answers, list[str]()

    def generate(self, documents: Sequence[Document], count: int) -> Iterator[tuple[int, list[Written]]]:
        for number, document in enumerate(documents):
            if len(self.asked) == self.answers:
                raise KeyboardInterrupt
            self.asked.append(document.doc_id)
            yield number, [Written("openai", f"what is {document.title}?")]


def test_half_of_an_emoji_that_was_kept_as_it_came_blocks_nothing(tmp_path: Path) -> None:
    document = Document("d", "title", "text")
    Cache(tmp_path, Service.fingerprint, 2).keep(document, [Written("openai", "what \ud83d\ude00 is \ud83d")])
    again = Cache(tmp_path, Service.fingerprint, 2)
    assert again.get(document) == [Written("openai", "what \U0001f600 is \ufffd")]
    assert read_reply('["what is \\ud83d"]', 1) == ["what is \ufffd"]


def test_a_kill_costs_no_answer_that_came(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after SIGKILL nothing is written at the end of the unit."""
    documents = [Document(f"d{number}", f"title {number}", "text") for number in range(6)]
    killed = Cache(tmp_path, Service.fingerprint, 2)
    with monkeypatch.context() as patch:
        patch.setattr(Cache, "add", lambda self, made: None)
        with pytest.raises(KeyboardInterrupt):
            generate_all(Service(3), documents, 2, 64, killed, lambda done: None)
    rest = Service(6)
    found = generate_all(rest, documents, 2, 64, Cache(tmp_path, Service.fingerprint, 2), lambda done: None)
    assert rest.asked == ["d3", "d4", "d5"]
    assert [[one.text for one in written] for written in found] == [[f"what is title {n}?"] for n in range(6)]
    assert not [*tmp_path.rglob("*.txt")]
    assert len([*tmp_path.rglob("*.jsonl")]) == 2
