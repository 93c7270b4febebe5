"""Clients that no server likes: slow ones, ones that leave, that send too much, that send nonsense, or all at once."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from urllib.parse import urlsplit

BROKEN = 0
"""Status of a request that got no answer."""

PATIENCE = 120.0
"""Seconds after which an answer is not waited for any longer."""

ROUTES = (
    *("/v1/embeddings", "/v2/embed", "/embed", "/embed_sparse", "/rerank", "/tokenize", "/search", "/search/batch"),
    *("/v1/models", "/info", "/health", "/ready", "/metrics", "/openapi.json", "/", "/nothing", "/v1/embeddings/"),
)

FIELDS = (
    *("input", "inputs", "texts", "query", "queries", "model", "input_type", "encoding_format", "dimensions", "k"),
    *("truncate", "filter", "turns", "vector", "mode", "index", "embedding_types", "output_dimension", "user"),
    *("raw_scores", "return_text", "prompt_name", "normalize", "truncation_direction", "rerank", "must", "should"),
)


def post(path: str, body: bytes, method: str = "POST", headers: str = "") -> bytes:
    """A request as bytes."""
    return (
        f"{method} {path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n{headers}"
        f"content-length: {len(body)}\r\n\r\n"
    ).encode() + body


async def exchange(url: str, sent: bytes) -> tuple[int, float]:
    """Status and seconds of one request on a connection of its own."""
    parts, began = urlsplit(url), time.perf_counter()
    try:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    except OSError:
        return BROKEN, 0.0
    status = BROKEN
    with suppress(OSError, asyncio.TimeoutError):
        writer.write(sent)
        status = await asyncio.wait_for(_status(reader), PATIENCE)
    seconds = time.perf_counter() - began
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return status, seconds


async def _status(reader: asyncio.StreamReader) -> int:
    """Of an answer, the whole of which was read."""
    head = b""
    while b"\r\n\r\n" not in head:
        part = await reader.read(65536)
        if not part:
            return BROKEN
        head += part
    head, _, rest = head.partition(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            missing = int(line.partition(b":")[2]) - len(rest)
            if missing > 0:
                with suppress(asyncio.IncompleteReadError):
                    await reader.readexactly(missing)
    return int(head.split(b" ", 2)[1])


async def many(works: Sequence[Callable[[], Awaitable[tuple[int, float]]]], at_once: int) -> list[tuple[int, float]]:
    """The outcomes of `works`, so many at a time."""
    turns = asyncio.Semaphore(at_once)

    async def one(work: Callable[[], Awaitable[tuple[int, float]]]) -> tuple[int, float]:
        async with turns:
            return await work()

    return list(await asyncio.gather(*map(one, works)))


async def slow(url: str, sent: bytes, every: float, most: float) -> tuple[int, float]:
    """A byte every so many seconds; status of what the server says to it, and after how long it ended that."""
    parts, began = urlsplit(url), time.perf_counter()
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    ended = asyncio.create_task(_status(reader))
    with suppress(OSError):
        for byte in sent:
            writer.write(bytes([byte]))
            await asyncio.wait([ended], timeout=every)
            if ended.done() or time.perf_counter() - began > most:
                break
    seconds = time.perf_counter() - began
    status = BROKEN
    if ended.done() and ended.exception() is None:
        status = ended.result()
    ended.cancel()
    writer.close()
    return status, seconds


async def leave(url: str, sent: bytes, after: float) -> tuple[int, float]:
    """Sends a request and goes before its answer."""
    parts = urlsplit(url)
    _, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(sent)
    await asyncio.sleep(after)
    writer.transport.abort()
    return BROKEN, after


async def flood(url: str, path: str, size: int) -> tuple[int, float]:
    """Sends a body of `size` bytes as fast as it is taken, and reads the answer then."""
    parts, began = urlsplit(url), time.perf_counter()
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    answer = asyncio.create_task(_status(reader))
    chunk, left = b"x" * 2**20, size
    writer.write(f"POST {path} HTTP/1.1\r\nhost: a\r\ncontent-length: {size}\r\n\r\n".encode())
    with suppress(OSError):
        while left > 0 and not answer.done():
            writer.write(chunk[:left])
            left -= len(chunk)
            await writer.drain()
    status = BROKEN
    with suppress(OSError, asyncio.TimeoutError):
        status = await asyncio.wait_for(answer, PATIENCE)
    writer.close()
    return status, time.perf_counter() - began


def nonsense(chance: random.Random) -> bytes:
    """A request that may be anything: bytes that are no HTTP, no JSON, JSON of wrong types, or a good one."""
    path = chance.choice(ROUTES)
    draw = chance.random()
    if draw < 0.02:
        return chance.randbytes(chance.randint(1, 300)) + b"\r\n\r\n"
    if draw < 0.15:
        return post(path, chance.randbytes(chance.randint(0, 200)))
    if draw < 0.25:
        body = json.dumps(_object(chance, 0)).encode()
        return post(path, body[: chance.randint(0, len(body))])
    method = chance.choice(("GET", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH")) if draw < 0.35 else "POST"
    headers = chance.choice(
        ("", "", "", "authorization: Bearer x\r\n", "accept: */*\r\n", "x-request-id: \xe9\r\n", "expect: nothing\r\n")
    )
    body = json.dumps(_object(chance, 0), ensure_ascii=chance.random() < 0.5).encode("utf-8", "surrogatepass")
    # an answer to HEAD has the length of a body that does not come: the end of the connection is its end
    return post(path, body, method, f"{headers}connection: close\r\n")


def _object(chance: random.Random, depth: int) -> dict[str, object]:
    names = chance.sample(FIELDS, chance.randint(0, 6))
    return {name: _value(chance, depth) for name in names}


def _value(chance: random.Random, depth: int) -> object:
    kind = chance.randrange(9 if depth < 3 else 7)
    if kind == 0:
        return chance.choice((None, True, False))
    if kind == 1:
        return chance.choice((0, 1, -1, 5, 10**18, 10**30, 2**31))
    if kind == 2:
        return chance.choice((0.5, -1e308, 1e-320, float("nan"), float("inf")))
    if kind == 3:
        return chance.choice(("query", "document", "NONE", "END", "float", "base64", "tiny", "dense", "bm25", "fused"))
    if kind == 4:
        return "".join(chr(chance.choice((65, 32, 0x7F, 0x300, 0x4E00, 0x1F600))) for _ in range(chance.randint(0, 40)))
    if kind == 5:
        return chance.choice(("", " ", "\u200b", "\ud800", "\x00", "a" * 3000, "'; drop table", "../../etc/passwd"))
    if kind == 6:
        return [chance.randint(0, 40000) for _ in range(chance.randint(0, 20))]
    if kind == 7:
        return [_value(chance, depth + 1) for _ in range(chance.randint(0, 5))]
    return _object(chance, depth + 1)


def counted(outcomes: Sequence[tuple[int, float]]) -> dict[str, int]:
    """Status -> how many; `0`: no answer."""
    return {str(status): number for status, number in sorted(Counter(status for status, _ in outcomes).items())}
