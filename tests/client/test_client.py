"""What the clients send, how they read answers, and what they refuse to return; each test asks both of them."""

from __future__ import annotations

import base64
import datetime
import inspect
import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import rankdistill
from rankdistill.client.failures import OtherSpaceError, ServerBusyError, ServerError, UnreachableError
from rankdistill.errors import ConfigError, SpaceMismatchError
from rankdistill.space import Space
from tests.client import both
from tests.teachers.http_server import FakeServer, Reply, serving

LIMITS = {"limits": {"inputs": 3, "client_batch": 2, "searches": 2}}
SPACE = Space(dimension=2, normalised=True, similarity="cosine")


def vector_of(text: str) -> np.ndarray:
    """What the fake server embeds a text as: its length, and one over it, which base64 must carry exactly."""
    return np.array([len(text), 1 / len(text)], dtype="<f4")


def answer(path: str, body: Any) -> Reply:
    """A server with the wire forms of the interface, independent of ours."""
    space = {"x-rankdistill-space": SPACE.fingerprint}
    if path == "/info":
        return Reply(LIMITS)
    if path == "/ready":
        return Reply({})
    if path == "/v1/embeddings":
        data = [
            {
                "object": "embedding",
                "index": place,
                "embedding": base64.b64encode(vector_of(text).tobytes()).decode("ascii"),
            }
            for place, text in enumerate(body["input"])
        ]
        cut = [place for place, text in enumerate(body["input"]) if text.startswith("long")]
        return Reply({"object": "list", "data": data[::-1], "space": SPACE.fingerprint, "truncated": cut})
    if path == "/embed_sparse":
        return Reply([[{"index": len(text), "value": 0.5}] for text in body["inputs"]], headers=space)
    if path == "/rerank":
        scores = [{"index": place, "score": float(len(text))} for place, text in enumerate(body["texts"])]
        return Reply(sorted(scores, key=lambda row: -row["score"]))
    if path == "/tokenize":
        return Reply([[{"id": 7, "text": text, "special": False, "start": 0, "stop": 1}] for text in body["inputs"]])
    if path in ("/search", "/search/batch"):
        found = [
            {
                "hits": [{"id": f"d{one['k']}", "score": 1.5, "fields": {"year": 1999}}],
                "took_ms": 2,
                "space": SPACE.fingerprint,
                "mode": one.get("mode", "dense"),
            }
            for one in (body if isinstance(body, list) else [body])
        ]
        return Reply(found if isinstance(body, list) else found[0])
    return Reply({"error": "no such route"}, 404)


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with serving(answer) as found:
        yield found


@pytest.fixture(params=["sync", "async"])
def client(request: pytest.FixtureRequest, server: FakeServer) -> Iterator[both.Blocking]:
    with both.of(request.param, server.url) as found:
        yield found


def test_vectors_come_exactly_and_in_order(client: both.Blocking, server: FakeServer) -> None:
    texts = ["a", "bb", "ccc", "dddd", "eeeee", "ffffff", "ggggggg"]
    found = client.embed(texts, "query", dimensions=2)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, np.stack([vector_of(text) for text in texts]))
    assert [len(asked.body["input"]) for asked in server.posts] == [3, 3, 1], "the limit that /info tells"
    assert server.posts[0].body == {
        "input": texts[:3],
        "input_type": "query",
        "encoding_format": "base64",
        "dimensions": 2,
        "truncate": "END",
    }
    client.embed(["a"], "document", truncate=False, model="other")
    assert server.posts[-1].body["truncate"] == "NONE"
    assert server.posts[-1].body["model"] == "other"
    assert len([asked for asked in server.asked if asked.path == "/info"]) == 1


def test_lists_of_numbers_are_read_too(client: both.Blocking, server: FakeServer) -> None:
    server.first = [Reply({"data": [{"index": 0, "embedding": [0.5, 2]}]})]
    np.testing.assert_array_equal(client.embed(["a"]), [[0.5, 2]])


