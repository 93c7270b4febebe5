"""What an annotation takes, in words: of aliases what they stand for, so that an error can say it."""

from __future__ import annotations

import os
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, Union, get_args, get_origin

_PLAIN = {str: "str", bytes: "bytes", int: "int", float: "number", bool: "bool"}


def words(hint: Any, article: str = "a") -> str:
    """The alternatives of a resolved annotation: "a str, a path or a ScoreStore".

    Args:
        hint: as `typing.get_type_hints` gives it.
        article: put before each of them, as `a` or `an`; empty for none.
    """
    every = list(dict.fromkeys(_alternatives(hint)))
    said = list(dict.fromkeys(_word(one, every, article) for one in every))
    return said[0] if len(said) == 1 else f"{', '.join(said[:-1])} or {said[-1]}"


def _alternatives(hint: Any) -> list[Any]:
    """The members of a union, None last; a literal's values are one each."""
    origin = get_origin(hint)
    if origin is Annotated:
        return _alternatives(get_args(hint)[0])
    if origin in (Union, types.UnionType):
        found = [one for member in get_args(hint) for one in _alternatives(member)]
        return [one for one in found if one is not type(None)] + [type(None)] * (type(None) in found)
    return [Literal[value] for value in get_args(hint)] if origin is Literal else [hint]


def _word(hint: Any, beside: Sequence[Any], article: str) -> str:
    origin = get_origin(hint) or hint
    if origin is Literal:
        return repr(get_args(hint)[0])
    if origin is type(None):
        return "None"
    if origin in (Any, object):
        return "anything"
    if origin is os.PathLike:
        name = "path"
    elif origin is Callable:
        name = "function"
    elif isinstance(origin, type) and issubclass(origin, Mapping):
        name = "mapping"
    elif isinstance(origin, type) and issubclass(origin, Sequence) and get_args(hint):
        name = f"sequence of {_members(get_args(hint)[0], beside)}"
    else:
        name = _PLAIN.get(origin) or str(getattr(origin, "__name__", origin))
    return f"{article}{'n' if name[0] in 'aeioAEIO' else ''} {name}" if article else name


def _members(hint: Any, beside: Sequence[Any]) -> str:
    """What a sequence holds, said shortly where it is what stands beside the sequence."""
    inner = _alternatives(hint)
    others = [one for one in beside if one is not type(None) and get_origin(one) is not Sequence]
    return "these" if len(inner) > 1 and inner == others else words(hint, article="")
