"""What a value of a request is: whole numbers, texts that say something, names of sides."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from reprlib import Repr
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainValidator, StrictBool, ValidationInfo, WithJsonSchema

from rankdistill.serving.contracts import Side
from rankdistill.serving.refusals import BadRequestError, EmptyError

UNSEEN = (
    r"\u0000-\u0020\u007f-\u00a0\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f"
    r"\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffc\ufffe\uffff"
)
"""Characters that show nothing: control, white space, of no width. Spelt out, because `\\s` is another set in every
dialect of regular expressions, and this one is read by the clients' too."""

VISIBLE = f"[^{UNSEEN}]"
"""A text holds one of these, or there is nothing to encode."""

_VISIBLE = re.compile(rf"[^{UNSEEN}\U000e0000-\U000e0fff]")
_LIST_SHOWN = 12
_SHORT = Repr()
_SHORT.maxlevel, _SHORT.maxdict, _SHORT.maxlist = 3, 4, 4
_SHORT.maxstring, _SHORT.maxlong, _SHORT.maxother = 70, 40, 70

SIDES: Mapping[str, Side] = {
    "query": "query",
    "document": "document",
    "search_query": "query",
    "search_document": "document",
    "passage": "document",
    "retrieval.query": "query",
    "retrieval.passage": "document",
}
"""What `input_type` and `task` may say, as the APIs that users come from call it."""


def whole(value: Any) -> int:
    """The whole number that a JSON value is; 5.0 is one, as JSON has one kind of number.

    Raises:
        ValueError: it is none: `true`, `"5"`, 5.5.
    """
    if type(value) is int:
        return value
    if type(value) is float and value.is_integer():
        return int(value)
    raise ValueError(f"a whole number is meant, not {shown(value)}")


def says(text: str) -> bool:
    """Whether a text holds a character that can be seen."""
    return _VISIBLE.search(text) is not None


def text(value: Any, info: ValidationInfo) -> str:
    """One text; see `texts`."""
    name = info.field_name or "input"
    if type(value) is not str:
        raise BadRequestError(
            expected=f"a text as {name!r}", got=shown(value), consequence="nothing was answered", param=name
        )
    if not says(value):
        raise _empty(name, shown(value))
    return value


def texts(value: Any, info: ValidationInfo) -> list[str]:
    """Texts as a list, from one or several.

    Raises:
        EmptyError: none, or one of them says nothing.
        BadRequestError: they are no texts; token ids are refused with advice.
    """
    name = info.field_name or "input"
    if type(value) is str:
        value = [value]
    elif type(value) is not list:
        raise BadRequestError(
            expected=f"a text or a list of texts as {name!r}",
            got=shown(value),
            consequence="nothing was encoded",
            param=name,
        )
    elif not value:
        raise EmptyError(
            expected=f"at least one text as {name!r}", got="[]", consequence="nothing was encoded", param=name
        )
    for place, one in enumerate(value):
        if type(one) is not str:
            raise _no_text(name, place, one)
        if _VISIBLE.search(one) is None:
            raise _empty(name, f"{shown(one)} at place {place}")
    return value


def shown(value: Any) -> str:
    """A JSON value for a message: neither long nor deep, whatever it is."""
    names = {True: "true", False: "false", None: "null"}
    return names[value] if value is None or type(value) is bool else _SHORT.repr(value)


def _no_text(name: str, place: int, value: Any) -> BadRequestError:
    if type(value) in (int, float, list):
        return BadRequestError(
            expected=f"texts as {name!r}",
            got=f"numbers at place {place}: {shown(value)}, which look like the token ids of another model",
            consequence="nothing was encoded: ids of another vocabulary would be read as other words",
            remedy="send the texts; with LangChain's OpenAIEmbeddings set check_embedding_ctx_length=False",
            param=name,
        )
    return BadRequestError(
        expected=f"texts as {name!r}",
        got=f"{shown(value)} at place {place}",
        consequence="nothing was encoded",
        param=name,
    )


def _empty(name: str, got: str) -> EmptyError:
    return EmptyError(
        expected=f"a text with a visible character as {name!r}",
        got=got,
        consequence="nothing was encoded: the vector of nothing is near to everything and means nothing",
        remedy="leave out texts that are empty before you send",
        param=name,
    )


_TEXT = {"type": "string", "minLength": 1, "pattern": VISIBLE}


def _schema(limit: str) -> dict[str, Any]:
    several = {"type": "array", "items": _TEXT, "minItems": 1, "x-limit": limit}
    return {"anyOf": [_TEXT, several]}


Whole = Annotated[int, BeforeValidator(whole)]
Flag = StrictBool
Text = Annotated[str, PlainValidator(text), WithJsonSchema(_TEXT)]
Texts = Annotated[list[str], PlainValidator(texts), WithJsonSchema(_schema("inputs"))]
"""Up to `Limits.inputs` texts."""
FewTexts = Annotated[list[str], PlainValidator(texts), WithJsonSchema(_schema("client_batch"))]
"""Up to `Limits.client_batch` texts."""


def side_of(value: Any) -> Side:
    """The side that `input_type` or `task` names.

    Raises:
        ValueError: it names none.
    """
    found = SIDES.get(value) if type(value) is str else None
    if found is None:
        raise ValueError(f"one of {', '.join(SIDES)} is meant, not {shown(value)}")
    return found


SideName = Annotated[Side, BeforeValidator(side_of), WithJsonSchema({"type": "string", "enum": list(SIDES)})]


def listed(names: Sequence[str]) -> str:
    """Names for a message."""
    more = f" and {len(names) - _LIST_SHOWN} more" if len(names) > _LIST_SHOWN else ""
    return ", ".join(map(repr, names[:_LIST_SHOWN])) + more


def apart(*names: str) -> dict[str, Any]:
    """What a schema says of fields of which at most one may be given."""
    pairs = [(first, second) for place, first in enumerate(names) for second in names[place + 1 :]]
    given = [
        {"required": list(pair), "properties": {name: {"not": {"type": "null"}} for name in pair}} for pair in pairs
    ]
    return {"not": {"anyOf": given}}
