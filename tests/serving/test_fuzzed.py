"""Whatever is sent, the server answers, and never with a fault of its own."""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any

import pytest

from rankdistill.serving.app import create_app
from rankdistill.serving.contracts import Limits
from rankdistill.serving.routes.registry import routes
from tests.serving.fakes import FakeHolder, FakeModel, FakeSearch, ask, converse

VALID: dict[str, Any] = {
    "/v1/embeddings": {"input": ["a river"], "input_type": "query", "dimensions": 8, "truncate": "END", "user": "u"},
    "/embeddings": {"input": "bread", "task": "passage", "encoding_format": "base64", "model": "tiny"},
    "/v2/embed": {"texts": ["a"], "model": "tiny", "input_type": "search_query", "embedding_types": ["float"]},
    "/embed": {"inputs": "a", "truncate": True, "prompt_name": "query", "normalize": True, "dimensions": 4},
    "/embed_sparse": {"inputs": ["a river"], "input_type": "document"},
    "/embed_all": {"inputs": ["a river"], "input_type": "document", "model": "late"},
    "/rerank": {"query": "a", "texts": ["b", "a"], "raw_scores": True, "return_text": True, "truncate": False},
    "/tokenize": {"inputs": ["a"], "input_type": "query", "add_special_tokens": False},
    "/search": {"query": "a", "k": 3, "mode": "dense", "filter": {"must": [{"field": "year", "gte": 2000}]}},
    "/search/batch": [{"query": "a"}, {"vector": [0.5] * 8}],
}
VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 10**30, 1.5, 1e308, "", "a", "\x00", "\u200b", "x" * 5000, [], [[]], [None], ["a", 1], [[1, 2]],
    {}, {"a": {}}, [{}], "query", "tiny", "late", [1e39], {"index": 1, "value": 2},
)  # fmt: skip


def _mutated(value: Any, draw: random.Random) -> Any:
    """`value` with a part replaced, removed, repeated or put elsewhere."""
    if isinstance(value, dict) and value and draw.random() < 0.8:
        name = draw.choice(list(value))
        change = draw.random()
        if change < 0.15:
            return {other: one for other, one in value.items() if other != name}
        if change < 0.25:
            return value | {name[:-1]: value[name]}
        return value | {name: _mutated(value[name], draw)}
    if isinstance(value, list) and value and draw.random() < 0.6:
        place = draw.randrange(len(value))
        return [*value[:place], _mutated(value[place], draw), *value[place:]]
    return draw.choice(VALUES)


def _spoilt(body: bytes, draw: random.Random) -> bytes:
    """`body` with some bytes changed, lost or repeated."""
    for _ in range(draw.randint(1, 3)):
        place = draw.randrange(len(body) + 1)
        body = draw.choice(
            (
                body[:place] + bytes([draw.randrange(256)]) + body[place:],
                body[:place] + body[place + draw.randint(1, 9) :],
                body[:place] + body[place : place + 20] + body[place:],
            )
        )
    return body


def test_every_route_that_reads_a_body_is_fuzzed() -> None:
    """A new one needs a valid body here."""
    paths = {path for route in routes() if route.method == "POST" for path in (route.path, *route.aliases)}
    assert paths == set(VALID)


def test_nothing_is_a_fault() -> None:
    """Thousands of requests, each a valid one that was spoilt; refused or answered, and the state let go."""
    holder = FakeHolder(
        FakeModel(),
        FakeModel("terms", kind="sparse", dimensions=(4,)),
        FakeModel("late", kind="multi_vector", dimensions=(8,)),
        FakeModel("pairs", kind="pairs", sides=()),
        search=FakeSearch(),
        limits=Limits(body=20_000),
    )
    app = create_app(holder)

    async def fuzz() -> dict[int, int]:
        draw, seen = random.Random(5), dict[int, int]()
        for number in range(3000):
            path = draw.choice(list(VALID))
            value = VALID[path] if number % 3 else _mutated(VALID[path], draw)
            body = json.dumps(value).encode()
            body = _spoilt(body, draw) if number % 3 == 1 else body
            if number % 3 == 2:
                body = json.dumps(_mutated(_mutated(value, draw), draw)).encode()
            reply = await converse(app, path, [body])
            assert reply.status < 500, (path, body[:500], reply.body)
            assert reply.status == 200 or reply.json
            seen[reply.status] = seen.get(reply.status, 0) + 1
        return seen

    seen = asyncio.run(fuzz())
    assert seen[200] > 150
    assert seen[400] > 1000
    assert holder.state.using == 0


@pytest.mark.parametrize(
    "body",
    [
        b'{"input":' + b"[" * 1000 + b"]" * 1000 + b"}",
        b'{"a":' * 900 + b"1" + b"}" * 900,
        b'{"input":"a","dimensions":' + b"9" * 5000 + b',"x":{"y":1}}',
        b'{"input":"a","dimensions":1e999}',
        b"\xff\xfe",
        b"null",
        b'"input"',
        b"",
    ],
    ids=["deep lists", "deep objects", "a very long number", "infinity", "no UTF-8", "null", "a text", "nothing"],
)
def test_hostile_json_is_refused(body: bytes) -> None:
    """Whatever the parsers' own limits are."""
    assert ask(create_app(FakeHolder(FakeModel())), "/v1/embeddings", body).status == 400


def test_a_length_that_is_no_length_is_too_large() -> None:
    """However many digits it has."""
    app = create_app(FakeHolder(FakeModel()))
    assert ask(app, "/embed", b"{}", headers={"Content-Length": "9" * 5000}).status == 413
    assert ask(app, "/embed", b"{}", headers={"Content-Length": "-1"}).status == 400
