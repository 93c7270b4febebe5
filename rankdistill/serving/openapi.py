"""The OpenAPI document: made from the routes, their schemas, the limits and what is served, so that it is true."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from importlib import metadata
from typing import Any

from pydantic import BaseModel, TypeAdapter

from rankdistill.serving.contracts import Limits, ServedModel, State
from rankdistill.serving.exchange import Interface, Route
from rankdistill.serving.fields import SIDES
from rankdistill.serving.refusals import (
    BadRequestError,
    InternalError,
    LaterError,
    MediaTypeError,
    Refusal,
    TooLargeError,
    UnauthorisedError,
    UnavailableError,
)
from rankdistill.serving.served import normalisable

OF_BODIES = (BadRequestError, TooLargeError, MediaTypeError)
"""What every route that reads a body refuses."""


class OpenAIError(BaseModel):
    """What went wrong."""

    message: str
    type: str
    param: str | None
    code: str


class OpenAIRefusal(BaseModel):
    """A refusal, as OpenAI's API words it."""

    error: OpenAIError


class CohereRefusal(BaseModel):
    """A refusal, as Cohere's API words it."""

    message: str


class TEIRefusal(BaseModel):
    """A refusal, as text-embeddings-inference words it."""

    error: str
    error_type: str


_BODIES: Mapping[Interface, type[BaseModel]] = {"openai": OpenAIRefusal, "cohere": CohereRefusal, "tei": TEIRefusal}

_HEADERS = {
    "x-request-id": ("string", "the request's, or one that was made for it; the log has it too"),
    "x-compute-tokens": ("integer", "tokens that the model read"),
    "x-queue-time": ("integer", "milliseconds in the queue"),
    "x-inference-time": ("integer", "milliseconds of inference"),
    "x-total-time": ("integer", "milliseconds in all"),
    "server-timing": ("string", "the same in milliseconds with three decimals"),
    "x-rankdistill-space": ("string", "fingerprint of the space of the vectors"),
    "x-truncated": ("string", "places of the texts of which the model read only the beginning"),
}
_ALWAYS = ("x-request-id",)
_SAYING_THE_SIDE: Mapping[str, Any] = {
    "input_type": {"type": "string"},
    "task": {"type": "string"},
    "prompt_name": {"enum": list(SIDES)},
}
_SOMETIMES = ("x-rankdistill-space", "x-truncated")


def document(routes: Sequence[Route], limits: Limits, state: State, keyed: bool) -> dict[str, Any]:
    """The document as JSON values.

    Args:
        routes: to describe.
        limits: of the server.
        state: what is served; fields say which models, dimensions and prompts there are.
        keyed: whether keys are asked for.
    """
    described = [route for route in routes if route.listed]
    schemas, components = _schemas(described)
    components = _with_limits(components, limits)
    paths: dict[str, Any] = {}
    for route in described:
        for path in (route.path, *route.aliases):
            paths.setdefault(path, {})[route.method.lower()] = _operation(
                route, path, schemas, components, state, keyed
            )
    found: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": "rankdistill", "version": metadata.version("rankdistill")},
        "paths": paths,
        "components": {"schemas": components},
    }
    if keyed:
        found["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    return found


def _schemas(routes: Sequence[Route]) -> tuple[Mapping[Any, Any], dict[str, Any]]:
    """(path, what) -> schema, and the schemas that these refer to."""
    inputs: list[tuple[Any, Any, TypeAdapter[Any]]] = []
    for route in routes:
        if route.request is not None:
            inputs.append(((route.method, route.path, "request"), "validation", TypeAdapter(route.request)))
        if not isinstance(route.response, str):
            inputs.append(((route.method, route.path, "response"), "serialization", TypeAdapter(route.response)))
    inputs += [(interface, "serialization", TypeAdapter(body)) for interface, body in _BODIES.items()]
    found, rest = TypeAdapter.json_schemas(inputs, ref_template="#/components/schemas/{model}")
    return {key: schema for (key, _), schema in found.items()}, rest.get("$defs", {})


def _operation(
    route: Route,
    path: str,
    schemas: Mapping[Any, Any],
    components: Mapping[str, Any],
    state: State,
    keyed: bool,
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": route.summary,
        "operationId": f"{route.method.lower()}{path.replace('/', '_').replace('.', '_')}",
        "responses": {"200": _answer(route, schemas), **_refusals(route, schemas, keyed)},
    }
    if route.request is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": _narrowed(route, schemas, components, state)}},
        }
    if keyed and not route.public:
        operation["security"] = [{"key": []}]
    return operation


