"""Search in the served indexes: `/search`, `/search/batch`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, Field, RootModel, WithJsonSchema

from rankdistill.serving import bodies
from rankdistill.serving.bodies import Body
from rankdistill.serving.contracts import SearchAnswer, SearchRequest, SearchService, Timing
from rankdistill.serving.exchange import Answer, Request, Route
from rankdistill.serving.fields import Flag, Text, Whole, shown
from rankdistill.serving.refusals import (
    BackendRefusal,
    BadRequestError,
    EmptyError,
    OtherSpaceError,
    OverloadedError,
    TooLargeError,
    TooLongError,
    UnknownError,
)

_NUMBERS = {"type": "array", "items": {"type": "number"}, "minItems": 1}
_PAIR = {
    "type": "object",
    "properties": {"index": {"type": "integer", "minimum": 0}, "value": {"type": "number"}},
    "required": ["index", "value"],
    "additionalProperties": False,
}
_VECTOR = {
    "anyOf": [
        {"description": "dense", **_NUMBERS},
        {"description": "sparse, by term", "type": "object", "additionalProperties": {"type": "number"}},
        {"description": "sparse, as /embed_sparse gives it", "type": "array", "items": _PAIR, "minItems": 1},
        {"description": "multi-vector, a list a token", "type": "array", "items": _NUMBERS, "minItems": 1},
        {"type": "null"},
    ]
}
_GROUP = {"type": "array", "items": {"type": "object"}}
_FILTER = {
    "anyOf": [
        {"type": "object", "properties": {"must": _GROUP, "should": _GROUP, "must_not": _GROUP}},
        {"type": "null"},
    ],
    "description": "what a document's fields must be; the fields of each index and their types are in /info",
}


class SearchBody(Body):
    """A search: a query's text, a vector, or the turns of a conversation, oldest first."""

    query: Text | None = None
    vector: Annotated[Any, WithJsonSchema(_VECTOR)] = None
    turns: list[str] | None = None
    k: Whole = 10
    mode: Literal["dense", "sparse", "multi_vector", "bm25", "fused"] | None = None
    rerank: Flag | None = None
    filter: Annotated[dict[str, Any] | None, WithJsonSchema(_FILTER)] = None
    index: str | None = None
    space: str | None = None
    truncate: Literal["NONE", "END"] | None = "END"

    @property
    def request(self) -> SearchRequest:
        """For the search service."""
        return SearchRequest(
            self.query,
            self.vector,
            self.turns,
            self.k,
            self.mode,
            bool(self.rerank),
            self.filter,
            self.index,
            self.truncate != "NONE",
            self.space,
        )


class SearchBodies(
    RootModel[Annotated[list[SearchBody], Field(min_length=1, json_schema_extra={"x-limit": "searches"})]]
):
    """Searches that are answered together, those under one filter in one go."""


class FoundDocument(BaseModel):
    """A document; `fields` has its metadata, and the beginning of its text where that is kept."""

    id: str
    score: float
    fields: dict[str, Any]


class SearchResponse(BaseModel):
    """What was found, best first; `terms` are those of a sparse query."""

    hits: list[FoundDocument]
    took_ms: float
    space: str
    mode: str
    reranked: bool
    truncated: bool
    terms: dict[str, float] | None = None


class SearchResponses(RootModel[list[SearchResponse]]):
    """An answer a search, in their order."""


async def search(request: Request) -> Answer:
    """`POST /search`."""
    (answer,) = await _answers(request, [request.read(SearchBody)])
    return Answer(orjson.dumps(_told(answer)))


async def search_batch(request: Request) -> Answer:
    """`POST /search/batch`."""
    found = bodies.parse(request.body)
    if type(found) is not list:
        raise BadRequestError(
            expected="a JSON list of searches",
            got=shown(found),
            consequence="nothing was searched",
            remedy="send one search to /search",
        )
    if not found:
        raise EmptyError(expected="at least one search", got="[]", consequence="nothing was searched")
    if len(found) > request.limits.searches:
        raise TooLargeError(
            expected=f"at most {request.limits.searches} searches",
            got=str(len(found)),
            consequence="nothing was searched",
            remedy="send them in several requests; the limit is in /info",
        )
    answers = await _answers(request, [_entry(one, place) for place, one in enumerate(found)])
    return Answer(orjson.dumps([_told(answer) for answer in answers]))


def _entry(value: Any, place: int) -> SearchBody:
    if type(value) is not dict:
        raise BadRequestError(
            expected=f"a JSON object as search {place}", got=shown(value), consequence="nothing was searched"
        )
    return bodies.take(value, SearchBody)


async def _answers(request: Request, wanted: Sequence[SearchBody]) -> list[SearchAnswer]:
    request.texts = len(wanted)
    answers = await _service(request).search([one.request for one in wanted], request.filter)
    request.timing = _slowest([answer.timing for answer in answers])
    request.tokens = sum(answer.tokens for answer in answers)
    request.truncated = [place for place, answer in enumerate(answers) if answer.truncated]
    request.space = answers[0].space
    return answers


def _service(request: Request) -> SearchService:
    found = request.state.search
    if found is None:
        raise UnknownError(
            expected="a server with an index",
            got="one without",
            consequence="nothing was searched",
            remedy="serve with --index INDEX",
        )
    return found


def _slowest(timings: Sequence[Timing]) -> Timing:
    return max(timings, key=lambda one: one.tokenisation + one.queue + one.inference)


def _told(answer: SearchAnswer) -> Mapping[str, Any]:
    told = {
        "hits": [{"id": hit.id, "score": hit.score, "fields": hit.fields} for hit in answer.hits],
        "took_ms": round(answer.took * 1e3, 3),
        "space": answer.space,
        "mode": answer.mode,
        "reranked": answer.reranked,
        "truncated": answer.truncated,
    }
    return told if answer.terms is None else {**told, "terms": answer.terms}


_REFUSALS = (EmptyError, UnknownError, OtherSpaceError, TooLargeError, TooLongError, BackendRefusal, OverloadedError)

ROUTES = (
    Route(
        "POST",
        "/search",
        search,
        "The best documents of the served indexes for a query",
        request=SearchBody,
        response=SearchResponse,
        refusals=_REFUSALS,
        inference=True,
    ),
    Route(
        "POST",
        "/search/batch",
        search_batch,
        "Several searches at once; those under one filter cost little more than one",
        request=SearchBodies,
        response=SearchResponses,
        refusals=_REFUSALS,
        inference=True,
    ),
)
