"""The body of a refusal, as each interface prescribes it."""

from __future__ import annotations

import math
from typing import Any

import orjson

from rankdistill.serving.exchange import Answer, Interface
from rankdistill.serving.refusals import LaterError, MethodError, Refusal, UnauthorisedError

_OPENAI_TYPES = {401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error"}


def message(refusal: Refusal) -> str:
    """The parts of a refusal as one line."""
    said = f"expected {refusal.expected}, got {refusal.got}"
    return "; ".join([said, *(part for part in (refusal.consequence, refusal.remedy) if part)])


def openai_type(status: int) -> str:
    """OpenAI's `type` of an error."""
    return _OPENAI_TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")


def refusal_body(refusal: Refusal, interface: Interface) -> dict[str, Any]:
    """The body of a refusal, as JSON values."""
    said = message(refusal)
    if interface == "openai":
        error = {"message": said, "type": openai_type(refusal.status), "param": refusal.param or None}
        return {"error": {**error, "code": refusal.code}}
    if interface == "cohere":
        return {"message": said}
    return {"error": said, "error_type": refusal.kind}


def refusal_answer(refusal: Refusal, interface: Interface) -> Answer:
    """The answer that a refusal is, with the headers that its status asks for."""
    headers = []
    if isinstance(refusal, LaterError):
        headers.append((b"retry-after", b"%d" % max(1, math.ceil(refusal.retry_after))))
    elif isinstance(refusal, MethodError):
        headers.append((b"allow", refusal.allowed.encode()))
    elif isinstance(refusal, UnauthorisedError):
        headers.append((b"www-authenticate", b"Bearer"))
    return Answer(orjson.dumps(refusal_body(refusal, interface)), status=refusal.status, headers=headers)
