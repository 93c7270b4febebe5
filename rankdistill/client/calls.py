"""One HTTP request and its answer, without a library that sends it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rankdistill.errors import ConfigError


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
        secret: the key that it answers to, which no error may show.
    """

    status: int
    headers: Mapping[str, str]
    content: bytes
    secret: str | None = None

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
        ConfigError: what JSON has not: NaN and infinity, dates, sets, something that holds itself.
    """
    try:
        content = json.dumps(value, allow_nan=False, default=_plain)
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError(
            expected="values that JSON has: texts, finite numbers, lists, objects",
            got=" ".join(str(error).split()),
            consequence="nothing was asked",
            remedy="write a date as '2024-05-01', a set as a list; vectors hold no NaN and no infinity",
        ) from error
    return Call("POST", where, content.encode("ascii"))


def _plain(value: Any) -> Any:
    """A number of numpy as Python's; TypeError for what JSON has not."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a {type(value).__name__}")