def _with_limits(schema: Any, limits: Limits) -> Any:
    """`schema` with the limit that `x-limit` names as the greatest length of an array."""
    if isinstance(schema, list):
        return [_with_limits(part, limits) for part in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: _with_limits(part, limits) for name, part in schema.items() if name != "x-limit"}
    return found | {"maxItems": getattr(limits, schema["x-limit"])} if "x-limit" in schema else found


def _narrowed(route: Route, schemas: Mapping[Any, Any], components: Mapping[str, Any], state: State) -> dict[str, Any]:
    """The schema of a request body, down to the models, dimensions, prompts and sides that are served."""
    schema = schemas[route.method, route.path, "request"]
    schema = deepcopy(components[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema)
    fields = schema.get("properties", {})
    models = [model for model in state.models.values() if model.kind in route.kinds]
    dimensions = sorted({dimension for model in models for dimension in model.dimensions})
    known: dict[str, Sequence[Any]] = {
        "model": [model.name for model in models],
        "dimensions": dimensions,
        "output_dimension": dimensions,
        "prompt_name": [*SIDES, *sorted({name for model in models for name in model.prompts} - set(SIDES))],
    }
    for name, values in known.items():
        if values and name in fields:
            _narrow(fields[name], values)
    if "normalize" in fields and not all(map(normalisable, models)):
        fields["normalize"] = {"enum": [False, None]}
    if "input_type" in fields and any(_ambiguous(model, state) for model in models[:1]):
        schema["anyOf"] = [
            {"required": [name], "properties": {name: saying}}
            for name, saying in _SAYING_THE_SIDE.items()
            if name in fields
        ]
    return schema


def _ambiguous(model: ServedModel, state: State) -> bool:
    return len(model.sides) > 1 and not model.symmetric and state.default_side not in model.sides


def _narrow(schema: dict[str, Any], values: Sequence[Any]) -> None:
    """Allow these values alone, and null where it was allowed."""
    for part in schema.get("anyOf", [schema]):
        if part.get("type") in ("string", "integer"):
            part["enum"] = list(values)


def _answer(route: Route, schemas: Mapping[Any, Any]) -> dict[str, Any]:
    if isinstance(route.response, str):
        media_type, schema = route.response, {"type": "string"}
    else:
        media_type, schema = "application/json", schemas[route.method, route.path, "response"]
    names = _HEADERS if route.inference else _ALWAYS
    return {"description": "OK", "headers": _headers(names), "content": {media_type: {"schema": schema}}}


def _refusals(route: Route, schemas: Mapping[Any, Any], keyed: bool) -> dict[str, Any]:
    by_status: dict[int, list[type[Refusal]]] = {}
    for refusal in _refused(route, keyed):
        by_status.setdefault(refusal.status, []).append(refusal)
    return {
        str(status): {
            "description": " ".join(_line(kind) for kind in kinds),
            "headers": _headers(_ALWAYS) | _own_headers(kinds),
            "content": {"application/json": {"schema": schemas[route.interface]}},
        }
        for status, kinds in sorted(by_status.items())
    }


def _refused(route: Route, keyed: bool) -> Iterator[type[Refusal]]:
    seen = [*route.refusals, InternalError]
    if route.method == "POST":
        seen += OF_BODIES
    if keyed and not route.public:
        seen.append(UnauthorisedError)
    if route.needs_state:
        seen.append(UnavailableError)
    yield from dict.fromkeys(seen)


def _line(kind: type[Refusal]) -> str:
    return (kind.__doc__ or "").partition("\n")[0].strip()


def _own_headers(kinds: Sequence[type[Refusal]]) -> dict[str, Any]:
    if any(issubclass(kind, LaterError) for kind in kinds):
        return {"retry-after": _header("integer", "seconds to wait", True)}
    if UnauthorisedError in kinds:
        return {"www-authenticate": _header("string", "Bearer", True)}
    return {}


def _headers(names: Sequence[str] | Mapping[str, Any]) -> dict[str, Any]:
    return {name: _header(*_HEADERS[name], name not in _SOMETIMES) for name in names}


def _header(kind: str, description: str, required: bool) -> dict[str, Any]:
    return {"description": description, "required": required, "schema": {"type": kind}}