def test_a_cut_text_becomes_a_note_with_its_place(client: both.Blocking, caplog: pytest.LogCaptureFixture) -> None:
    client.embed(["a", "b", "c", "long"], "query")
    assert "1 of 4 texts (places 3)" in caplog.text


def test_sparse_weights_scores_and_tokens(client: both.Blocking, server: FakeServer) -> None:
    assert client.embed_sparse(["a", "bb", "ccc"], "query") == [{1: 0.5}, {2: 0.5}, {3: 0.5}]
    ranked = client.rerank("q", ["a", "cc", "b", "dd", "eee"], raw_scores=True)
    assert [(one.index, one.score, one.text) for one in ranked] == [
        (4, 3.0, "eee"),
        (1, 2.0, "cc"),
        (3, 2.0, "dd"),
        (0, 1.0, "a"),
        (2, 1.0, "b"),
    ], "over calls of two texts; of equal scores the first given"
    tokens = client.tokenize(["x", "y", "z"])
    assert [token.text for row in tokens for token in row] == ["x", "y", "z"]
    sizes = {
        path: [len(one.body.get("texts") or one.body["inputs"]) for one in server.posts if one.path == path]
        for path in ("/embed_sparse", "/rerank", "/tokenize")
    }
    assert sizes == {"/embed_sparse": [2, 1], "/rerank": [2, 2, 1], "/tokenize": [2, 1]}


def test_search(client: both.Blocking, server: FakeServer) -> None:
    found = client.search("a query", 5, mode="fused", filter={"must": []}, rerank=True)
    assert [(hit.id, hit.score, hit.fields) for hit in found] == [("d5", 1.5, {"year": 1999})]
    assert (len(found), found[0].id, found.mode, found.took_ms, found.space) == (
        1, "d5", "fused", 2, SPACE.fingerprint
    )  # fmt: skip
    assert server.posts[-1].body == {
        "query": "a query", "k": 5, "mode": "fused", "filter": {"must": []}, "rerank": True
    }  # fmt: skip
    client.search(vector=np.array([0.25, 1], np.float32))
    assert server.posts[-1].body == {"vector": [0.25, 1.0], "k": 10}
    client.search(vector={17: np.float32(0.5)})
    assert server.posts[-1].body == {"vector": [{"index": 17, "value": 0.5}], "k": 10}
    client.search(vector={"river": 0.5})
    assert server.posts[-1].body == {"vector": {"river": 0.5}, "k": 10}
    client.search(turns=["q", "a", "r"])
    assert server.posts[-1].body["turns"] == ["q", "a", "r"]
    for wrong in ({}, {"query": "a", "turns": ["b"]}):
        with pytest.raises(ConfigError, match="one of the three"):
            client.search(**wrong)


def test_a_batch_of_searches_is_split_and_its_entries_may_differ(client: both.Blocking, server: FakeServer) -> None:
    found = client.search_batch(["a", {"query": "b", "k": 3}, {"vector": [1, 2]}], 7, mode="dense")
    assert [hits[0].id for hits in found] == ["d7", "d3", "d7"]
    assert [len(asked.body) for asked in server.posts] == [2, 1]
    assert server.posts[1].body == [{"vector": [1.0, 2.0], "k": 7, "mode": "dense"}]
    assert client.search_batch([]) == []
    with pytest.raises(ConfigError, match="list of queries"):
        client.search_batch("a")


