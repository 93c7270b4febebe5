"""What a client asks for, without sending: each operation yields calls, is sent their answers, and returns a result.

So that the client that waits and the one that is awaited are the same but for how they send. Texts beyond what the
server takes at once go in several calls; a batch that it finds too large all the same (413) is halved.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from rankdistill.client import answers, failures
from rankdistill.client.answers import Hits, Ranked, Token, Vectors
from rankdistill.client.calls import Answer, Call, post, post_value
from rankdistill.errors import ConfigError
from rankdistill.notes import note

Result = TypeVar("Result")
Part = TypeVar("Part")
Operation = Generator[Call, Answer, Result]
"""Yields calls, is sent the answer to each, and returns the result."""

Side = Literal["query", "document"]

BATCH = 128
"""Texts of a call, where the server takes as many: enough that it is busy, few enough that others get their turn."""

SMALL_BATCH = 32
"""TEI's limit, where `/info` tells none."""


@dataclass
class Server:
    """The server that is asked, and what is known of it.

    Args:
        url: its root, without a slash at the end.
        space: the fingerprint that its vectors must have; None: any.
        model: the model that is asked for; None: its first one.
        secret: what no error may show.
        told: its `/info`; None until it was asked for.
    """

    url: str
    space: str | None = None
    model: str | None = None
    secret: str | None = None
    told: Mapping[str, Any] | None = field(default=None, compare=False)


def embed(
    server: Server,
    texts: Sequence[str],
    side: Side | None,
    dimensions: int | None,
    truncate: bool,
    model: str | None,
) -> Operation[NDArray[np.float32]]:
    """`/v1/embeddings`, vectors in base64."""
    _require_texts(texts)
    limit = yield from _limit(server, "inputs", BATCH)
    where = f"{server.url}/v1/embeddings"

    def ask(some: Sequence[str]) -> Call:
        return post(
            where,
            input=list(some),
            model=model or server.model,
            input_type=side,
            encoding_format="base64",
            dimensions=dimensions,
            truncate="END" if truncate else "NONE",
        )

    parts = yield from _in_parts(server, texts, limit, ask, answers.dense)
    _told_of_cuts(where, [place for part in parts for place in part.truncated], len(texts))
    rows = [part.rows for part in parts]
    if len({row.shape[1] for row in rows}) > 1:
        raise ConfigError(
            expected="vectors of one length",
            got=f"lengths {sorted({row.shape[1] for row in rows})}",
            consequence="nothing was returned: the server's model was changed between two calls",
            remedy="ask again",
        )
    return np.concatenate(rows)


def embed_sparse(
    server: Server, texts: Sequence[str], side: Side | None, truncate: bool, model: str | None
) -> Operation[list[dict[int, float]]]:
    """`/embed_sparse`, with the side as the name of the prompt."""
    _require_texts(texts)
    limit = yield from _limit(server, "client_batch", SMALL_BATCH)
    where = f"{server.url}/embed_sparse"

    def ask(some: Sequence[str]) -> Call:
        return post(where, inputs=list(some), truncate=truncate, prompt_name=side, model=model or server.model)

    parts = yield from _in_parts(server, texts, limit, ask, answers.sparse)
    _told_of_cuts(where, [place for part in parts for place in part.truncated], len(texts))
    return [row for part in parts for row in part.rows]


def rerank(
    server: Server, query: str, texts: Sequence[str], raw_scores: bool, truncate: bool, model: str | None
) -> Operation[list[Ranked]]:
    """`/rerank`; the best first, of equal scores the first given."""
    _require_texts(texts)
    limit = yield from _limit(server, "client_batch", SMALL_BATCH)

    def ask(some: Sequence[str]) -> Call:
        return post(
            f"{server.url}/rerank",
            query=query,
            texts=list(some),
            raw_scores=raw_scores,
            truncate=truncate,
            return_text=False,
            model=model,
        )

    parts = yield from _in_parts(server, texts, limit, ask, answers.scores)
    found = np.concatenate(parts)
    order = np.argsort(-found, kind="stable")
    return [Ranked(int(place), float(found[place]), texts[place]) for place in order]


def tokenize(server: Server, texts: Sequence[str], special: bool, model: str | None) -> Operation[list[list[Token]]]:
    """`/tokenize`."""
    _require_texts(texts)
    limit = yield from _limit(server, "client_batch", SMALL_BATCH)

    def ask(some: Sequence[str]) -> Call:
        return post(
            f"{server.url}/tokenize", inputs=list(some), add_special_tokens=special, model=model or server.model
        )

    parts = yield from _in_parts(server, texts, limit, ask, answers.tokens)
    return [row for part in parts for row in part]


def search(server: Server, request: Mapping[str, Any]) -> Operation[Hits]:
    """`/search`."""
    call = post(f"{server.url}/search", **request)
    answer = yield from _asked(server, call)
    (found,) = answers.searches(call, answer, 1)
    _require_space(server, call.where, found.space)
    if found.truncated:
        _told_of_cuts(call.where, [0], 1)
    return found


def search_batch(server: Server, requests: Sequence[Mapping[str, Any]]) -> Operation[list[Hits]]:
    """`/search/batch`."""
    if not requests:
        return []
    limit = yield from _limit(server, "searches", SMALL_BATCH)
    where = f"{server.url}/search/batch"

    def ask(some: Sequence[Mapping[str, Any]]) -> Call:
        return post_value(where, [_given(request) for request in some])

    parts = yield from _in_parts(server, requests, limit, ask, answers.searches)
    found = [hits for part in parts for hits in part]
    for hits in found:
        _require_space(server, where, hits.space)
    _told_of_cuts(where, [place for place, hits in enumerate(found) if hits.truncated], len(found))
    return found


