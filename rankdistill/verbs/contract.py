"""What every verb promises of its arguments: a wrong name or type is a `ConfigError` before anything runs."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable
from difflib import get_close_matches
from functools import cache, partial, wraps
from typing import Annotated, Any, Literal, ParamSpec, TypeVar, Union, get_args, get_origin, get_type_hints

from pydantic import AfterValidator, ConfigDict, InstanceOf, TypeAdapter, ValidationError

from rankdistill.errors import ConfigError
from rankdistill.verbs.wording import words

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

_PLAIN = (str, bytes, int, float, bool, type(None), object)


def verb(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """`function`, whose arguments are checked against its annotations when it is called.

    Names and types only: what values may be is the function's own business. Nothing is converted.

    Raises:
        ConfigError: an argument is missing, is none of the function's, or is of another type than it says.
    """

    @wraps(function)
    def checked(*given: Arguments.args, **named: Arguments.kwargs) -> Result:
        _check(function, given, named)
        return function(*given, **named)

    return checked


def own_arguments(function: Callable[..., Any]) -> list[str]:
    """The names of a verb's own arguments: without the settings that it takes besides."""
    parameters = inspect.signature(function).parameters
    return [name for name, parameter in parameters.items() if parameter.kind is not parameter.VAR_KEYWORD]


def _check(function: Callable[..., Any], given: tuple[Any, ...], named: dict[str, Any]) -> None:
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


def _require(function: Callable[..., Any], argument: str, value: object, adapter: TypeAdapter[Any]) -> None:
    try:
        adapter.validate_python(value)
    except ValidationError as error:
        raise ConfigError(
            expected=f"{argument} of {function.__name__}() to be {words(get_type_hints(function)[argument])}",
            got=f"{_shortened(repr(value))} of type {type(value).__name__}",
            consequence="nothing was run",
            remedy=f"help(rankdistill.{function.__name__}) tells what each argument is",
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
