"""The interface of text-embeddings-inference: `/embed`, `/embed_sparse`, `/embed_all`, `/rerank`, `/tokenize`."""

from __future__ import annotations

import itertools
from typing import Annotated, Any, Literal

import numpy as np
import orjson
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from rankdistill.serving import served
from rankdistill.serving.bodies import Body
from rankdistill.serving.contracts import ServedModel, Side
from rankdistill.serving.exchange import Answer, Request, Route
from rankdistill.serving.fields import SIDES, FewTexts, Flag, SideName, Text, Whole, listed, shown
from rankdistill.serving.refusals import (
    INFERENCE,
    BackendRefusal,
    BadRequestError,
    EmptyError,
    OtherSpaceError,
    UnknownError,
)
from rankdistill.serving.tokens_left import tokens

Direction = Annotated[
    Literal["Right", "right"],
    Field(description="which end of a text that is too long is left out; only the end can be"),
]
PromptName = Annotated[str, WithJsonSchema({"type": "string", "x-known": "prompts"})]


_TWICE: Any = {
    "not": {
        "required": ["prompt_name", "input_type"],
        "properties": {"prompt_name": {"enum": list(SIDES)}, "input_type": {"not": {"type": "null"}}},
    }
}
"""A prompt name that is a side's says what `input_type` says."""


class EmbedRequest(Body):
    """TEI's request; `input_type` and `model` besides."""

    model_config = ConfigDict(json_schema_extra=_TWICE)

    inputs: FewTexts
    truncate: Flag | None = None
    truncation_direction: Direction | None = None
    prompt_name: PromptName | None = None
    normalize: Flag | None = None
    dimensions: Whole | None = None
    input_type: SideName | None = None
    model: str | None = None


class TokenizeRequest(Body):
    """TEI's request; `input_type` and `model` besides."""

    model_config = ConfigDict(json_schema_extra=_TWICE)

    inputs: FewTexts
    add_special_tokens: Flag = True
    prompt_name: PromptName | None = None
    input_type: SideName | None = None
    model: str | None = None


class RerankRequest(Body):
    """TEI's request; `model` besides."""

    query: Text
    texts: FewTexts
    raw_scores: Flag | None = False
    return_text: Flag | None = False
    truncate: Flag | None = None
    truncation_direction: Direction | None = None
    model: str | None = None


class Weight(BaseModel):
    """A term's place in the vocabulary, and its weight."""

    index: int
    value: float


class TokenOut(BaseModel):
    """A token; `start` and `stop` count characters of the text, null for special tokens."""

    id: int
    text: str
    special: bool
    start: int | None
    stop: int | None


class Rank(BaseModel):
    """A text's place in the request, and its score."""

    index: int
    score: float
    text: str | None = None


def _prompted(request: Request, model: ServedModel, wanted: EmbedRequest | TokenizeRequest) -> tuple[Side, str | None]:
    """The side, and the prompt where it is not the side's own: a `prompt_name` may name a side or a prompt."""
    name, side = wanted.prompt_name, wanted.input_type
    if name is None:
        return served.side(request, model, side), None
    if name in SIDES:
        if side is not None:
            raise BadRequestError(
                expected=f"'prompt_name' or 'input_type': the prompt name {name!r} says the side",
                got="both",
                consequence="nothing was encoded",
                param="prompt_name",
            )
        return served.side(request, model, SIDES[name]), None
    if name not in model.prompts:
        raise BadRequestError(
            expected=f"'prompt_name' out of {listed([*SIDES, *model.prompts])}",
            got=shown(name),
            consequence="nothing was encoded: without the prompt the vectors would be others",
            param="prompt_name",
        )
    return served.side(request, model, side), model.prompts[name]


async def embed(request: Request) -> Answer:
    """`POST /embed`."""
    wanted = request.read(EmbedRequest)
    served.count(request, wanted.inputs, request.limits.client_batch)
    model = served.named(request, wanted.model, ("dense",))
    side, prompt = _prompted(request, model, wanted)
    _require_normalisable(model, wanted.normalize)
    dimensions = served.length(model, wanted.dimensions)
    vectors = await served.dense(
        request,
        model,
        wanted.inputs,
        side,
        truncate=wanted.truncate is not False,
        dimensions=dimensions,
        prompt=prompt,
    )
    if wanted.normalize and not getattr(model.space, "normalised", True):
        vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return Answer(orjson.dumps(list(vectors), option=orjson.OPT_SERIALIZE_NUMPY))


async def embed_sparse(request: Request) -> Answer:
    """`POST /embed_sparse`."""
    wanted = request.read(EmbedRequest)
    served.count(request, wanted.inputs, request.limits.client_batch)
    model = served.named(request, wanted.model, ("sparse",))
    side, prompt = _prompted(request, model, wanted)
    _require_normalisable(model, wanted.normalize)
    served.length(model, wanted.dimensions)
    encoded = await served.encode(
        request, model, wanted.inputs, side, truncate=wanted.truncate is not False, prompt=prompt
    )
    rows = encoded.vectors.tocsr()
    _require_finite(model, rows.data)
    request.tell(encoded, served.space(request, model))
    starts = rows.indptr.tolist()
    weights = [
        [
            {"index": index, "value": value}
            for index, value in zip(rows.indices[start:stop].tolist(), rows.data[start:stop], strict=True)
        ]
        for start, stop in itertools.pairwise(starts)
    ]
    return Answer(orjson.dumps(weights, option=orjson.OPT_SERIALIZE_NUMPY))


