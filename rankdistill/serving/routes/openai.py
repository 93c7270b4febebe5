"""OpenAI's interface: `/v1/embeddings`, `/v1/models`."""

from __future__ import annotations

from base64 import b64encode
from typing import Literal

import orjson
from pydantic import BaseModel, ConfigDict, model_validator

from rankdistill.serving import served
from rankdistill.serving.bodies import Body
from rankdistill.serving.contracts import Side
from rankdistill.serving.exchange import Answer, Request, Route
from rankdistill.serving.fields import SideName, Texts, Whole, apart
from rankdistill.serving.refusals import INFERENCE


class EmbeddingsRequest(Body):
    """OpenAI's request, with what is embedded (`input_type`) and what becomes of a text that is too long."""

    input: Texts
    model: str | None = None
    input_type: SideName | None = None
    task: SideName | None = None
    encoding_format: Literal["float", "base64"] | None = "float"
    dimensions: Whole | None = None
    truncate: Literal["NONE", "END"] | None = "END"
    user: str | None = None

    model_config = ConfigDict(json_schema_extra=apart("input_type", "task"))

    @model_validator(mode="after")
    def _one_side(self) -> EmbeddingsRequest:
        if self.input_type and self.task:
            raise ValueError("'input_type' and 'task' say the same: one of them is meant, not both")
        return self

    @property
    def side(self) -> Side | None:
        """What the texts are."""
        return self.input_type or self.task


class Embedding(BaseModel):
    """A vector: numbers, or with `base64` their bytes as little-endian float32."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class Usage(BaseModel):
    """Tokens that the model read."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingsResponse(BaseModel):
    """OpenAI's answer, with the fingerprint of the vectors' space and the places of the texts that were cut."""

    object: Literal["list"]
    data: list[Embedding]
    model: str
    usage: Usage
    space: str
    truncated: list[int]


class Model(BaseModel):
    """A served model."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelsResponse(BaseModel):
    """The served models, the default first."""

    object: Literal["list"]
    data: list[Model]


async def embeddings(request: Request) -> Answer:
    """`POST /v1/embeddings`."""
    wanted = request.read(EmbeddingsRequest)
    texts = wanted.input
    served.count(request, texts, request.limits.inputs)
    model = served.named(request, wanted.model, ("dense",))
    side = served.side(request, model, wanted.side)
    dimensions = served.length(model, wanted.dimensions)
    vectors = await served.dense(request, model, texts, side, truncate=wanted.truncate != "NONE", dimensions=dimensions)
    written = [b64encode(vector).decode() for vector in vectors] if wanted.encoding_format == "base64" else vectors
    tokens = request.tokens
    body = {
        "object": "list",
        "data": [{"object": "embedding", "index": place, "embedding": one} for place, one in enumerate(written)],
        "model": model.name,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        "space": request.space,
        "truncated": list(request.truncated),
    }
    return Answer(orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY))


async def models(request: Request) -> Answer:
    """`GET /v1/models`."""
    listed = [{"id": name, "object": "model", "created": 0, "owned_by": "rankdistill"} for name in request.state.models]
    return Answer(orjson.dumps({"object": "list", "data": listed}))


ROUTES = (
    Route(
        "POST",
        "/v1/embeddings",
        embeddings,
        "Vectors of texts, as OpenAI's API gives them",
        request=EmbeddingsRequest,
        response=EmbeddingsResponse,
        interface="openai",
        refusals=INFERENCE,
        kinds=("dense",),
        inference=True,
        aliases=("/embeddings",),
    ),
    Route("GET", "/v1/models", models, "The served models", response=ModelsResponse, interface="openai"),
)
