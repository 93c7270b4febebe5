"""What a flag's words mean: lists with commas, JSON."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

from rankdistill.errors import ConfigError

Read = TypeVar("Read")

_KEPT = "\0"
"""Instead of a comma that belongs to a name."""


def numbers(text: str | None, what: str) -> list[float] | None:
    """`0.7,0.3` as numbers; None stays None.

    Args:
        text: as typed.
        what: one of them, for the message: `weight`.

    Raises:
        ConfigError: a part is no number.
    """
    from rankdistill.data.values import number

    return _parts(text, lambda part: number(part, what), f"{what}s as numbers with commas between, as 0.7,0.3")


def wholes(text: str | None, what: str) -> list[int] | None:
    """`384,128` as whole numbers; see `numbers`."""
    from rankdistill.data.values import whole

    expected = f"{what}s as whole numbers with commas between them, such as 128,32"
    return _parts(text, lambda part: whole(part, what), expected)


def layers(text: str | None) -> list[int] | None:
    """`0,5` as numbers of layers; see `numbers`."""
    from rankdistill.data.values import whole

    expected = "layer numbers with commas between them, such as 0,5"
    return _parts(text, lambda part: whole(part, "layer"), expected, "count layers from 0")


def names(text: str | None, what: str) -> list[str] | None:
    """`A,B,C` as a list; None stays None; raises ConfigError if one is empty."""

    def name(part: str) -> str:
        if not part.strip():
            raise ValueError("empty")
        return part.strip()

    return _parts(text, name, f"{what}s with commas between them, such as A,B,C", f"leave no {what} empty")


def tasks(text: str | None) -> list[str] | None:
    """`SciFact,MTEB(eng, v2)` as names: a comma within parentheses belongs to a name; see `names`."""
    kept = None if text is None else re.sub(r"\([^()]*\)", lambda found: found[0].replace(",", _KEPT), text)
    found = names(kept, "task")
    return None if found is None else [one.replace(_KEPT, ",") for one in found]


def json_object(text: str | None, what: str) -> dict[str, Any] | None:
    """A JSON object as typed; None stays None; raises ConfigError for anything else."""
    from rankdistill.data.json_lines import parse_object

    try:
        return None if text is None else parse_object(text.encode())
    except ValueError as error:
        raise ConfigError(
            expected=f"{what} as a JSON object",
            got=f"{text!r:.200}: {error}",
            consequence="nothing was run",
            remedy="write it in single quotes, with double ones inside",
        ) from error


def _parts(
    text: str | None, read: Callable[[str], Read], expected: str, remedy: str = "write them so"
) -> list[Read] | None:
    """What stands between the commas; `read` raises ValueError for a part that it does not take."""
    if text is None:
        return None
    try:
        return [read(part) for part in text.split(",")]
    except ValueError as error:
        raise ConfigError(expected=expected, got=repr(text), consequence="nothing was run", remedy=remedy) from error
