"""The application around the routes: keys, bodies, refusals, headers, clients that leave."""

from __future__ import annotations

import asyncio
import logging

import pytest

from rankdistill.errors import BackendError, ConfigError, SpaceMismatchError
from rankdistill.serving.app import Server, create_app
from rankdistill.serving.contracts import Limits
from rankdistill.serving.metrics import ServerMetrics
from rankdistill.serving.refusals import BackendRefusal, OverloadedError
from rankdistill.serving.routes.registry import ROUTES, routes
from rankdistill.serving.security import Key, Keys
from tests.serving.fakes import FakeHolder, FakeModel, ask, converse

QUERY = {"input": "a river", "input_type": "query"}


def _keys() -> Keys:
    from hashlib import sha256

    return Keys([Key(sha256(b"KEY").digest())])


def test_every_route_but_two_asks_for_a_key() -> None:
    """So does a path that is no route. The files of the search page hold nothing, and ask for the key themselves."""
    app = create_app(FakeHolder(FakeModel()), keys=_keys())
    open_to_all = set()
    for route in routes():
        for path in (route.path, *route.aliases):
            answer = ask(app, path, b"{}" if route.method == "POST" else None)
            if answer.status != 401:
                open_to_all.add(path)
            else:
                assert answer.headers["www-authenticate"] == "Bearer"
    page = {route.path for route in routes()} - {route.path for route in routes(page=False)}
    assert open_to_all - page == {"/health", "/ready"}
    assert ask(app, "/nowhere").status == 401


def test_a_key_is_let_in() -> None:
    """Whatever the case of the scheme; and no other key is."""
    app = create_app(FakeHolder(FakeModel()), keys=_keys())
    for given, status in (
        ("Bearer KEY", 200),
        ("bearer KEY", 200),
        ("Bearer KEy", 401),
        ("KEY", 401),
        ("Basic KEY", 401),
    ):
        assert ask(app, "/v1/embeddings", QUERY, headers={"Authorization": given}).status == status, given


def test_a_family_of_routes_is_one_line() -> None:
    """Every line of the table is loaded, and no path stands there twice."""
    found = [(route.method, path) for route in routes() for path in (route.path, *route.aliases)]
    assert len(found) == len(set(found))
    assert {"openai", "cohere", "tei", "info", "status", "documentation"} <= set(ROUTES)


@pytest.mark.parametrize("path", ["/v1/nothing", "/v2/nothing", "/nothing"])
def test_an_unknown_path_is_refused_in_the_words_of_its_interface(path: str) -> None:
    """By where it stands."""
    answer = ask(create_app(FakeHolder(FakeModel())), path)
    wanted = {"/v1": {"error"}, "/v2": {"message"}, "/no": {"error", "error_type"}}[path[:3]]
    assert (answer.status, set(answer.json)) == (404, wanted)


def test_another_method_is_refused() -> None:
    """With those that are allowed; HEAD is as GET without its body."""
    app = create_app(FakeHolder(FakeModel()))
    refused = ask(app, "/v1/embeddings", method="GET")
    assert (refused.status, refused.headers["allow"]) == (405, "POST")
    head = ask(app, "/health", method="HEAD")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", "15")


@pytest.mark.parametrize(
    ("media_type", "status"),
    [
        ("application/json; charset=utf-8", 200),
        ("application/x-www-form-urlencoded", 200),  # curl -d says so where it is told nothing
        ("application/problem+json", 200),
        ("", 200),
        ("text/plain", 415),
        ("multipart/form-data; boundary=x", 415),
    ],
)
def test_a_body_is_json(media_type: str, status: int) -> None:
    """Announced as such, or not announced."""
    app = create_app(FakeHolder(FakeModel()))
    assert ask(app, "/v1/embeddings", QUERY, headers={"Content-Type": media_type}).status == status


def test_a_compressed_body_is_refused() -> None:
    """It may unpack to anything."""
    app = create_app(FakeHolder(FakeModel()))
    assert ask(app, "/v1/embeddings", QUERY, headers={"Content-Encoding": "gzip"}).status == 415
    assert ask(app, "/v1/embeddings", QUERY, headers={"Content-Encoding": "identity"}).status == 200