def test_a_batch_that_is_too_large_all_the_same_is_halved(client: both.Blocking, server: FakeServer) -> None:
    server.first = [Reply({"error": "too large"}, 413)]
    assert len(client.embed(["a", "bb", "ccc", "d"])) == 4
    assert [len(asked.body["input"]) for asked in server.posts] == [3, 1, 1, 1, 1]
    server.first = [Reply({"error": {"message": "one text of 3 MB", "code": "too_large"}}, 413)]
    with pytest.raises(ServerError, match="one text of 3 MB") as raised:
        client.embed(["a"])
    assert (raised.value.status, raised.value.code) == (413, "too_large")


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        "no json",
        {"data": []},
        {"data": [{"index": 1, "embedding": [1.0]}]},
        {"data": [{"index": 0, "embedding": [1.0]}, {"index": 0, "embedding": [1.0]}]},
        {"data": [{"index": 0, "embedding": [float("nan")]}]},
        {"data": [{"index": 0, "embedding": "AAA"}]},
        {"data": [{"index": 0, "embedding": "AAAA"}]},
        {"data": [{"index": 0, "embedding": None}]},
        {"data": [{"index": -1, "embedding": [1.0]}]},
        {"data": [{"index": True, "embedding": [1.0]}]},
    ],
)
def test_an_answer_of_another_form_is_never_taken_for_vectors(
    client: both.Blocking, server: FakeServer, body: Any
) -> None:
    server.first = [Reply(body, headers={"x-request-id": "r-7"})]
    with pytest.raises(ServerError, match=r"from POST http.*/v1/embeddings") as raised:
        client.embed(["a"])
    assert raised.value.request_id == "r-7"


@pytest.mark.parametrize(
    ("operation", "values", "body"),
    [
        ("rerank", ("q", ["a", "b"]), [{"index": 0, "score": 1.0}]),
        ("rerank", ("q", ["a"]), [{"index": 0, "score": float("nan")}]),
        ("rerank", ("q", ["a", "b"]), [{"index": 0, "score": 1.0}, {"index": 0, "score": 2.0}]),
        ("rerank", ("q", ["a"]), {"error": "x"}),
        ("embed_sparse", (["a"],), [[{"index": 0, "value": float("inf")}]]),
        ("embed_sparse", (["a"],), []),
        ("tokenize", (["a"],), [[{"id": 1}]]),
        ("search", ("a",), {"hits": [{"id": "d", "score": float("nan")}]}),
        ("search", ("a",), []),
        ("search_batch", (["a", "b"],), [{"hits": []}]),
        ("search", ("a",), {"found": 1}),
    ],
)
def test_nor_for_anything_else(
    client: both.Blocking, server: FakeServer, operation: str, values: tuple[Any, ...], body: Any
) -> None:
    client.info()
    server.first = [Reply(body)]
    with pytest.raises(ServerError, match="nothing of this answer was used"):
        getattr(client, operation)(*values)


