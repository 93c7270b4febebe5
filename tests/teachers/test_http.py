"""HTTP teachers: the four shapes of API, order, identity, and what is spent, against a server on this machine."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from rankdistill.errors import ConfigError, TeacherError
from rankdistill.teachers import PairTeacher, TeacherSpec
from rankdistill.teachers.http.settings import Settings
from rankdistill.teachers.http.teacher import HttpTeacher
from tests.teachers.http_server import FakeServer, FakeTime, Reply, relevance, rerank_rows, serving

PAIRS = [
    (query, f"the {word} is {'old ' * length}")
    for length in range(3)
    for query in ("what is bread", "old violin", "the north")
    for word in ("bread", "violin", "river")
]
INFO = {"model_id": "org/reranker", "model_sha": "abc123", "model_dtype": "float16", "version": "1.8", "hostname": "h1"}


def expected(sigmoid: bool) -> np.ndarray:
    raw = [relevance(*pair) for pair in PAIRS]
    return np.array([1 / (1 + math.exp(-score)) if sigmoid else score for score in raw], dtype=np.float32)


def answer(path: str, body: Any) -> Reply:
    """A server that speaks all four shapes."""
    path = path.partition("?")[0]
    if path.endswith("/info"):
        return Reply(INFO)
    if path == "/rerank":
        rows = rerank_rows(body["query"], body["texts"], "score")
        return Reply(rows if body["raw_scores"] else [row | {"score": sigmoid(row["score"])} for row in rows])
    if path in ("/v1/rerank", "/v2/rerank"):
        rows = rerank_rows(body["query"], body["documents"], "relevance_score")
        rows = [row | {"relevance_score": sigmoid(row["relevance_score"])} for row in rows][: body["top_n"]]
        bill = {"meta": {"billed_units": {"search_units": 1}}} if "v2" in path else {"usage": {"total_tokens": 100}}
        return Reply({"results": rows, "model": body["model"], **bill})
    text = body["prompt"] if "prompt" in body else body["messages"][-1]["content"]
    query, document = text.split("|")
    yes = math.log(sigmoid(relevance(query, document)))
    listed = {"Yes": yes - math.log(2), " yes": yes - math.log(2), "No": math.log1p(-math.exp(yes)), "Maybe": -30.0}
    first = [{"token": token, "logprob": value} for token, value in listed.items()]
    logprobs = {"content": [{"top_logprobs": first}]} if "messages" in body else {"top_logprobs": [listed]}
    return Reply({"choices": [{"logprobs": logprobs}], "model": body["model"], "usage": {"total_tokens": 7}})


def sigmoid(score: float) -> float:
    return 1 / (1 + math.exp(-score))


SHAPES = {
    "tei": {"path": "/rerank"},
    "cohere": {"path": "/v2/rerank", "model": "rerank-v3.5"},
    "jina": {"path": "/v1/rerank", "model": "jina-reranker-v2"},
    "chat": {"path": "/v1/chat/completions", "model": "m", "prompt": {"template": "{query}|{document}"}},
    "completions": {"path": "/v1/completions", "model": "m", "prompt": {"template": "{query}|{document}"}},
}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving(answer) as fake:
        yield fake


def settings(server: FakeServer, shape: str, **more: Any) -> dict[str, Any]:
    fields = {name: value for name, value in SHAPES[shape].items() if name != "path"}
    api = "openai-logprobs" if shape in ("chat", "completions") else shape
    return {"api": api, "url": server.url + SHAPES[shape]["path"], "max_batch": 2, **fields, **more}


def teacher(server: FakeServer, shape: str, **more: Any) -> HttpTeacher:
    return HttpTeacher(Settings.model_validate(settings(server, shape, **more)), FakeTime().clock())


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("concurrency", [1, 8])
def test_each_shape_gives_each_pair_its_score_in_order(server: FakeServer, shape: str, concurrency: int) -> None:
    loaded = TeacherSpec("http", settings(server, shape, concurrency=concurrency)).load()
    assert isinstance(loaded, PairTeacher)
    done: list[int] = []
    scores = loaded.score(PAIRS, done.append)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, expected(sigmoid=shape in ("cohere", "jina")), atol=1e-5)
    assert sum(done) == len(PAIRS)
    assert loaded.score_kind == ("probability" if shape in ("cohere", "jina") else "logit")


def test_requests_hold_documents_of_one_query_and_no_more_than_max_batch(server: FakeServer) -> None:
    loaded = teacher(server, "tei", max_batch=4)
    loaded.score(PAIRS)
    sizes = sorted(len(asked.body["texts"]) for asked in server.posts)
    assert sizes == [1, 1, 1, 4, 4, 4, 4, 4, 4]
    assert loaded.usage.requests == 9
    assert all(asked.body["raw_scores"] and asked.body["truncate"] for asked in server.posts)


def test_tei_gives_probabilities_where_they_are_asked_for(server: FakeServer) -> None:
    loaded = teacher(server, "tei", score_kind="probability")
    np.testing.assert_allclose(loaded.score(PAIRS), expected(sigmoid=True), atol=1e-6)
    assert loaded.teacher_id != teacher(server, "tei").teacher_id


def test_answers_that_come_in_another_order_are_put_back(server: FakeServer) -> None:
    first_may_end = threading.Event()
    seen: list[str] = []

    def late(path: str, body: Any) -> Reply:
        reply = answer(path, body)
        if body is not None:
            seen.append(body["query"])
            if len(seen) == 1:
                reply.after = first_may_end
            if len(seen) == 9:
                first_may_end.set()
        return reply

    server.answer = late
    loaded = teacher(server, "tei", max_batch=3, concurrency=3)
    np.testing.assert_allclose(loaded.score(PAIRS), expected(sigmoid=False), atol=1e-5)


def test_what_is_spent_is_counted(server: FakeServer) -> None:
    prices = {"per_request": 0.5, "per_1k_tokens": 2.0, "per_1k_searches": 3.0}
    cohere, jina = (teacher(server, shape, prices=prices, max_batch=9) for shape in ("cohere", "jina"))
    cohere.score(PAIRS)
    assert (cohere.usage.requests, cohere.usage.searches, cohere.usage.tokens) == (3, 3, 0)
    assert cohere.cost == pytest.approx(3 * 0.5 + 0.009)
    jina.score(PAIRS)
    assert jina.cost == pytest.approx(3 * 0.5 + 0.6)
    assert str(jina.usage) == "3 requests, 300 tokens"


def test_the_key_goes_to_the_server_and_nowhere_else(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RERANK_KEY", "sk-secret")
    loaded = teacher(server, "jina", api_key_variable="RERANK_KEY", url=server.url + "/v1/rerank?key=sk-secret")
    loaded.score(PAIRS[:2])
    assert server.posts[0].headers["Authorization"] == "Bearer sk-secret"
    assert "sk-secret" not in json.dumps(loaded.fingerprint)
    assert "RERANK_KEY" not in json.dumps(loaded.fingerprint)
    server.first = [Reply({"detail": "invalid key sk-secret"}, status=401)]
    with pytest.raises(TeacherError, match="invalid key") as caught:
        loaded.score(PAIRS[:2])
    assert "sk-secret" not in str(caught.value)
    monkeypatch.delenv("RERANK_KEY")
    with pytest.raises(ConfigError, match="RERANK_KEY"):
        teacher(server, "jina", api_key_variable="RERANK_KEY")


@pytest.mark.parametrize(
    "more",
    [
        {"model": "other"},
        {"score_kind": "logit"},
        {"extra": {"max_tokens_per_doc": 100}},
        {"revision": "v7"},
        {"url": "http://127.0.0.1:1/v1/rerank"},
        {"url": "{server}/v1/rerank?deployment=B"},
    ],
)
def test_whatever_changes_scores_changes_the_teacher_id(server: FakeServer, more: dict[str, Any]) -> None:
    if "{server}" in more.get("url", ""):
        more = {"url": more["url"].format(server=server.url)}
    assert teacher(server, "jina", **more).teacher_id != teacher(server, "jina").teacher_id


def test_what_does_not_change_scores_keeps_the_teacher_id(server: FakeServer) -> None:
    more = {"concurrency": 7, "timeout": 3, "retries": 1, "requests_per_minute": 60, "prices": {"per_request": 1}}
    assert teacher(server, "jina", **more).teacher_id == teacher(server, "jina").teacher_id


def test_a_prompt_is_part_of_the_identity_of_a_language_model_only(server: FakeServer) -> None:
    other = {"prompt": {"template": "{query}|{document}", "yes": "true"}}
    assert teacher(server, "chat", **other).teacher_id != teacher(server, "chat").teacher_id
    assert teacher(server, "jina", **other).teacher_id == teacher(server, "jina").teacher_id


def test_another_model_behind_tei_is_another_teacher(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    before = teacher(server, "tei")
    assert before.fingerprint["server"]["model_sha"] == "abc123"
    assert "h1" not in json.dumps(before.fingerprint)
    monkeypatch.setitem(INFO, "model_sha", "def456")
    assert teacher(server, "tei").teacher_id != before.teacher_id
    with pytest.raises(TeacherError, match="def456"):
        teacher(server, "tei", revision="abc123")


def test_a_tei_look_alike_without_info_is_taken(server: FakeServer) -> None:
    server.answer = lambda path, body: answer(path, body) if body is not None else Reply("no such page", 404)
    assert teacher(server, "tei").fingerprint["server"] == {}


def test_a_model_that_changes_in_the_midst_of_a_run_is_refused(server: FakeServer) -> None:
    loaded = teacher(server, "jina")
    loaded.score(PAIRS[:1])
    server.answer = lambda path, body: Reply(answer(path, body).content | {"model": "jina-reranker-v3"})
    with pytest.raises(TeacherError, match=r"jina-reranker-v3.*\n.*two models"):
        loaded.score(PAIRS[:1])
    with pytest.raises(TeacherError, match="jina-reranker-v3"):
        teacher(server, "jina", revision="jina-reranker-v2").score(PAIRS[:1])


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"model": None}, "needs `model`"),
        ({"url": "api.example.com/rerank"}, "http://"),
        ({"url": "http://me:secret@host/rerank"}, "api_key_variable"),
        ({"concurrency": 0}, "concurrency"),
        ({"prompt": {"template": "{query}"}}, "{document}"),
        ({"api": "gopher"}, "api"),
        ({"api_key": "sk-1"}, "api_key"),
    ],
)
def test_bad_settings_are_named(server: FakeServer, bad: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        TeacherSpec("http", settings(server, "jina", **bad)).load()
    assert said in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_field_of_ours_can_be_replaced_or_removed(server: FakeServer) -> None:
    more = {"extra": {"max_tokens": None, "max_completion_tokens": 1}}
    teacher(server, "chat", **more).score(PAIRS[:1])
    body = server.posts[0].body
    assert "max_tokens" not in body
    assert body["max_completion_tokens"] == 1


def test_nothing_is_sent_for_no_pairs(server: FakeServer) -> None:
    assert teacher(server, "jina").score([]).shape == (0,)
    assert not server.asked