def test_a_body_beyond_the_limit_is_not_read() -> None:
    """Not at all where its length is announced, and no further than the limit where it is not."""
    app = create_app(FakeHolder(FakeModel(), limits=Limits(body=100)))
    announced = ask(app, "/v1/embeddings", b"", headers={"Content-Length": "101"})
    assert (announced.status, announced.headers["connection"]) == (413, "close")
    parts = [b" " * 60] * 5
    streamed = asyncio.run(converse(app, "/v1/embeddings", parts))
    assert streamed.status == 413
    whole = b'{"input":"a","input_type":"query"}'
    assert asyncio.run(converse(app, "/v1/embeddings", [whole[:7], whole[7:]])).status == 200


def test_more_texts_than_the_limits_allow() -> None:
    """2,048 on OpenAI's route, 32 on TEI's, or what the server says."""
    app = create_app(FakeHolder(FakeModel(), limits=Limits(inputs=3, client_batch=2)))
    texts = ["a"] * 4
    assert ask(app, "/v1/embeddings", {"input": texts, "input_type": "query"}).status == 413
    assert ask(app, "/v1/embeddings", {"input": texts[:3], "input_type": "query"}).status == 200
    assert ask(app, "/embed", {"inputs": texts[:3], "prompt_name": "query"}).status == 413


def test_what_may_be_sent_again_says_when() -> None:
    """Whole seconds, never none."""
    model = FakeModel(fails=OverloadedError(expected="a free queue", got="a full one", retry_after=0.2))
    holder = FakeHolder(model)
    overloaded = ask(create_app(holder), "/v1/embeddings", QUERY)
    assert (overloaded.status, overloaded.headers["retry-after"]) == (429, "1")
    assert overloaded.json["error"]["type"] == "rate_limit_error"
    holder.ready = (False, "draining")
    draining = ask(create_app(holder), "/embed", {"inputs": "a"})
    assert (draining.status, draining.headers["retry-after"]) == (503, "3")
    assert draining.json["error_type"] == "Unhealthy"


@pytest.mark.parametrize(
    ("kind", "status"), [(ConfigError, 400), (SpaceMismatchError, 409), (BackendError, 424), (BackendRefusal, 424)]
)
def test_errors_of_other_parts_are_refusals(kind: type[Exception], status: int) -> None:
    """Those that a request can cause."""
    model = FakeModel(fails=kind(expected="this", got="that"))  # type: ignore[call-arg]
    assert ask(create_app(FakeHolder(model)), "/v1/embeddings", QUERY).status == status


def test_a_fault_is_logged_and_not_told(caplog: pytest.LogCaptureFixture) -> None:
    """The client learns the request's id, and nothing of the inside."""
    holder = FakeHolder(FakeModel(fails=RuntimeError("secret")))
    answer = ask(create_app(holder), "/v1/embeddings", QUERY, headers={"X-Request-Id": "mine"})
    assert answer.status == 500
    assert b"secret" not in answer.body
    assert b"mine" in answer.body
    assert "secret" in caplog.text
    assert holder.state.using == 0


def test_a_vector_of_nothing_or_of_nan_is_not_given() -> None:
    """Whatever the back end says."""

    class Wrong(FakeModel):
        factor = 0.0

        async def encode(self, *given, **named):  # type: ignore[no-untyped-def]
            found = await super().encode(*given, **named)
            found.vectors[-1] *= self.factor
            return found

    app = create_app(FakeHolder(model := Wrong()))
    assert ask(app, "/v1/embeddings", QUERY | {"input": ["a", "b"]}).status == 400
    model.factor = float("nan")
    assert ask(app, "/v1/embeddings", QUERY | {"input": ["a", "b"]}).status == 424


def test_a_text_that_leaves_no_token_is_refused() -> None:
    """It holds a character that can be seen, and none that the model knows."""
    app = create_app(FakeHolder(FakeModel()))
    refused = ask(app, "/v1/embeddings", QUERY | {"input": ["a", "\u2605\u2605"]})
    assert refused.status == 400
    assert refused.json["error"]["code"] == "empty_input"
    for said in ("\u00e9t\u00e9", "\u65e5\u672c\u8a9e", "!", "\u2605" * 5000 + "a", "!" * 5000):
        assert ask(app, "/v1/embeddings", QUERY | {"input": said}).status == 200, said[:9]
    assert ask(app, "/v1/embeddings", QUERY | {"input": "\u2605" * 5000}).status == 400


