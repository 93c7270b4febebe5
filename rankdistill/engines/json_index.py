"""What Elasticsearch and OpenSearch have in common: an index of JSON documents, asked over HTTP."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar, Protocol
from urllib.parse import urlsplit

from rankdistill.engines.base import ID, POSITION, TEXT, Batch, Leg, LegName, Look, Shape
from rankdistill.engines.registry import shown
from rankdistill.engines.results import answering, ranked, without_secrets
from rankdistill.errors import ConfigError, RemoteError
from rankdistill.indexing.base import Ids, Scores
from rankdistill.notes import note as tell_note

NOTE = "rankdistill"
"""Key of the note in the mapping's `_meta`."""

LONGEST_ID = 512
"""Bytes of an id of a document that the engines take; a longer one is hashed there, and kept whole as a field."""

LONGEST_KEYWORD = 8191
"""Characters of a text that can be filtered on: four bytes each are as many as Lucene takes."""

TRIES = 5
"""How often what the engine puts off (429, 503) is sent."""

PUT_OFF = (429, 503)
"""Statuses of documents that may be sent again."""

TIMEOUT = 300
"""Seconds that an answer may take."""

FIELD_TYPES: Mapping[str, Mapping[str, Any]] = {
    "string": {"type": "keyword", "ignore_above": LONGEST_KEYWORD},
    "integer": {"type": "long"},
    "number": {"type": "double"},
    "boolean": {"type": "boolean"},
    "date": {"type": "date"},
    "strings": {"type": "keyword", "ignore_above": LONGEST_KEYWORD},
}
"""Type of a field -> its mapping."""


class Dialect(Protocol):
    """What one of the two says in its own words; bodies are JSON values."""

    name: str
    title: str

    def index_body(self, shape: Shape, note: str) -> dict[str, Any]:
        """Settings and mappings of a new index."""
        ...

    def search_body(self, leg: Leg, query: Any, look: Look) -> dict[str, Any]:
        """A search: `query` is a list of numbers, or term -> weight."""
        ...

    def score(self, leg: Leg, value: float, look: Look) -> float:
        """The cosine or the dot product behind the engine's score."""
        ...

    def parameters(self) -> dict[str, str]:
        """Of the address of a search."""
        ...

    def connect(self, url: str, secret: str | None) -> Any:
        """The official client."""
        ...

    def errors(self) -> tuple[type[BaseException], ...]:
        """What the client raises."""
        ...


