"""Cohere's interface: `/v2/embed`."""

from __future__ import annotations

from base64 import b64encode
from typing import Annotated, Literal

import orjson
from pydantic import BaseModel, Field

from rankdistill.serving import served
from rankdistill.serving.bodies import Body
from rankdistill.serving.exchange import Answer, Request, Route
from rankdistill.serving.fields import SideName, Texts, Whole
from rankdistill.serving.refusals import INFERENCE

EmbeddingType = Literal["float", "base64"]


class CohereEmbedRequest(Body):
    """Cohere's request; types that are quantised, images and a truncation at the start are refused."""

    texts: Texts
    model: str
    input_type: SideName
    embedding_types: Annotated[list[EmbeddingType], Field(min_length=1)] | None = None
    truncate: Literal["NONE", "END"] | None = "END"
    output_dimension: Whole | None = None


class Embeddings(BaseModel):
    """The vectors by type; `base64`: their bytes as little-endian float32."""

    floats: list[list[float]] | None = Field(None, alias="float")
    base64: list[str] | None = None


class Version(BaseModel):
    """Of the interface."""

    version: str


class Billed(BaseModel):
    """Tokens that the model read."""

    input_tokens: int


class Meta(BaseModel):
    """What was read; `warnings` say which texts were cut."""

    api_version: Version
    billed_units: Billed
    warnings: list[str] | None = None


class CohereEmbedResponse(BaseModel):
    """Cohere's answer, with the fingerprint of the vectors' space and the places of the texts that were cut."""

    id: str
    response_type: Literal["embeddings_by_type"]
    embeddings: Embeddings
    texts: list[str]
    meta: Meta
    space: str
    truncated: list[int]


async def embed(request: Request) -> Answer:
    """`POST /v2/embed`."""
    wanted = request.read(CohereEmbedRequest)
    texts = wanted.texts
    served.count(request, texts, request.limits.inputs)
    model = served.named(request, wanted.model, ("dense",))
    side = served.side(request, model, wanted.input_type)
    dimensions = served.length(model, wanted.output_dimension, "output_dimension")
    vectors = await served.dense(request, model, texts, side, truncate=wanted.truncate != "NONE", dimensions=dimensions)
    types = set(wanted.embedding_types or ["float"])
    embeddings: dict[str, object] = {}
    if "float" in types:
        embeddings["float"] = list(vectors)
    if "base64" in types:
        embeddings["base64"] = [b64encode(vector).decode() for vector in vectors]
    meta: dict[str, object] = {"api_version": {"version": "2"}, "billed_units": {"input_tokens": request.tokens}}
    if request.truncated:
        places = ", ".join(map(str, request.truncated))
        meta["warnings"] = [f"only the first {model.max_length(side)} tokens were read of the texts at places {places}"]
    body = {
        "id": request.id.decode(),
        "response_type": "embeddings_by_type",
        "embeddings": embeddings,
        "texts": texts,
        "meta": meta,
        "space": request.space,
        "truncated": list(request.truncated),
    }
    return Answer(orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY))


ROUTES = (
    Route(
        "POST",
        "/v2/embed",
        embed,
        "Vectors of texts, as Cohere's API gives them",
        request=CohereEmbedRequest,
        response=CohereEmbedResponse,
        interface="cohere",
        refusals=INFERENCE,
        kinds=("dense",),
        inference=True,
    ),
)