def info(server: Server) -> Operation[dict[str, Any]]:
    """`/info`."""
    call = Call("GET", f"{server.url}/info")
    answer = yield from _asked(server, call)
    server.told = answers.mapping(call, answer)
    return dict(server.told)


def ready(server: Server) -> Operation[bool]:
    """`/ready`, asked once."""
    answer = yield Call("GET", f"{server.url}/ready", retried=False)
    return answer.success


def request_of(
    query: str | None,
    vector: Any,
    turns: Sequence[str] | None,
    **fields: Any,
) -> dict[str, Any]:
    """An entry of `/search`; a vector may be an array, or a mapping of term (or dimension) -> weight.

    Raises:
        ConfigError: not exactly one of query, vector and turns.
    """
    if sum(one is not None for one in (query, vector, turns)) != 1:
        raise ConfigError(
            expected="a query, a vector or the turns of a conversation",
            got=f"query={query!r}, turns={turns!r}, and {'a' if vector is not None else 'no'} vector",
            consequence="nothing was asked",
            remedy="give one of the three",
        )
    turns = None if turns is None else list(turns)
    return _given({"query": query, "vector": _vector(vector), "turns": turns, **fields})


def _vector(vector: Any) -> Any:
    """A vector as the server takes it: numbers; of a sparse one term -> weight, or dimensions with their weights."""
    if not isinstance(vector, Mapping):
        return None if vector is None else np.asarray(vector, float).tolist()
    if all(isinstance(term, str) for term in vector):
        return {term: float(weight) for term, weight in vector.items()}
    return [{"index": int(term), "value": float(weight)} for term, weight in vector.items()]


def requests_of(queries: Sequence[str | Mapping[str, Any]], usual: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The entries of `/search/batch`: texts, or mappings of arguments, with the usual ones besides."""
    if isinstance(queries, str | Mapping):
        raise ConfigError(
            expected="a list of queries",
            got=f"one {type(queries).__name__}",
            consequence="nothing was asked",
            remedy="put it into a list, or call `search`",
        )
    found = []
    for one in queries:
        said = {"query": one} if isinstance(one, str) else dict(one)
        asked = {name: said.pop(name, None) for name in ("query", "vector", "turns")}
        found.append(request_of(asked["query"], asked["vector"], asked["turns"], **{**usual, **said}))
    return found


def _given(request: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in request.items() if value is not None}


def _in_parts(
    server: Server,
    things: Sequence[Any],
    limit: int,
    ask: Callable[[Sequence[Any]], Call],
    read: Callable[[Call, Answer, int], Part],
) -> Operation[list[Part]]:
    """The parts of the result, in the order of `things`; `limit` of them a call, fewer where the server refuses."""
    found: list[Part] = []
    start = 0
    while start < len(things):
        some = things[start : start + limit]
        call = ask(some)
        answer = yield call
        if answer.status == 413 and len(some) > 1:
            limit = len(some) // 2
            continue
        if not answer.success:
            raise failures.refused(call, answer, server.secret)
        part = read(call, answer, len(some))
        if isinstance(part, Vectors):
            _require_space(server, call.where, part.space)
            part = Vectors(part.rows, part.space, [start + place for place in part.truncated])  # type: ignore[assignment]
        found.append(part)
        start += len(some)
    return found


def _asked(server: Server, call: Call) -> Operation[Answer]:
    answer = yield call
    if not answer.success:
        raise failures.refused(call, answer, server.secret)
    return answer


def _limit(server: Server, name: str, usual: int) -> Operation[int]:
    """How many a call: `usual`, or fewer where the server's `/info` says so; other servers may not have that page."""
    if server.told is None:
        call = Call("GET", f"{server.url}/info")
        answer = yield call
        server.told = {} if not answer.success else answers.mapping(call, answer)
    limits = server.told.get("limits")
    told = limits.get(name) if isinstance(limits, Mapping) else None
    if told is None and name == "client_batch":
        told = server.told.get("max_client_batch_size")
    if not isinstance(told, int | float) or told < 1:
        return usual
    return min(int(told), BATCH)


def _require_texts(texts: Sequence[str]) -> None:
    if isinstance(texts, str) or not texts or not all(isinstance(text, str) for text in texts):
        raise ConfigError(
            expected="a list of texts, one at least",
            got=repr(texts)[:100],
            consequence="nothing was asked",
            remedy="give texts; one text stands in a list too",
        )


def _require_space(server: Server, where: str, found: str | None) -> None:
    """Raise OtherSpaceError where the server's vectors are not of the space that is asked for."""
    if server.space is not None and found != server.space:
        raise failures.OtherSpaceError(
            expected=f"vectors of the space {server.space} from {where}",
            got="a server that tells no space" if found is None else f"the space {found}",
            consequence="they cannot be compared with yours, so nothing was returned",
            remedy="ask the server of that space, or embed your documents again with the model that is served",
        )


def _told_of_cuts(where: str, places: Sequence[int], texts: int) -> None:
    """A note on the texts of which the model read only the beginning."""
    if places:
        some = ", ".join(map(str, places[:5])) + (", ..." if len(places) > 5 else "")
        note(
            f"{where} read only the beginning of {len(places):,} of {texts:,} texts (places {some}), as they are longer"
            " than its model reads"
        )
