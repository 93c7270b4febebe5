"""What every verb promises of its arguments: a wrong name or type is a `ConfigError` before anything runs."""

from __future__ import annotations

import errno
import inspect
import os
import re
import types
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from functools import cache, partial, wraps
from pathlib import Path
from typing import Annotated, Any, Literal, ParamSpec, TypeVar, Union, get_args, get_origin, get_type_hints

from pydantic import AfterValidator, ConfigDict, InstanceOf, TypeAdapter, ValidationError

from rankdistill import files
from rankdistill.errors import ConfigError
from rankdistill.verbs.wording import words

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

_PLAIN = (str, bytes, int, float, bool, type(None), object)


def verb(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """`function`, none of whose places may lie in an object store; see `verb_with_stores`."""
    return verb_with_stores()(function)


def verb_with_stores(
    *remote: str, services: tuple[str, ...] = ()
) -> Callable[[Callable[Arguments, Result]], Callable[Arguments, Result]]:
    """Makes a function a verb.

    Args:
        remote: its arguments that may lie in an object store; any other place there is refused before anything runs.
        services: those that may be the address of a service, of `http` or `https`.
    """
    return partial(_checked, remote=remote, services=services)


def _checked(
    function: Callable[Arguments, Result], remote: tuple[str, ...], services: tuple[str, ...]
) -> Callable[Arguments, Result]:
    """`function`, whose arguments are checked against its annotations when it is called.

    Names and types only: what values may be is the function's own business. Nothing is converted, but numbers of NumPy
    to Python's, and a range to a list. What the system says of a file is an error of ours, as the command tells it.

    Raises:
        ConfigError: an argument is missing, is none of the function's, is of another type than it says, or is a text
            or a number that no file can hold.
        OutputError: the disk is full, or a place cannot be written to.
    """

    @wraps(function)
    def checked(*given: Arguments.args, **named: Arguments.kwargs) -> Result:
        given, named = tuple(map(_plain, given)), {name: _plain(one) for name, one in named.items()}  # type: ignore[assignment]
        _check(function, given, named, remote, services)
        with files.output_errors(Path()), _long_names():
            return function(*given, **named)

    return checked


def own_arguments(function: Callable[..., Any]) -> list[str]:
    """The names of a verb's own arguments: without the settings that it takes besides."""
    parameters = inspect.signature(function).parameters
    return [name for name, parameter in parameters.items() if parameter.kind is not parameter.VAR_KEYWORD]


def _check(
    function: Callable[..., Any],
    given: tuple[Any, ...],
    named: dict[str, Any],
    remote: tuple[str, ...],
    services: tuple[str, ...],
) -> None:
    signature, name = inspect.signature(function), function.__name__
    names = own_arguments(function)
    try:
        bound = signature.bind(*given, **named)
    except TypeError as error:
        unknown = next((one for one in named if one not in names), None)
        near = get_close_matches(unknown, names, 1) if unknown else []
        raise ConfigError(
            expected=f"{name}({', '.join(names)})",
            got=str(error),
            consequence="nothing was run",
            remedy=f"{near[0]} is meant?" if near else "name every argument behind the first ones: NAME=VALUE",
        ) from error
    adapters = _adapters(function)
    for one, value in bound.arguments.items():
        if one in adapters:
            _require(function, one, value, adapters[one])
            if one not in remote and one in _places(function):
                _require_local(function, one, value, SERVICES if one in services else ())


def _require(function: Callable[..., Any], argument: str, value: object, adapter: TypeAdapter[Any]) -> None:
    try:
        adapter.validate_python(value)
        _require_sane(value)
    except (ValidationError, ValueError) as error:
        raise ConfigError(
            expected=f"{argument} of {function.__name__}() to be {words(get_type_hints(function)[argument])}",
            got=f"{_shortened(repr(value))} of type {type(value).__name__}{_why(error)}",
            consequence="nothing was run",
            remedy=f"help(rankdistill.{function.__name__}) tells what each argument is",
        ) from error


SERVICES = ("http", "https")
"""Schemes of a service's address."""


def _require_local(function: Callable[..., Any], argument: str, value: object, schemes: tuple[str, ...] = ()) -> None:
    """Raise ConfigError for a URL where a path of this machine is needed: it would be read or written beside us."""
    members = value if isinstance(value, list | tuple) else value.values() if isinstance(value, Mapping) else [value]
    for one in members:
        if isinstance(one, str) and (found := _URL.match(one)) and found[1] not in ("file", *schemes):
            raise ConfigError(
                expected=f"a path on this machine as {argument} of {function.__name__}()",
                got=_shortened(one),
                consequence="nothing was run: only stores of scores and of vectors lie in object stores",
                remedy="give a folder or a file here, and copy it to or from there",
            )


_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_URL_AS_PATH = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/(?!/)")
"""What `pathlib` makes of one."""


@cache
def _places(function: Callable[..., Any]) -> frozenset[str]:
    """The arguments that take a path."""
    hints = get_type_hints(function, include_extras=True)
    return frozenset(name for name, hint in hints.items() if name != "return" and _takes_paths(hint))


def _takes_paths(hint: Any) -> bool:
    return get_origin(hint) is os.PathLike or hint is os.PathLike or any(map(_takes_paths, get_args(hint)))


def _require_sane(value: object) -> None:
    """Raise ValueError for what no file can hold: a null character, what is no Unicode, an int of over 64 bits."""
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
        if not isinstance(value, str):
            raise ValueError("its path is no str")
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueError("it is too large")
    if isinstance(value, str):
        if "\0" in value:
            raise ValueError("it has a null character")
        value.encode()
    elif isinstance(value, list | tuple):
        for one in value:
            _require_sane(one)


def _why(error: ValueError) -> str:
    """What is wrong besides the type."""
    if isinstance(error, ValidationError):
        return ""
    return ": it is not Unicode" if isinstance(error, UnicodeError) else f": {error}"


def _plain(value: object) -> object:
    """A number of NumPy, also in a list or tuple, as Python's, and a range as a list; anything else as it is.

    A path that was a URL before it was made a path, as the command line makes one of each, is that URL again.
    """
    if isinstance(value, Path) and (found := _URL_AS_PATH.match(str(value))):
        return f"{found[1]}://{str(value)[found.end() :]}"
    if isinstance(value, range):
        return list(value)
    if isinstance(value, list | tuple) and type(value) in (list, tuple):
        members = [_plain(one) for one in value]
        same = all(new is old for new, old in zip(members, value, strict=True))
        if same:
            return value
        return members if isinstance(value, list) else tuple(members)
    if type(value).__module__ != "numpy" or isinstance(value, str | bytes) or getattr(value, "shape", None) != ():
        return value
    return value.item()  # type: ignore[attr-defined]


@contextmanager
def _long_names() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        raise ConfigError(
            expected="names of files that the file system takes",
            got=f"{os.strerror(errno.ENAMETOOLONG)}: {_shortened(str(error.filename))}",
            consequence="nothing was read or written there",
            remedy="give a path; a text is no path",
        ) from error


def _shortened(text: str, most: int = 80) -> str:
    return text if len(text) <= most else f"{text[:most]}..."


@cache
def _adapters(function: Callable[..., Any]) -> dict[str, TypeAdapter[Any]]:
    """Argument -> what checks it; those that may be anything have none."""
    hints = get_type_hints(function, include_extras=True)
    parameters = inspect.signature(function).parameters
    config = ConfigDict(strict=True, arbitrary_types_allowed=True)
    return {
        name: TypeAdapter(_by_instance(hint), config=config)
        for name, hint in hints.items()
        if name in parameters and parameters[name].kind not in (inspect.Parameter.VAR_KEYWORD,) and hint is not Any
    }


def _by_instance(hint: Any) -> Any:
    """`hint` with every class of ours checked by `isinstance` alone."""
    origin = get_origin(hint)
    if origin is Annotated:
        return _by_instance(get_args(hint)[0])
    if origin in (Union, types.UnionType):
        return Union[tuple(_by_instance(one) for one in get_args(hint))]  # noqa: UP007 - made at run time
    if origin is Literal or origin is Callable or hint is Any:
        return hint
    if origin is not None and get_args(hint):
        return hint if origin.__module__ == "os" else origin[tuple(_by_instance(one) for one in get_args(hint))]
    if getattr(hint, "_is_protocol", False):
        return Annotated[Any, AfterValidator(partial(_require_members, hint))]
    if isinstance(hint, type) and hint not in _PLAIN:
        return InstanceOf[hint]  # type: ignore[misc]
    return hint


def _require_members(protocol: type, value: object) -> object:
    """`value`, whose type has all that the protocol names; nothing of it is evaluated."""
    wanted = [name for name in vars(protocol) if not name.startswith("_") or name == "__call__"]
    missing = [name for name in wanted if inspect.getattr_static(value, name, None) is None]
    if missing:
        raise ValueError(f"it has no {', '.join(missing)}")
    return value
