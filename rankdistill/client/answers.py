"""What a server's answers hold, read and checked."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from rankdistill import plain_json
from rankdistill.client import failures
from rankdistill.client.calls import Answer, Call

SPACE_HEADER = "x-rankdistill-space"
CUT_HEADER = "x-truncated"


@dataclass(frozen=True)
class Hit:
    """A document found.

    Args:
        id: the document.
        score: in the unit of the index, of the fusion, or of the re-ranker.
        fields: its metadata; the beginning of its text as `text` where the index keeps that.
    """

    id: str
    score: float
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Hits(Sequence[Hit]):
    """The documents found for a query, best first; a sequence of `Hit`.

    Args:
        hits: the documents.
        took_ms: milliseconds that the server searched.
        space: fingerprint of the index's space.
        mode: how it was searched; None where the server does not say.
        truncated: whether only the query's beginning was read.
        terms: term -> weight of a sparse query; None for others.
    """

    hits: Sequence[Hit]
    took_ms: float | None = None
    space: str | None = None
    mode: str | None = None
    truncated: bool = False
    terms: Mapping[str, float] | None = None

    def __len__(self) -> int:
        """How many there are."""
        return len(self.hits)

    @overload
    def __getitem__(self, place: int) -> Hit: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Hit]: ...
    def __getitem__(self, place: int | slice) -> Hit | Sequence[Hit]:
        return self.hits[place]

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.hits)


@dataclass(frozen=True)
class Ranked:
    """A text that was scored against a query.

    Args:
        index: its place among the texts that were given.
        score: a probability, or a logit where `raw_scores` was asked for.
        text: itself.
    """

    index: int
    score: float
    text: str


@dataclass(frozen=True)
class Token:
    """A token of a text; `start` and `stop` count characters, None for special ones."""

    id: int
    text: str
    special: bool
    start: int | None
    stop: int | None


@dataclass(frozen=True)
class Vectors:
    """Vectors of some texts.

    Args:
        rows: float32 `[texts, dimension]`, or a mapping of dimension -> weight a text.
        space: the fingerprint that the server tells; None where it tells none.
        truncated: places of the texts of which only the beginning was read.
    """

    rows: Any
    space: str | None
    truncated: Sequence[int]


def parsed(call: Call, answer: Answer) -> Any:
    """The JSON of an answer; ServerError where it is none."""
    try:
        return plain_json.loads(answer.content)
    except ValueError as error:
        raise failures.unreadable(call, answer, "JSON", str(error)) from error


def dense(call: Call, answer: Answer, texts: int) -> Vectors:
    """The vectors of `/v1/embeddings`, in the order of the texts."""
    body = parsed(call, answer)
    expected = f"{texts} finite vectors of one length, one an index"
    try:
        rows: list[NDArray[np.float32] | None] = [None] * texts
        for entry in body["data"]:
            place = entry["index"]
            if type(place) is not int or place < 0 or rows[place] is not None:
                raise ValueError(f"the index {place!r}")
            rows[place] = _vector(entry["embedding"])
        missing = [place for place, row in enumerate(rows) if row is None]
        if missing:
            raise ValueError(f"none for the texts {missing[:5]}")
        made = np.stack([row for row in rows if row is not None])
        if not np.isfinite(made).all():
            raise ValueError("a number that is not finite")
        space, truncated = body.get("space", answer.headers.get(SPACE_HEADER)), body.get("truncated") or ()
        return Vectors(made, space, [int(place) for place in truncated])
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, binascii.Error) as error:
        raise failures.unreadable(call, answer, expected, _told(error)) from error


def sparse(call: Call, answer: Answer, texts: int) -> Vectors:
    """The weights of `/embed_sparse`, a mapping of dimension -> weight a text."""
    body = parsed(call, answer)
    try:
        rows = [{int(entry["index"]): float(entry["value"]) for entry in row} for row in body]
        if len(rows) != texts or not all(np.isfinite(weight) for row in rows for weight in row.values()):
            raise ValueError(f"{len(rows)} rows")
    except (KeyError, TypeError, ValueError) as error:
        raise failures.unreadable(call, answer, f"finite weights of {texts} texts", _told(error)) from error
    return Vectors(rows, answer.headers.get(SPACE_HEADER), cut(answer, texts))


def scores(call: Call, answer: Answer, texts: int) -> NDArray[np.float32]:
    """The scores of `/rerank` in the order of the texts, float32 `[texts]`."""
    body = parsed(call, answer)
    found = np.full(texts, np.nan, dtype=np.float32)
    try:
        for row in body:
            if type(row["index"]) is not int or not 0 <= row["index"] < texts:
                raise ValueError(f"the index {row['index']!r}")
            found[row["index"]] = row["score"]
        if len(body) != texts or not np.isfinite(found).all():
            raise ValueError(f"{len(body)} scores")
    except (KeyError, TypeError, ValueError) as error:
        raise failures.unreadable(call, answer, f"a finite score for each of {texts} texts", _told(error)) from error
    return found


def tokens(call: Call, answer: Answer, texts: int) -> list[list[Token]]:
    """The tokens of `/tokenize`, a list a text."""
    body = parsed(call, answer)
    try:
        found = [
            [Token(one["id"], one["text"], one["special"], one.get("start"), one.get("stop")) for one in row]
            for row in body
        ]
        if len(found) != texts:
            raise ValueError(f"{len(found)} lists")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise failures.unreadable(call, answer, f"the tokens of {texts} texts", _told(error)) from error
    return found


def searches(call: Call, answer: Answer, requests: int) -> list[Hits]:
    """The answers of `/search/batch`, or of `/search` where there is one."""
    body = parsed(call, answer)
    entries = [body] if isinstance(body, dict) else body
    try:
        if len(entries) != requests:
            raise ValueError(f"{len(entries)} answers")
        return [_hits(entry) for entry in entries]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise failures.unreadable(call, answer, f"hits of {requests} searches", _told(error)) from error


def mapping(call: Call, answer: Answer) -> dict[str, Any]:
    """An answer that is a JSON object."""
    body = parsed(call, answer)
    if not isinstance(body, dict):
        raise failures.unreadable(call, answer, "a JSON object", type(body).__name__)
    return body


def cut(answer: Answer, texts: int) -> list[int]:
    """The places of cut texts that a header tells, as the routes without a field for them do."""
    words = answer.headers.get(CUT_HEADER, "").split(",")
    return [place for word in words if word.strip().isdecimal() and (place := int(word)) < texts]


def _vector(value: Any) -> NDArray[np.float32]:
    if isinstance(value, str):
        return np.frombuffer(base64.b64decode(value, validate=True), dtype="<f4").astype(np.float32, copy=False)
    return np.asarray(value, dtype=np.float32).reshape(-1)


def _hits(entry: Any) -> Hits:
    hits = [Hit(str(one["id"]), float(one["score"]), one.get("fields") or {}) for one in entry["hits"]]
    if not all(np.isfinite(hit.score) for hit in hits):
        raise ValueError("a score that is not finite")
    return Hits(
        hits,
        entry.get("took_ms"),
        entry.get("space"),
        entry.get("mode"),
        bool(entry.get("truncated", False)),
        entry.get("terms"),
    )


def _told(error: Exception) -> str:
    return f"no {error}" if isinstance(error, KeyError) else str(error) or type(error).__name__
