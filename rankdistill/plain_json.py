"""JSON files that this package or a library wrote: broken, cut off or nested without end, they are an error of ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rankdistill import locations
from rankdistill.errors import BrokenFileError

MOST_DIGITS = 308
"""Of a whole number: each of so many is a finite double."""


def loads(text: str | bytes) -> Any:
    """The JSON value in `text`; ValueError where it is none, is nested too deep, or has a number of too many digits."""
    try:
        return json.loads(text, parse_int=_whole)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _whole(digits: str) -> int:
    if len(digits) > MOST_DIGITS:  # whatever takes it for a float would overflow
        raise ValueError(f"a whole number of {len(digits):,} digits")
    return int(digits)


def read(path: Path) -> Any:
    """The JSON value in a file in UTF-8, which may lie in an object store.

    Raises:
        BrokenFileError: it is not there, or holds no JSON.
        RemoteError: the object store does not answer, or refuses.
    """
    try:
        with locations.remote_errors(path):
            return loads(path.read_bytes().decode("utf-8-sig"))
    except (FileNotFoundError, ValueError) as error:
        raise BrokenFileError(
            expected=f"JSON in {path}",
            got="no such file" if isinstance(error, FileNotFoundError) else str(error),
            consequence="nothing was done: what this file says is unknown",
            remedy="make or fetch what the file belongs to again; if this rankdistill wrote it, by the same command",
        ) from error
