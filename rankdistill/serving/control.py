"""What a supervisor and its workers say to each other: a line of JSON a message, over a pair of sockets."""

from __future__ import annotations

import asyncio
import json
import traceback
from collections.abc import AsyncIterator
from typing import Any

from rankdistill import errors
from rankdistill.errors import RankdistillError

LINE = 2**24
"""Bytes of a message at most."""


class Line:
    """One end of the pair.

    Args:
        reader: what the other end says.
        writer: where it listens.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    def say(self, **message: Any) -> None:
        """Send; nobody may be there any more."""
        if not self._writer.is_closing():
            self._writer.write(json.dumps(message).encode() + b"\n")

    async def heard(self) -> AsyncIterator[dict[str, Any]]:
        """What the other end says, until it is gone."""
        while True:
            try:
                line = await self._reader.readline()
            except ConnectionError:
                return
            if not line.endswith(b"\n"):
                return
            yield json.loads(line)

    def close(self) -> None:
        """Say no more."""
        self._writer.close()


def fault(error: BaseException) -> dict[str, str]:
    """An error as JSON values; the trace of one that is not ours goes to standard error."""
    if isinstance(error, RankdistillError):
        parts = {name: getattr(error, name) for name in ("expected", "got", "consequence", "remedy")}
        return {"kind": type(error).__name__, **parts}
    traceback.print_exception(error)
    return {
        "kind": "RankdistillError",
        "expected": "models and indexes that load",
        "got": f"{type(error).__name__}: {error}",
        "consequence": "they are not served",
        "remedy": "what the worker wrote above says where it failed",
    }


def raised(found: dict[str, str]) -> RankdistillError:
    """The error that `fault` told."""
    kind = getattr(errors, found.pop("kind"), RankdistillError)
    error: RankdistillError = kind(**found)
    return error
