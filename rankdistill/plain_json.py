"""JSON files that this package or a library wrote: broken, cut off or nested without end, they are an error of ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rankdistill import locations
from rankdistill.errors import BrokenFileError


def loads(text: str | bytes) -> Any:
    """The JSON value in `text`; ValueError where it is none, or is nested deeper than Python reads."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


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
