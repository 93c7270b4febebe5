"""What goes wrong between a client and its server, as errors that say what to do."""

from __future__ import annotations

from typing import Any

from rankdistill import plain_json
from rankdistill.client.calls import Answer, Call
from rankdistill.errors import RankdistillError, SpaceMismatchError, without_secret

_EXCERPT, _LOOKED_AT = 500, 1 << 20
"""Characters of a body that an error shows, and bytes of it that are looked at for that."""


class ServerError(RankdistillError):
    """A server that refuses a request, fails on it, or answers with something else than what was asked.

    Args:
        status: of the HTTP answer; None where there was none.
        code: what the server calls the fault; None where it names none.
        request_id: what the server's log calls the request; None where it names none.
        error: the parts of the message.
    """

    def __init__(
        self, *, status: int | None = None, code: str | None = None, request_id: str | None = None, **error: str
    ) -> None:
        super().__init__(**error)
        self.status, self.code, self.request_id = status, code, request_id

    def __reduce__(self) -> tuple[object, ...]:
        return (_again, (type(self), dict(vars(self))))


class UnreachableError(ServerError):
    """Nothing answers at the address, or the connection breaks, or no answer comes in time."""


class ServerBusyError(ServerError):
    """A server that has no time (429), or is warming up or going down (503), however often it was asked."""


class OtherSpaceError(ServerError, SpaceMismatchError):
    """A server, or its index, of another embedding space than what is asked for."""


_REMEDIES = {
    400: "look at what the server says, and at the arguments of the call",
    401: "give the key that the server knows: `api_key`, or `api_key_env` (--api-key-env) with a variable's NAME",
    403: "give a key that may do this",
    404: "check the address, and ask `info()` for the models and indexes that are served",
    405: "check the address: something else than rankdistill may answer there",
    409: "embed with the model of the index, or ask the server of this space",
    413: "ask for less: this alone is beyond the server's limits, which `info()` tells",
    415: "check the address: something else than rankdistill may answer there",
    422: "cut the text yourself, or leave `truncate=False` out to have only its beginning read",
    424: "look into the server's log: its model failed",
}


def refused(call: Call, answer: Answer, secret: str | None = None) -> ServerError:
    """The error for an answer that is no success."""
    message, code = said(answer)
    found = request_id(answer)
    kind = OtherSpaceError if answer.status == 409 else ServerError
    redirected = f" to {answer.headers.get('location')}" if 300 <= answer.status < 400 else ""
    remedy = _REMEDIES.get(answer.status, "look into the server's log")
    return kind(
        expected=f"an answer from {call.method} {call.where}",
        got=without_secret(secret, f"HTTP {answer.status}{redirected}: {message}{_named(found)}"),
        consequence="not tried again: it would be refused the same way",
        remedy="give the address that it redirects to, if that is the server you mean" if redirected else remedy,
        status=answer.status,
        code=code,
        request_id=found,
    )


def gave_up(call: Call, problem: str, attempts: int, answer: Answer | None, secret: str | None = None) -> ServerError:
    """The error after the last attempt, or where no further one makes sense."""
    found = None if answer is None else request_id(answer)
    kind = UnreachableError if answer is None else ServerBusyError if answer.status in (429, 503) else ServerError
    tried = f"{attempts} failed attempts, the last: " if attempts > 1 else ""
    return kind(
        expected=f"an answer from {call.method} {call.where}",
        got=without_secret(secret, f"{tried}{problem}{_named(found)}"),
        consequence="there is no result",
        remedy="see that the server runs at this address, then ask again; or raise `timeout`"
        if answer is None
        else "ask again later, ask for less at once, or raise `retries` and `longest_wait`",
        status=None if answer is None else answer.status,
        code=None if answer is None else said(answer)[1],
        request_id=found,
    )


def unreadable(call: Call, answer: Answer, expected: str, got: str = "") -> ServerError:
    """The error for a success that does not hold what its interface says."""
    found = request_id(answer)
    return ServerError(
        expected=f"{expected} from {call.method} {call.where}",
        got=f"{without_secret(answer.secret, got) or 'something else'}, in {_excerpt(answer)!r}{_named(found)}",
        consequence="nothing of this answer was used",
        remedy="check the address: something else than rankdistill, or another version of it, may answer there",
        status=answer.status,
        request_id=found,
    )


def said(answer: Answer) -> tuple[str, str | None]:
    """The message of an error's body in the form of any of the interfaces, and its code."""
    try:
        body: Any = plain_json.loads(answer.content)
    except ValueError:
        body = None
    secret = answer.secret
    error = body.get("error", body.get("detail", body.get("message"))) if isinstance(body, dict) else None
    if isinstance(error, dict) and isinstance(error.get("message"), str):
        code = error.get("code") or error.get("type")
        return without_secret(secret, error["message"]), without_secret(secret, code) if isinstance(code, str) else None
    if isinstance(error, str):
        code = body.get("error_type")
        return without_secret(secret, error), without_secret(secret, code) if isinstance(code, str) else None
    return _excerpt(answer) or "(empty body)", None


def request_id(answer: Answer) -> str | None:
    """What the server's log calls the request."""
    found = answer.headers.get("x-request-id")
    return None if found is None else without_secret(answer.secret, str(found))


def _excerpt(answer: Answer) -> str:
    """The beginning of the body, without the key: it is hidden before the rest is cut off, which may cut a key too."""
    text = answer.content[:_LOOKED_AT].decode("utf-8", "replace")
    return " ".join(without_secret(answer.secret, text).split())[:_EXCERPT]


def _named(found: str | None) -> str:
    return "" if found is None else f" (request {found})"


def _again(kind: type[ServerError], state: dict[str, Any]) -> ServerError:
    return kind(**state)
