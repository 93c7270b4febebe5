"""One HTTP request and its answer, without a library that sends it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Call:
    """A request.

    Args:
        method: `GET` or `POST`.
        where: its whole address.
        content: JSON; empty for none.
        retried: whether it is sent again where that may help.
    """

    method: str
    where: str
    content: bytes = b""
    retried: bool = True


@dataclass(frozen=True)
class Answer:
    """What came back.

    Args:
        status: HTTP's.
        headers: by name; case does not matter.
        content: the body.
    """

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300


def post(where: str, **fields: Any) -> Call:
    """A call with those fields that are not None as JSON."""
    return post_value(where, {name: value for name, value in fields.items() if value is not None})


def post_value(where: str, value: Any) -> Call:
    """A call with any JSON value; what a text holds beside Unicode is escaped, so that the server sees and refuses it.

    Raises:
        ValueError: NaN or infinity, which JSON has not.
    """
    return Call("POST", where, json.dumps(value, allow_nan=False).encode("ascii"))
