"""`/info`: what is served, and what is accepted."""

from __future__ import annotations

from dataclasses import asdict
from importlib import metadata
from typing import Any

import orjson
from pydantic import BaseModel

from rankdistill.serving import served
from rankdistill.serving.contracts import ServedModel
from rankdistill.serving.exchange import Answer, Request, Route


class ModelInfo(BaseModel):
    """A served model."""

    name: str
    kind: str
    towers: list[str]
    symmetric: bool
    space: str
    similarity: str | None
    dimensions: list[int]
    max_length: dict[str, int | None]
    prompts: dict[str, str]
    backend: str
    precision: str
    weights: str


class Info(BaseModel):
    """TEI's fields for the default model, then all models, the indexes and the limits."""

    model_id: str
    model_sha: str
    model_dtype: str
    model_type: dict[str, Any]
    max_concurrent_requests: int
    max_input_length: int | None
    max_batch_tokens: int | None
    max_batch_requests: int | None
    max_client_batch_size: int
    auto_truncate: bool
    version: str
    space: str
    towers: list[str]
    precision: str
    default_input_type: str | None
    reranker: str | None
    models: list[ModelInfo]
    indexes: dict[str, Any]
    modes: list[str]
    fusion: dict[str, Any] | None = None
    rerank_depth: int | None = None
    limits: dict[str, float | None]


async def info(request: Request) -> Answer:
    """`GET /info`."""
    state, limits = request.state, request.limits
    models = [_model(request, model) for model in state.models.values()]
    first = models[0]
    body = {
        "model_id": first["name"],
        "model_sha": first["weights"],
        "model_dtype": first["precision"],
        "model_type": {"reranker" if first["kind"] == "pairs" else "embedding": {}},
        "max_concurrent_requests": limits.connections,
        "max_input_length": next(iter(first["max_length"].values())),
        "max_batch_tokens": limits.batch_tokens,
        "max_batch_requests": None,
        "max_client_batch_size": limits.client_batch,
        "auto_truncate": True,
        "version": metadata.version("rankdistill"),
        "space": first["space"],
        "towers": first["towers"],
        "precision": first["precision"],
        "default_input_type": state.default_side,
        "reranker": state.reranker,
        "models": models,
        "indexes": dict(state.search.describe()) if state.search else {},
        "modes": list(state.search.modes) if state.search else [],
        **(state.search.settings if state.search else {}),
        "limits": asdict(limits),
    }
    return Answer(orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY))


def _model(request: Request, model: ServedModel) -> dict[str, Any]:
    return {
        "name": model.name,
        "kind": model.kind,
        "towers": list(model.sides),
        "symmetric": model.symmetric,
        "space": served.space(request, model),
        "similarity": None if model.space is None else model.space.similarity,
        "dimensions": list(model.dimensions),
        "max_length": {side: model.max_length(side) for side in (model.sides or ("query",))},
        "prompts": dict(model.prompts),
        "backend": model.backend,
        "precision": model.precision,
        "weights": model.weights,
    }


ROUTES = (Route("GET", "/info", info, "What is served, and what is accepted", response=Info),)