async def embed_all(request: Request) -> Answer:
    """`POST /embed_all`: of a multi-vector model."""
    wanted = request.read(EmbedRequest)
    served.count(request, wanted.inputs, request.limits.client_batch)
    model = served.named(request, wanted.model, ("multi_vector",))
    side, prompt = _prompted(request, model, wanted)
    _require_normalisable(model, wanted.normalize)
    served.length(model, wanted.dimensions)
    encoded = await served.encode(
        request, model, wanted.inputs, side, truncate=wanted.truncate is not False, prompt=prompt
    )
    for vectors in encoded.vectors:
        _require_finite(model, vectors)
    request.tell(encoded, served.space(request, model))
    rows = [list(np.ascontiguousarray(vectors, dtype=np.float32)) for vectors in encoded.vectors]
    return Answer(orjson.dumps(rows, option=orjson.OPT_SERIALIZE_NUMPY))


async def rerank(request: Request) -> Answer:
    """`POST /rerank`."""
    wanted = request.read(RerankRequest)
    served.count(request, wanted.texts, request.limits.client_batch)
    name = request.state.reranker if wanted.model is None else wanted.model
    model = served.named(request, name, ("pairs", "multi_vector"))
    truncate = wanted.truncate is not False
    if model.kind == "pairs":
        scored = await model.score(wanted.query, wanted.texts, truncate=truncate)
        scores = np.asarray(scored.scores, dtype=np.float32)
        request.tell(scored)
    else:
        scores = await _late_interaction(request, model, wanted, truncate)
    _require_finite(model, scores)
    order = np.argsort(-scores, kind="stable").tolist()
    shown = scores if wanted.raw_scores or model.kind != "pairs" else _probabilities(scores)
    ranks: list[dict[str, Any]] = [{"index": place, "score": shown[place]} for place in order]
    if wanted.return_text:
        ranks = [rank | {"text": wanted.texts[rank["index"]]} for rank in ranks]
    return Answer(orjson.dumps(ranks, option=orjson.OPT_SERIALIZE_NUMPY))


async def tokenize(request: Request) -> Answer:
    """`POST /tokenize`."""
    wanted = request.read(TokenizeRequest)
    served.count(request, wanted.inputs, request.limits.client_batch)
    model = served.named(request, wanted.model, ("dense", "sparse", "multi_vector", "pairs"))
    side, prompt = _prompted(request, model, wanted) if model.sides else ("query", None)
    texts = [f"{prompt}{text}" for text in wanted.inputs] if prompt else wanted.inputs
    rows = await tokens(model, texts, side, special=wanted.add_special_tokens)
    told = [
        [{"id": one.id, "text": one.text, "special": one.special, "start": one.start, "stop": one.stop} for one in row]
        for row in rows
    ]
    return Answer(orjson.dumps(told))


async def _late_interaction(request: Request, model: ServedModel, wanted: RerankRequest, truncate: bool) -> np.ndarray:
    """MaxSim of the query's token vectors with each text's."""
    for side in ("query", "document"):
        served.side(request, model, side)
    query = await served.encode(request, model, [wanted.query], "query", truncate=truncate)
    texts = await served.encode(request, model, wanted.texts, "document", truncate=truncate)
    request.tokens += sum(query.tokens)
    request.tell(texts, served.space(request, model))
    if query.truncated:  # no score is of the whole query
        request.truncated = range(len(wanted.texts))
    (asked,) = query.vectors
    mean = len(asked) if getattr(model.space, "similarity", "") == "meanmaxsim" else 1
    return np.array([(asked @ found.T).max(axis=1).sum() / mean for found in texts.vectors], dtype=np.float32)


def _probabilities(logits: np.ndarray) -> np.ndarray:
    return (1 / (1 + np.exp(-logits.astype(np.float64)))).astype(np.float32)


def _require_normalisable(model: ServedModel, normalize: bool | None) -> None:
    """BadRequestError where vectors that are compared by their length too would lose it."""
    if normalize and not served.normalisable(model):
        raise BadRequestError(
            expected=f"'normalize' left out: the lengths of {model.name}'s vectors count when they are compared",
            got="true",
            consequence="nothing was encoded: normalised vectors would rank worse, and nothing would show it",
            param="normalize",
        )


def _require_finite(model: ServedModel, values: np.ndarray) -> None:
    if not np.isfinite(values).all():
        raise BackendRefusal(
            expected="finite numbers",
            got=f"NaN or infinity from {model.name} ({model.backend})",
            consequence="nothing was answered",
            remedy="send the request again; look at /ready",
        )


ROUTES = (
    Route(
        "POST",
        "/embed",
        embed,
        "Vectors of texts",
        request=EmbedRequest,
        response=list[list[float]],
        refusals=INFERENCE,
        kinds=("dense",),
        inference=True,
    ),
    Route(
        "POST",
        "/embed_sparse",
        embed_sparse,
        "Weights of terms of texts",
        request=EmbedRequest,
        response=list[list[Weight]],
        refusals=INFERENCE,
        kinds=("sparse",),
        inference=True,
    ),
    Route(
        "POST",
        "/embed_all",
        embed_all,
        "A vector a token of texts",
        request=EmbedRequest,
        response=list[list[list[float]]],
        refusals=INFERENCE,
        kinds=("multi_vector",),
        inference=True,
    ),
    Route(
        "POST",
        "/rerank",
        rerank,
        "Texts by their score for a query, best first",
        request=RerankRequest,
        response=list[Rank],
        refusals=INFERENCE,
        kinds=("pairs", "multi_vector"),
        inference=True,
    ),
    Route(
        "POST",
        "/tokenize",
        tokenize,
        "Tokens of texts",
        request=TokenizeRequest,
        response=list[list[TokenOut]],
        refusals=(UnknownError, OtherSpaceError, EmptyError),
        kinds=("dense", "sparse", "multi_vector", "pairs"),
    ),
)
