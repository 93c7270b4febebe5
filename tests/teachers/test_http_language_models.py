"""Language models over HTTP: yes or no from log-probabilities, and text from a chat."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest

from rankdistill.errors import TeacherError
from rankdistill.teachers.http.chat import Chat, ChatSettings
from rankdistill.teachers.http.openai_logprobs import difference, fill
from rankdistill.teachers.http.settings import Prompt, Settings
from rankdistill.teachers.http.teacher import HttpTeacher
from tests.teachers.http_server import FakeServer, FakeTime, Reply, serving


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving(lambda path, body: Reply()) as fake:
        yield fake


def logprobs(**listed: float) -> Reply:
    rows = [{"token": token, "logprob": value} for token, value in listed.items()]
    return Reply({"choices": [{"logprobs": {"content": [{"top_logprobs": rows}]}}], "usage": {"total_tokens": 5}})


def teacher(server: FakeServer, **more: Any) -> HttpTeacher:
    fields = {"api": "openai-logprobs", "url": f"{server.url}/v1/chat/completions", "model": "m", **more}
    return HttpTeacher(Settings.model_validate(fields), FakeTime().clock())


def test_braces_inside_the_texts_stay_as_they_are() -> None:
    assert fill("{query}/{document}/{other}", "{document}", r"\1 {query}") == r"{document}/\1 {query}/{other}"


def test_tokens_that_differ_in_case_and_space_add_their_probabilities() -> None:
    listed = [(" Yes", math.log(0.3)), ("yes", math.log(0.2)), ("NO", math.log(0.1)), ("maybe", math.log(0.05))]
    score, gaps = difference(listed, Prompt())
    assert score == pytest.approx(math.log(0.5 / 0.1))
    assert gaps == 0


def test_a_missing_answer_gets_the_least_probability_listed_and_is_counted(server: FakeServer) -> None:
    server.first = [logprobs(yes=-0.1, maybe=-4.0, perhaps=-9.0), logprobs(no=-0.1, maybe=-4.0)]
    loaded = teacher(server, concurrency=1)
    scores = loaded.score([("q", "a"), ("q", "b")])
    assert scores.tolist() == pytest.approx([8.9, -3.9])
    assert loaded.usage.floored == 2
    assert "2 floored" in str(loaded.usage)


def test_an_answer_without_yes_and_no_is_an_error_unless_told(server: FakeServer) -> None:
    server.first = [logprobs(**{"<think>": -0.01, "Well": -5.0})] * 2
    with pytest.raises(TeacherError, match=r"'yes' or 'no' as a likely token\n.*only '<think>', 'Well'"):
        teacher(server).score([("q", "a")])
    loaded = teacher(server, prompt={"unanswered": "zero"})
    assert loaded.score([("q", "a")]).tolist() == [0.0]
    assert (loaded.usage.unanswered, loaded.usage.floored) == (1, 0)


@pytest.mark.parametrize(
    "content",
    [
        {},
        [],
        {"choices": []},
        {"choices": [{"logprobs": None}]},
        {"choices": [{"logprobs": {"content": []}}]},
        {"choices": [{"logprobs": {"content": [{"top_logprobs": [{"token": "yes", "logprob": "high"}]}]}}]},
    ],
)
def test_answers_without_log_probabilities_are_refused(server: FakeServer, content: Any) -> None:
    server.first = [Reply(content)]
    with pytest.raises(TeacherError, match="log-probabilities of the first token"):
        teacher(server).score([("q", "a")])


def test_the_chat_form_asks_for_one_token_after_system_and_user(server: FakeServer) -> None:
    server.first = [logprobs(yes=-1.0, no=-2.0)]
    teacher(server, prompt={"system": "be brief", "top_logprobs": 5}).score([("the query", "the document")])
    body = server.posts[0].body
    assert [message["role"] for message in body["messages"]] == ["system", "user"]
    assert "the query" in body["messages"][1]["content"]
    assert "the document" in body["messages"][1]["content"]
    assert (body["max_tokens"], body["temperature"], body["logprobs"], body["top_logprobs"]) == (1, 0, True, 5)


def chat(server: FakeServer, **more: Any) -> Chat:
    fields = {"url": f"{server.url}/v1/chat/completions", "model": "m", **more}
    return Chat(ChatSettings.model_validate(fields), FakeTime().clock())


def reply(text: Any) -> Reply:
    return Reply({"choices": [{"message": {"content": text}}], "usage": {"total_tokens": 11}})


def test_a_chat_gives_the_reply_with_the_same_retries_and_count(server: FakeServer) -> None:
    server.first = [Reply("busy", 503), reply("[2] > [1]")]
    talk = chat(server, max_tokens=20, prices={"per_1k_tokens": 2})
    assert talk.complete([{"role": "user", "content": "rank"}]) == "[2] > [1]"
    assert (talk.usage.requests, talk.usage.retries, talk.usage.tokens) == (1, 1, 11)
    assert talk.spent().endswith("/v1/chat/completions: 1 requests, 1 retries, 11 tokens, cost 0.0220")
    assert server.posts[-1].body == {
        "messages": [{"role": "user", "content": "rank"}],
        "model": "m",
        "max_tokens": 20,
        "temperature": 0,
    }


def test_many_conversations_are_told_apart(server: FakeServer) -> None:
    server.answer = lambda path, body: reply(body["messages"][0]["content"].upper())
    conversations = [[{"role": "user", "content": f"ask {number}"}] for number in range(20)]
    assert dict(chat(server).complete_all(conversations)) == {number: f"ASK {number}" for number in range(20)}


@pytest.mark.parametrize("content", [{}, {"choices": []}, {"choices": [{"message": {"content": None}}]}])
def test_a_chat_without_text_is_an_error(server: FakeServer, content: Any) -> None:
    server.first = [Reply(content)]
    with pytest.raises(TeacherError, match="message"):
        chat(server).complete([{"role": "user", "content": "rank"}])


def test_what_changes_a_reply_changes_the_fingerprint_of_a_chat(server: FakeServer) -> None:
    assert chat(server).fingerprint != chat(server, extra={"seed": 1}).fingerprint
    assert chat(server).fingerprint == chat(server, retries=1).fingerprint