def test_an_answer_without_an_end_is_not_read_to_it(
    client: both.Blocking, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rankdistill.client.connection.LARGEST_ANSWER", 2**20)
    server.answer = lambda path, body: Reply({"data": "x" * 2**21})
    with pytest.raises(ServerError, match="an answer of at most 1 MiB"):
        client.search("a query")
    assert len(server.asked) == 1, "nor asked for again"


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_another_space_is_an_error(server: FakeServer, kind: str) -> None:
    with both.of(kind, server.url, space=SPACE) as client:
        assert len(client.embed(["a"])) == len(client.embed_sparse(["a"])) == len(client.search("a")) == 1
    with both.of(kind, server.url, space="feedbeef") as client:
        for ask in (
            lambda: client.embed(["a"]),
            lambda: client.embed_sparse(["a"]),
            lambda: client.search("a"),
            lambda: client.search_batch(["a"]),
        ):
            with pytest.raises(SpaceMismatchError, match="feedbeef"):
                ask()
        server.first = [Reply({"data": [{"index": 0, "embedding": [0.5, 2]}]})]
        with pytest.raises(OtherSpaceError, match="tells no space"):
            client.embed(["a"])


@pytest.mark.parametrize("status", [400, 401, 404, 409, 415, 422, 424, 307])
def test_a_refusal_is_told_with_its_id_and_not_asked_again(
    client: both.Blocking, server: FakeServer, status: int
) -> None:
    body = {"error": {"message": "the reason", "type": "invalid_request_error", "code": "some_code"}}
    server.first = [Reply(body, status, headers={"x-request-id": "r-1", "Retry-After": "1", "Location": "/other"})]
    with pytest.raises(ServerError, match=r"the reason \(request r-1\)") as raised:
        client.embed(["a"])
    assert (raised.value.status, raised.value.code, raised.value.request_id) == (status, "some_code", "r-1")
    assert isinstance(raised.value, SpaceMismatchError) == (status == 409)
    assert len(server.posts) == 1
    assert client.waits.seconds == []
    again = pickle.loads(pickle.dumps(raised.value))
    assert (type(again), str(again), again.status) == (type(raised.value), str(raised.value), status)


@pytest.mark.parametrize(
    ("body", "message", "code"),
    [
        ({"error": "tei says", "error_type": "Tokenizer"}, "tei says", "Tokenizer"),
        ({"detail": "fastapi says"}, "fastapi says", None),
        ("<html>a page\n</html>", "<html>a page </html>", None),
        ("", "(empty body)", None),
        ({"error": 7}, '{"error": 7}', None),
    ],
)
def test_errors_of_every_form_are_read(
    client: both.Blocking, server: FakeServer, body: Any, message: str, code: str | None
) -> None:
    server.first = [Reply(body, 400)]
    with pytest.raises(ServerError) as raised:
        client.embed(["a"])
    assert f"HTTP 400: {message}" in raised.value.got
    assert raised.value.code == code


def test_retry_after_is_honoured(client: both.Blocking, server: FakeServer) -> None:
    client.info()
    server.first = [
        Reply({"error": "full"}, 429, headers={"Retry-After": "3"}),
        Reply({"error": "draining"}, 503, headers={"Retry-After": "7.5"}),
        Reply("bad gateway", 502),
        Reply("", drop=True),
    ]
    assert len(client.embed(["a"])) == 1
    asked = client.waits.seconds
    assert len(asked) == 4
    assert 3 < asked[0] < 4
    assert 7.5 < asked[1] < 8.5
    assert 0 < asked[2] < asked[3] < 1, "waits of our own grow"


def test_waits_are_bounded(client: both.Blocking, server: FakeServer) -> None:
    server.first = [Reply({"error": "come tomorrow"}, 429, headers={"Retry-After": "86400"})]
    with pytest.raises(ServerBusyError, match=r"a wait of 86,400 s.*come tomorrow"):
        client.embed(["a"])
    assert client.waits.seconds == []
    server.first = [Reply({"error": "full"}, 429, headers={"Retry-After": "1"})] * 99
    with pytest.raises(ServerBusyError, match=r"6 failed attempts, the last: HTTP 429: full") as raised:
        client.embed(["a"])
    assert raised.value.status == 429
    assert len(client.waits.seconds) == 5
    assert max(client.waits.seconds) <= 30


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_server_that_is_not_there(kind: str) -> None:
    with serving(answer) as server:
        url = server.url
    with both.of(kind, url, retries=2) as client:
        with pytest.raises(UnreachableError, match="3 failed attempts, the last: ConnectError"):
            client.embed(["a"])
        assert len(client.waits.seconds) == 2
        assert client.ready() is False
        assert len(client.waits.seconds) == 2, "asked once"


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_server_that_is_not_ready(kind: str) -> None:
    with serving(lambda path, body: Reply({}, 503)) as server, both.of(kind, server.url) as client:
        assert client.ready() is False
        assert client.waits.seconds == []


def test_ready_and_info(client: both.Blocking) -> None:
    assert client.ready() is True
    assert client.info() == LIMITS


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_the_key_is_sent_and_never_shown(server: FakeServer, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", "s3cret\n")
    with both.of(kind, server.url, api_key_env="A_KEY") as client:
        client.embed(["a"])
        assert {asked.headers["authorization"] for asked in server.asked} == {"Bearer s3cret"}
        for status in (401, 503):
            server.first = [Reply({"error": "no s3cret here"}, status)] * 9
            with pytest.raises(ServerError, match=r"no \*\*\* here"):
                client.embed(["a"])
        for echo in ("not json, you sent Bearer s3cret", '{"data": "s3cret"}', "x" * 497 + "s3cret", "[1, 's3cret']"):
            server.first = [Reply(echo, 200)]
            with pytest.raises(ServerError) as unread:
                client.embed(["a"])
            assert "s3c" not in str(unread.value)
        server.first = [Reply({"error": {"message": "x", "code": "s3cret"}}, 400, {"x-request-id": "s3cret"})]
        with pytest.raises(ServerError) as refused:
            client.embed(["a"])
        assert (refused.value.code, refused.value.request_id) == ("***", "***")
    monkeypatch.delenv("A_KEY")
    client_of = rankdistill.Client if kind == "sync" else rankdistill.AsyncClient
    with pytest.raises(ConfigError, match="A_KEY"):
        client_of(server.url, api_key_env="A_KEY")
    with pytest.raises(ConfigError, match="leave one out"):
        client_of(server.url, api_key_env="A_KEY", api_key="b")
    for wrong in ("127.0.0.1:8080", "ftp://a", "http://", "http://a/?b=c", "http://user:pw1234@a"):
        with pytest.raises(ConfigError) as raised:
            client_of(wrong)
        assert "pw1234" not in str(raised.value)
    for settings in ({"timeout": 0}, {"retries": -1}, {"longest_wait": float("nan")}):
        with pytest.raises(ConfigError):
            client_of(server.url, **settings)


def test_what_is_no_list_of_texts_is_not_sent(client: both.Blocking, server: FakeServer) -> None:
    for wrong in ("one text", [], ["a", 7], [[1, 2, 3]]):
        with pytest.raises(ConfigError, match="a list of texts"):
            client.embed(wrong)
    assert server.asked == []


def test_text_that_is_no_unicode_reaches_the_server_to_be_refused(client: both.Blocking, server: FakeServer) -> None:
    client.embed(["\ud800 é"])
    assert server.posts[-1].body["input"] == ["\ud800 é"]


def test_both_clients_have_the_same_calls() -> None:
    def calls(client: type) -> dict[str, Any]:
        return {
            name: inspect.signature(found).parameters
            for name, found in vars(client).items()
            if inspect.isfunction(found) and not name.startswith("_")
        }

    assert calls(rankdistill.Client) == calls(rankdistill.AsyncClient)
    assert inspect.signature(rankdistill.Client).parameters == inspect.signature(rankdistill.AsyncClient).parameters
    assert repr(rankdistill.Client("http://127.0.0.1:9")) == "Client('http://127.0.0.1:9')"


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("key", ["", "two words", "line\n", "schl\u00fcssel"])
def test_a_key_that_no_header_carries_is_told_at_once(kind: str, key: str) -> None:
    client_of = rankdistill.Client if kind == "sync" else rankdistill.AsyncClient
    with pytest.raises(ConfigError, match="printable ASCII") as refused:
        client_of("http://127.0.0.1:8080", api_key=key)
    assert "schl" not in str(refused.value)


@pytest.mark.parametrize(
    "url", ["http://a:99999", "http://a:0", "http://a:b", " http://a", "http://a b", "http://[a", ""]
)
def test_an_address_that_is_none_is_told_at_once(url: str) -> None:
    with pytest.raises(ConfigError, match="the address of a server"):
        rankdistill.Client(url)


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize(
    "filter",
    [
        {"field": "day", "gte": datetime.date(2024, 5, 1)},
        {"field": "price", "gte": float("nan")},
        {"field": "tags", "in": {"a"}},
        {"field": "tags", "in": [b"a"]},
    ],
    ids=["date", "nan", "set", "bytes"],
)
def test_what_json_has_not_is_told(server: FakeServer, kind: str, filter: dict[str, Any]) -> None:
    with both.of(kind, server.url) as client:
        with pytest.raises(ConfigError, match="values that JSON has"):
            client.search("a", filter=filter)
        with pytest.raises(ConfigError, match="values that JSON has"):
            client.search(vector=np.array([1, np.inf], np.float32))
    assert not server.posts


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_numbers_of_numpy_are_numbers(server: FakeServer, kind: str) -> None:
    with both.of(kind, server.url) as client:
        client.search("a", k=np.int64(3), filter={"field": "year", "in": [np.int32(2000), np.float32(0.5)]})
    asked = server.posts[-1].body
    assert (asked["k"], asked["filter"]["in"]) == (3, [2000, 0.5])
