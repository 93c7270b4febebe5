"""A request's body, from bytes to what a route takes: JSON, each key once, no unknown one."""

from __future__ import annotations

import json
import re
from difflib import get_close_matches
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from rankdistill.serving.fields import listed, shown
from rankdistill.serving.refusals import BadRequestError

_KEY = re.compile(rb'"\s*:')


class Body(BaseModel):
    """Base of what routes take: a field that is not known is refused, for a misspelt one would be ignored silently."""

    model_config = ConfigDict(extra="forbid", frozen=True)


BodyT = TypeVar("BodyT", bound=BaseModel)


def read(body: bytes, schema: type[BodyT]) -> BodyT:
    """The body as `schema` says.

    Raises:
        BadRequestError: no JSON object, a key twice, an unknown field, a value that is not allowed.
        EmptyError: nothing to encode.
    """
    found = parse(body)
    if type(found) is not dict:
        raise BadRequestError(
            expected="a JSON object", got=shown(found), consequence="nothing was answered", remedy=_fields(schema)
        )
    return take(found, schema)


def parse(body: bytes) -> Any:
    """The JSON value that the body is.

    Raises:
        BadRequestError: it is none (halves of surrogate pairs and NaN are none), or a key stands in it twice.
    """
    import orjson

    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequestError(
            expected="a body of JSON in UTF-8",
            got=f"{body[:80]!r}: {error}" if body else "an empty body",
            consequence="nothing was answered",
        ) from None
    keys = len(found) if type(found) is dict else 0
    if body.count(b":") != keys and len(_KEY.findall(body)) != keys:  # keys further in, or texts that look like them
        _require_once(body)
    return found


def take(value: dict[str, Any], schema: type[BodyT]) -> BodyT:
    """An object of JSON as `schema` says; raises as `read`."""
    try:
        return schema.__pydantic_validator__.validate_python(value)
    except ValidationError as error:
        raise _refusal(error, schema) from None


def _require_once(body: bytes) -> None:
    """BadRequestError where an object of this JSON has a key twice."""
    try:
        json.loads(body, object_pairs_hook=_once, parse_int=len, parse_float=len)  # whose numbers nobody needs
    except RecursionError:
        raise BadRequestError(
            expected="JSON that a request needs",
            got="lists or objects in one another, hundreds deep",
            consequence="nothing was answered",
        ) from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise BadRequestError(
            expected="each key of an object once",
            got=f"{twice!r} {names.count(twice)} times",
            consequence="nothing was answered: which of them is meant cannot be told",
            param=twice,
        )
    return found


def _refusal(error: ValidationError, schema: type[BaseModel]) -> BadRequestError:
    first = error.errors(include_url=False, include_context=False)[0]
    place = [str(part) for part in first["loc"]]
    name = ".".join(place)
    if first["type"] == "missing":
        return BadRequestError(
            expected=f"the field {name!r}",
            got="a body without it",
            consequence="nothing was answered",
            remedy=_fields(schema),
            param=name,
        )
    if first["type"] == "extra_forbidden":
        near = get_close_matches(name, schema.model_fields, 1)
        return BadRequestError(
            expected=_fields(schema),
            got=f"the unknown field {name!r}",
            consequence="nothing was answered: what it means would have been ignored",
            remedy=f"did you mean {near[0]!r}?" if near else f"leave {name!r} out",
            param=name,
        )
    message = first["msg"].removeprefix("Value error, ")
    return BadRequestError(
        expected=f"as {name!r}: {message[:1].lower()}{message[1:]}",
        got=shown(first["input"]),
        consequence="nothing was answered",
        param=name,
    )


def _fields(schema: type[BaseModel]) -> str:
    return f"fields out of {listed(list(schema.model_fields))}"