class JsonIndex:
    """One index.

    Args:
        dialect: which engine.
        url: `https://HOST:9200`.
        collection: the index.
        secret: as the dialect takes it.
    """

    kinds: ClassVar[tuple[LegName, ...]] = ("dense", "sparse")

    def __init__(self, dialect: Dialect, url: str, collection: str, secret: str | None = None) -> None:
        self.name, self.collection, self._url, self._dialect = dialect.name, collection, url, dialect
        self._secret = secret
        with self._answering():
            self._client = dialect.connect(url, secret)

    @property
    def version(self) -> str:
        """Of the server."""
        with self._answering():
            return str(self._client.info()["version"]["number"])

    def read_note(self) -> str | None:
        """See `Engine.read_note`."""
        with self._answering():
            if not self._client.indices.exists(index=self.collection):
                return None
            (found,) = self._client.indices.get_mapping(index=self.collection).values()
        return str(found["mappings"].get("_meta", {}).get(NOTE, ""))

    def keep_note(self, note: str) -> None:
        """See `Engine.keep_note`."""
        with self._answering():
            self._client.indices.put_mapping(index=self.collection, body={"_meta": {NOTE: note}})

    def create(self, shape: Shape, note: str) -> None:
        """See `Engine.create`."""
        if "sparse" in shape.legs:
            tell_note(
                f"{self._dialect.title} keeps the weights of sparse vectors to 9 bits: scores are off by up to 0.4%, "
                "and near ones may change places"
            )
        with self._answering():
            self._client.indices.create(index=self.collection, body=self._dialect.index_body(shape, note))

    def drop(self) -> None:
        """See `Engine.drop`."""
        with self._answering():
            self._client.indices.delete(index=self.collection)

    def rewind(self, position: int) -> None:
        """See `Engine.rewind`: what is written twice is replaced."""

    def write(self, batch: Batch) -> None:
        """See `Engine.write`; what the engine puts off is sent again."""
        left = [
            ({"index": {"_index": self.collection, "_id": _id(document[ID])}}, document)
            for document in documents(batch)
        ]
        for attempt in range(TRIES):
            if attempt:
                time.sleep(2.0**attempt)
            with self._answering():
                answer = self._client.bulk(body=[line for pair in left for line in pair])
            if not answer["errors"]:
                return
            outcomes = [item["index"] for item in answer["items"]]
            for one in outcomes:
                if one["status"] >= 300 and (one["status"] not in PUT_OFF or attempt == TRIES - 1):
                    raise self._refused(one)
            left = [pair for pair, one in zip(left, outcomes, strict=True) if one["status"] >= 300]

    def finish(self, shape: Shape) -> None:
        """See `Engine.finish`."""
        with self._answering():
            self._client.indices.refresh(index=self.collection)

    def count(self) -> int:
        """See `Engine.count`."""
        with self._answering():
            self._client.indices.refresh(index=self.collection)
            return int(self._client.count(index=self.collection)["count"])

    def search(self, leg: Leg, queries: Any, look: Look) -> tuple[Ids, Scores]:
        """See `Engine.search`; sparse searches are always exact, but for the weights' 9 bits."""
        rows: list[list[tuple[str, float, int]]] = []
        for query in asked(leg, queries):
            if not query:
                rows.append([])
                continue
            body = self._dialect.search_body(leg, query, look)
            with self._answering():
                found = self._client.search(index=self.collection, body=body, **self._parameters())
            hits = [(one["_source"], one["_score"]) for one in found["hits"]["hits"]]
            rows.append([(kept[ID], self._dialect.score(leg, score, look), kept[POSITION]) for kept, score in hits])
        return ranked(rows, look.k)

    def close(self) -> None:
        """See `Engine.close`."""
        self._client.close()

    def _parameters(self) -> dict[str, Any]:
        found = self._dialect.parameters()
        return {"params": found} if found else {}

    def _refused(self, item: Mapping[str, Any]) -> RemoteError:
        reason = item.get("error", {})
        told = without_secrets(self._url, self._secret, str(reason.get("reason")))[:300]
        return RemoteError(
            expected=f"{self._dialect.title} at {shown(self._url)} to take document {item['_id']!r}",
            got=f"status {item['status']}: {reason.get('type')}: {told}",
            consequence="what was written before is kept; the same command goes on from there",
            remedy="see what the engine says; where it has no room or no time, push again later",
        )

    @contextmanager
    def _answering(self) -> Iterator[None]:
        with answering(self._dialect.title, self._url, self._dialect.errors(), self._secret):
            yield


def kept_properties(shape: Shape) -> dict[str, Any]:
    """The mapping of what is kept beside the vectors."""
    found: dict[str, Any] = {ID: {"type": "keyword", "ignore_above": LONGEST_KEYWORD}, POSITION: {"type": "long"}}
    if shape.texts:
        found[TEXT] = {"type": "text"}
    return found | {name: dict(FIELD_TYPES[kind]) for name, kind in shape.fields.items()}


def documents(batch: Batch) -> Iterator[dict[str, Any]]:
    """Each document as JSON; a sparse vector is dimension -> weight, and absent where it has none."""
    terms = list(batch.terms()) if batch.sparse is not None else []
    for row, payload in enumerate(batch.payloads()):
        if batch.dense is not None:
            payload["dense"] = batch.dense[row].tolist()
        if terms and terms[row][0]:
            payload["sparse"] = weights_of(*terms[row])
        yield payload


def weights_of(places: list[int], weights: list[float]) -> dict[str, float]:
    """Dimension -> weight; names of terms may have dots, which the engines refuse."""
    return {str(place): weight for place, weight in zip(places, weights, strict=True)}


def asked(leg: Leg, queries: Any) -> Iterator[Any]:
    """Each query as JSON; an empty one for a sparse query without terms."""
    if leg.name == "dense":
        yield from (query.tolist() for query in queries)
    else:
        for places, weights in Batch(0, [""] * queries.shape[0], sparse=queries).terms():
            yield weights_of(places, weights)


def answer_of(look: Look) -> dict[str, Any]:
    """What every search asks for: so many ids and places, equal scores in the order of the source."""
    return {
        "size": look.k,
        "_source": [ID, POSITION],
        "sort": [{"_score": {"order": "desc"}}, {POSITION: {"order": "asc"}}],
    }


def require_web(url: str) -> None:
    """Raise ConfigError unless `url` is of the web."""
    if urlsplit(url).scheme not in ("http", "https"):
        raise ConfigError(
            expected="http://HOST:9200 or https://HOST:9200",
            got=shown(url),
            consequence="nothing was run",
            remedy="give one of these",
        )


def _id(doc_id: str) -> str:
    raw = doc_id.encode()
    return doc_id if len(raw) <= LONGEST_ID else f"sha256-{hashlib.sha256(raw).hexdigest()}"
