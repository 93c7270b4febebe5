"""The clients that users have work unchanged, over HTTP: OpenAI's, Cohere's, LangChain's, LlamaIndex's."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from hashlib import sha256

import httpx
import numpy as np
import pytest

from rankdistill.serving.app import create_app
from rankdistill.serving.contracts import Limits
from rankdistill.serving.security import Key, Keys
from tests.serving.fakes import FakeHolder, FakeModel
from tests.serving.process.loopback import answer, post, serving

TEXTS = ["a deep river", "bread", "river " * 30]


@pytest.fixture(scope="module")
def model() -> FakeModel:
    """One model for both sides, as a plain student is."""
    return FakeModel(symmetric=True)


@pytest.fixture(scope="module")
def port(model: FakeModel) -> Iterator[int]:
    """Of a server that holds it, and asks for a key."""
    keys = Keys([Key(sha256(b"KEY").digest())])
    with serving(create_app(FakeHolder(model), keys=keys), Limits()) as running:
        yield running.port


def _vectors(model: FakeModel, texts: list[str], side: str = "query") -> np.ndarray:
    return asyncio.run(model.encode(texts, side)).vectors  # type: ignore[arg-type]


def _until(happened: Callable[[], bool]) -> None:
    """Wait for what another thread does."""
    end = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.001)


def test_openai(port: int, model: FakeModel) -> None:
    """Its client asks for base64 by itself; refusals come as its own errors."""
    import openai

    with openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="KEY", max_retries=0) as client:
        for encoding in ({}, {"encoding_format": "float"}):
            given = client.embeddings.create(model="tiny", input=TEXTS, **encoding)
            vectors = np.array([row.embedding for row in given.data], dtype=np.float32)
            np.testing.assert_array_equal(vectors, _vectors(model, TEXTS))
        assert given.model_extra is not None
        assert given.model_extra["truncated"] == [2]
        cut = client.embeddings.create(model="tiny", input="a", dimensions=4, extra_body={"input_type": "document"})
        assert len(cut.data[0].embedding) == 4
        assert [one.id for one in client.models.list()] == ["tiny"]
        with pytest.raises(openai.NotFoundError) as unknown:
            client.embeddings.create(model="text-embedding-3-small", input="a")
        assert unknown.value.param == "model"
        with pytest.raises(openai.BadRequestError, match="token ids"):
            client.embeddings.create(model="tiny", input=[[1, 2]])
        with pytest.raises(openai.AuthenticationError):
            client.with_options(api_key="other").embeddings.create(model="tiny", input="a")


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/v1/embeddings", "authorization: Bearer other\r\n", 401),
        ("/v1/other", "authorization: Bearer KEY\r\n", 404),
        ("/v1/models", "authorization: Bearer KEY\r\n", 405),
        ("/v1/embeddings", "authorization: Bearer KEY\r\ncontent-type: text/plain\r\n", 415),
    ],
)
def test_a_refusal_reaches_who_still_sends_its_body(port: int, path: str, headers: str, status: int) -> None:
    """Clients send head and body apart; what is refused by its head alone is answered, and what still comes is read."""
    sent = post(b'{"input": "a"}', path, headers)
    head, body = sent[:-14], sent[-14:]
    with socket.create_connection(("127.0.0.1", port), 30) as client:
        client.sendall(head)
        assert client.recv(1, socket.MSG_PEEK), "it is answered before its body comes"
        client.sendall(body)
        assert f" {status} ".encode() in answer(client).split(b"\r\n")[0]


def test_cohere(port: int, model: FakeModel) -> None:
    """The second version of its interface."""
    import cohere

    with httpx.Client() as http:
        client = cohere.ClientV2(api_key="KEY", base_url=f"http://127.0.0.1:{port}", httpx_client=http)
        given = client.embed(
            model="tiny", texts=TEXTS, input_type="search_document", embedding_types=["float"], output_dimension=8
        )
        assert given.embeddings.float_ is not None
        vectors = np.array(given.embeddings.float_, dtype=np.float32)
        np.testing.assert_array_equal(vectors, _vectors(model, TEXTS, "document"))
        assert given.meta is not None
        assert given.meta.warnings
        with pytest.raises(cohere.NotFoundError):
            client.embed(model="embed-v4.0", texts=["a"], input_type="search_query")
        with pytest.raises(cohere.BadRequestError):
            client.embed(model="tiny", texts=[""], input_type="search_query")


def test_langchain(port: int, model: FakeModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """It sends token ids unless it is told not to: refused, and the refusal says how to tell it."""
    import openai
    import tiktoken
    from langchain_openai import OpenAIEmbeddings
    from pydantic import SecretStr

    named = {"model": "tiny", "base_url": f"http://127.0.0.1:{port}/v1", "api_key": SecretStr("KEY"), "max_retries": 0}
    ids = tiktoken.Encoding(
        "bytes", pat_str=".", mergeable_ranks={bytes([i]): i for i in range(256)}, special_tokens={}
    )
    monkeypatch.setattr(tiktoken, "encoding_for_model", lambda name: ids)  # its files are on the internet
    with httpx.Client() as http:
        client = OpenAIEmbeddings(check_embedding_ctx_length=False, http_client=http, **named)
        np.testing.assert_allclose(client.embed_documents(TEXTS), _vectors(model, TEXTS), rtol=1e-6)
        np.testing.assert_allclose(client.embed_query("bread"), _vectors(model, ["bread"])[0], rtol=1e-6)
        with pytest.raises(openai.BadRequestError, match="check_embedding_ctx_length=False"):
            OpenAIEmbeddings(http_client=http, **named).embed_query("bread")


def test_llama_index(port: int, model: FakeModel) -> None:
    """With `model_name`, for it knows OpenAI's own names only by `model`."""
    from llama_index.embeddings.openai import OpenAIEmbedding

    with httpx.Client() as http:
        client = OpenAIEmbedding(
            model_name="tiny", api_base=f"http://127.0.0.1:{port}/v1", api_key="KEY", max_retries=0, http_client=http
        )
        np.testing.assert_allclose(client.get_text_embedding_batch(TEXTS), _vectors(model, TEXTS), rtol=1e-6)
        np.testing.assert_allclose(client.get_query_embedding("bread"), _vectors(model, ["bread"])[0], rtol=1e-6)


def test_a_real_client_that_leaves_is_dropped() -> None:
    """Over a socket: what waits is cancelled when the connection closes."""
    model = FakeModel(symmetric=True, gate=asyncio.Event())
    with serving(create_app(FakeHolder(model)), Limits()) as running:
        port = running.port
        body = b'{"input":"a"}'
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(
                b"POST /v1/embeddings HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
            )
            _until(lambda: bool(model.asked))
        _until(lambda: model.dropped == 1)
    assert model.dropped == 1
