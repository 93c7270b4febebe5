"""The client that is awaited."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rankdistill.client import operations
from rankdistill.client.answers import Hits, Ranked, Token
from rankdistill.client.calls import Answer, Call
from rankdistill.client.connection import URL, Body, connect
from rankdistill.client.connection import request_of as sending
from rankdistill.client.failures import UnreachableError
from rankdistill.client.operations import Operation, Result, Side, request_of
from rankdistill.client.retrying import Attempts
from rankdistill.space import AnySpace


class AsyncClient:
    """Asks a running server from coroutines, any number at once; usable in an `async with` that closes it.

    Args:
        url: the server's root.
        api_key: its key; better named by `api_key_env`.
        api_key_env: NAME of the environment variable that holds the key.
        space: the space, or its fingerprint, that vectors and indexes must be of; None: any.
        model: the served model that is meant; the server's first unless given.
        timeout: seconds for a connection, and between two pieces of an answer.
        retries: further attempts after 429, 502, 503, 504 and broken connections; other answers are never asked for
            again, nor is one that did not come in time.
        longest_wait: seconds between two attempts at most; `Retry-After` is honoured, and one that is longer is an
            error at once.
        transport: an httpx transport, in place of the network.

    Raises:
        ConfigError: no address of a server, or a key's variable that is not set.
        MissingDependencyError: httpx is not installed.

    Every call raises:
        ServerError: what the server refuses, with its message, status and request id: `OtherSpaceError` where it is of
            another space, `ServerBusyError` where it had no time, `UnreachableError` where nothing answers.
    """

    def __init__(
        self,
        url: str = URL,
        *,
        api_key: str | None = None,
        api_key_env: str | None = None,
        space: str | AnySpace | None = None,
        model: str | None = None,
        timeout: float = 60.0,
        retries: int = 5,
        longest_wait: float = 30.0,
        transport: Any = None,
    ) -> None:
        self._connection = connect(url, api_key, api_key_env, space, model, timeout, retries, longest_wait, transport)
        self._server = self._connection.server
        self._sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
        self._client = self._connection.httpx.AsyncClient(**self._connection.options)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._server.url!r})"

    async def embed(
        self,
        texts: Sequence[str],
        input_type: Side | None = None,
        *,
        model: str | None = None,
        dimensions: int | None = None,
        truncate: bool = True,
    ) -> NDArray[np.float32]:
        """Vectors, float32 `[texts, dimension]`; texts that were cut become a note.

        Args:
            texts: a list.
            input_type: what they are; None: what the server takes a text for that does not say it.
            model: in place of the client's.
            dimensions: a shorter length, where the model was trained for it.
            truncate: False: refuse a text that is longer than the model reads.
        """
        return await self._run(operations.embed(self._server, texts, input_type, dimensions, truncate, model))

    async def embed_sparse(
        self, texts: Sequence[str], input_type: Side | None = None, *, model: str | None = None, truncate: bool = True
    ) -> list[dict[int, float]]:
        """The weights of a sparse model's terms, a mapping of dimension -> weight a text."""
        return await self._run(operations.embed_sparse(self._server, texts, input_type, truncate, model))

    async def rerank(
        self,
        query: str,
        texts: Sequence[str],
        *,
        model: str | None = None,
        raw_scores: bool = False,
        truncate: bool = True,
    ) -> list[Ranked]:
        """Texts ordered by the served re-ranker, best first; `raw_scores`: logits instead of probabilities."""
        return await self._run(operations.rerank(self._server, query, texts, raw_scores, truncate, model))

    async def search(
        self,
        query: str | None = None,
        k: int = 10,
        *,
        vector: Any = None,
        turns: Sequence[str] | None = None,
        mode: str | None = None,
        filter: Mapping[str, Any] | None = None,
        index: str | None = None,
        rerank: bool | None = None,
    ) -> Hits:
        """The best `k` documents for a query, a vector (or term or dimension -> weight), or a conversation's turns.

        Args:
            query: a text.
            k: documents.
            vector: a query's vector instead.
            turns: a conversation instead, oldest first.
            mode: `dense`, `sparse`, `multi_vector`, `bm25` or `fused`; None: the index's, or fused where several are.
            filter: `{"must": [...], "should": [...], "must_not": [...]}` on the documents' fields.
            index: a served index by name; None: the only one, or all that are fused.
            rerank: whether the served re-ranker orders what was found.
        """
        request = request_of(query, vector, turns, k=k, mode=mode, filter=filter, index=index, rerank=rerank)
        return await self._run(operations.search(self._server, request))

    async def search_batch(
        self,
        queries: Sequence[str | Mapping[str, Any]],
        k: int = 10,
        *,
        mode: str | None = None,
        filter: Mapping[str, Any] | None = None,
        index: str | None = None,
        rerank: bool | None = None,
    ) -> list[Hits]:
        """As `search`, for several at once; a query may be a mapping with arguments of its own, as in
        `{"query": "...", "filter": {...}}`.
        """
        usual = {"k": k, "mode": mode, "filter": filter, "index": index, "rerank": rerank}
        return await self._run(operations.search_batch(self._server, operations.requests_of(queries, usual)))

    async def tokenize(
        self, texts: Sequence[str], *, model: str | None = None, add_special_tokens: bool = True
    ) -> list[list[Token]]:
        """The tokens of each text, as the server's model reads it, whole."""
        return await self._run(operations.tokenize(self._server, texts, add_special_tokens, model))

    async def info(self) -> dict[str, Any]:
        """What is served: models, towers, space, precision, indexes, limits."""
        return await self._run(operations.info(self._server))

    async def ready(self) -> bool:
        """Whether the server answers and is ready; asked once, and no error where nothing is there."""
        try:
            return await self._run(operations.ready(self._server))
        except UnreachableError:
            return False

    async def close(self) -> None:
        """Let the connections go."""
        await self._client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self.close()

    async def _run(self, operation: Operation[Result]) -> Result:
        try:
            call = next(operation)
            while True:
                call = operation.send(await self._send(call))
        except StopIteration as done:
            return done.value

    async def _asked(self, call: Call) -> Answer:
        body = Body(call.where, self._connection.server.secret)
        async with self._client.stream(**sending(call)) as response:
            async for part in response.aiter_bytes():
                body.add(part)
        return body.of(response)

    async def _send(self, call: Call) -> Answer:
        connection, attempts = self._connection, Attempts(call, self._connection.policy)
        while True:
            try:
                answer = await self._asked(call)
            except connection.httpx.RequestError as error:
                wait = attempts.broken(*connection.problem(error))
            else:
                if (asked := attempts.answered(answer)) is None:
                    return answer
                wait = asked
            await self._sleep(wait)
