"""What the server refuses, each with its HTTP status; a route gives them the body that its interface prescribes."""

from __future__ import annotations

from typing import ClassVar

from rankdistill.errors import RankdistillError


class Refusal(RankdistillError):  # noqa: N818
    """A request that is not answered.

    Attributes:
        status: of the HTTP answer.
        kind: TEI's `error_type`, in TEI's capitals.
        code: OpenAI's `code`.
        param: the field of the request that is refused; empty where it is none.
    """

    status: ClassVar[int] = 400
    kind: ClassVar[str] = "Validation"
    code: ClassVar[str] = "invalid_request"

    def __init__(self, *, param: str = "", **parts: str) -> None:
        super().__init__(**parts)
        self.param = param


class BadRequestError(Refusal):
    """Malformed, a value that is not allowed, token ids where a text is meant."""


class EmptyError(Refusal):
    """Nothing to encode: an empty list, an empty or blank text."""

    kind, code = "Empty", "empty_input"


class UnauthorisedError(Refusal):
    """No key, or one that is not known."""

    status, kind, code = 401, "Unauthorized", "invalid_api_key"


class UnknownError(Refusal):
    """A model, an index or a route that is not served."""

    status, kind, code = 404, "NotFound", "not_found"


class MethodError(Refusal):
    """A method that the route does not take; `allowed` are those that it takes."""

    status, kind, code = 405, "Validation", "method_not_allowed"

    def __init__(self, *, allowed: str, **parts: str) -> None:
        super().__init__(**parts)
        self.allowed = allowed


class OtherSpaceError(Refusal):
    """A vector, or a model, of another space than the index's; a text for a tower that is not here."""

    status, kind, code = 409, "Validation", "space_mismatch"


class TooLargeError(Refusal):
    """A body, or a number of inputs, beyond the limits."""

    status, kind, code = 413, "Validation", "too_large"


class MediaTypeError(Refusal):
    """A body that is not JSON."""

    status, kind, code = 415, "Validation", "unsupported_media_type"


class TooLongError(Refusal):
    """A text longer than the model reads, with `truncate: NONE`."""

    status, kind, code = 422, "Tokenizer", "too_long"


class LaterError(Refusal):
    """A request that may be sent again.

    Args:
        retry_after: seconds to wait; more than 0.
        parts: of the message.
    """

    def __init__(self, *, retry_after: float, **parts: str) -> None:
        super().__init__(**parts)
        self.retry_after = retry_after


class OverloadedError(LaterError):
    """What waits already would take longer than the limit."""

    status, kind, code = 429, "Overloaded", "overloaded"


class UnavailableError(LaterError):
    """Warming up, draining, or broken."""

    status, kind, code = 503, "Unhealthy", "unavailable"


class BackendRefusal(Refusal):
    """The back end failed on this request."""

    status, kind, code = 424, "Backend", "backend_error"


class InternalError(Refusal):
    """A fault of the server; its log tells more under the request's id."""

    status, kind, code = 500, "Backend", "internal_error"


INFERENCE = (EmptyError, UnknownError, OtherSpaceError, TooLongError, BackendRefusal, OverloadedError)
"""What a route that encodes or scores refuses."""