def test_headers_tell_what_it_took() -> None:
    """Whole milliseconds as TEI, and three decimals for browsers."""
    headers = ask(create_app(FakeHolder(FakeModel())), "/v1/embeddings", QUERY, headers={"x-request-id": "a-1"}).headers
    assert headers["x-request-id"] == "a-1"
    assert (headers["x-compute-tokens"], headers["x-queue-time"], headers["x-inference-time"]) == ("4", "2", "3")
    assert headers["server-timing"].startswith(
        "tokenisation;dur=0.100, queue;dur=2.000, inference;dur=3.000, total;dur="
    )


def test_a_request_id_that_would_break_a_header_is_replaced() -> None:
    """As is one that is very long."""
    app = create_app(FakeHolder(FakeModel()))
    given = [
        ask(app, "/health", headers={"x-request-id": bad}).headers["x-request-id"] for bad in ("a b", "x" * 129, "")
    ]
    assert len(set(given)) == 3
    assert not {"a b", "x" * 129, ""} & set(given)


def test_a_client_that_leaves_is_logged_and_its_work_dropped(caplog: pytest.LogCaptureFixture) -> None:
    """The waiting encode is cancelled, and the state let go."""
    caplog.set_level(logging.INFO, "rankdistill.serving")
    metrics = ServerMetrics()

    async def leave() -> tuple[FakeHolder, FakeModel, int]:
        model = FakeModel(gate=asyncio.Event())
        holder = FakeHolder(model)
        app = create_app(holder, metrics=metrics)
        left = asyncio.Event()
        body = b'{"input":"a","input_type":"query"}'
        asked = asyncio.create_task(converse(app, "/v1/embeddings", [body], leaves=left))
        while not model.asked:
            await asyncio.sleep(0)
        left.set()
        return holder, model, (await asked).status

    holder, model, status = asyncio.run(leave())
    assert (status, model.dropped, holder.state.using) == (0, 1, 0)
    assert "499 POST /v1/embeddings" in caplog.text
    text = metrics.text({}).decode()
    assert 'te_request_failure{err="left"} 1' in text
    assert 'rankdistill_http_responses_total{status="499"} 1' in text


def test_a_client_that_leaves_amid_its_body() -> None:
    """Nothing is answered."""

    async def leave() -> int:
        left = asyncio.Event()
        left.set()
        app = Server(FakeHolder(FakeModel()), None, ServerMetrics(), routes())
        scope = {"type": "http", "method": "POST", "path": "/embed", "headers": []}
        messages = [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]
        sent: list[object] = []

        async def receive() -> dict[str, object]:
            return messages.pop(0)

        async def send(message: object) -> None:
            sent.append(message)

        await app(scope, receive, send)
        return len(sent)

    assert asyncio.run(leave()) == 0


def test_a_server_that_is_stopped_cancels_what_waits() -> None:
    """A cancellation from outside is no client that left."""

    async def stop() -> None:
        model = FakeModel(gate=asyncio.Event())
        asked = asyncio.create_task(
            converse(create_app(FakeHolder(model)), "/v1/embeddings", [b'{"input":"a","input_type":"query"}'])
        )
        while not model.asked:
            await asyncio.sleep(0)
        asked.cancel()
        await asked

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(stop())


def test_other_origins_are_not_let_in_unless_named() -> None:
    """No header of CORS by default; the origin that was named, and it alone, otherwise."""
    asked = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}
    closed = ask(create_app(FakeHolder(FakeModel())), "/v1/embeddings", QUERY, headers=asked)
    assert not [name for name in closed.headers if name.startswith("access-control")]
    app = create_app(FakeHolder(FakeModel()), cors=("https://shop.example",), keys=_keys())
    preflight = ask(app, "/v1/embeddings", method="OPTIONS", headers=asked)
    assert preflight.headers["access-control-allow-origin"] == "https://shop.example"
    other = ask(app, "/v1/embeddings", method="OPTIONS", headers=asked | {"Origin": "https://other.example"})
    assert "access-control-allow-origin" not in other.headers
