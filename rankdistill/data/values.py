"""What an id, a label, a number and a text are, for every reader: the value decides, never its column or neighbours.

docs/readers.md has the table of what each reader does with hostile values.
"""

from __future__ import annotations

import math
import re
from numbers import Integral, Real
from typing import Any

LARGEST_LABEL = 2**15 - 1
"""Labels lie between minus this and this: trec_eval's code takes memory for each level up to the largest."""

_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff]")
"""Control characters, line ends, byte order marks and halves of surrogate pairs."""

_WHOLE = re.compile(r"[+-]?[0-9]{1,4000}")
_WHOLE_OR_POINT_ZERO = re.compile(r"[+-]?[0-9]{1,4000}(\.0+)?")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[+-]?(nan|inf|infinity)", re.IGNORECASE)

_BLANKS = " \t\r\n"
"""What may stand around a number."""


class RowError(ValueError):
    """Why one row cannot be used."""


def identifier(value: Any, name: str = "id") -> str:
    """An id: the text as it is written, or a whole number's digits (7 is "7", 007 in a text stays "007").

    Spaces inside are part of it. RowError for an empty one, for blanks at its ends, for a tab, a line end or another
    control character in it, and for any other value: 7.0, true and null are no ids.
    """
    if isinstance(value, str):
        found = value
    elif isinstance(value, Integral) and not isinstance(value, bool):
        return str(int(value))
    elif value is None:
        raise RowError(f"missing {name}")
    else:
        raise RowError(f"the {name} {value!r:.80} is neither text nor a whole number")
    if found != found.strip() or not found:
        if not found.strip():
            raise RowError(f"an empty {name}")
        raise RowError(f"the {name} {found!r:.80} begins or ends with white space")
    if unfit := _UNFIT.search(found):
        raise RowError(f"the {name} {found!r:.80} holds the character {unfit[0]!a}, which no id may hold")
    return found


def is_word(text: str) -> bool:
    """Whether the text can stand in a file whose columns are separated by white space."""
    return text.split() == [text]


def whole(value: Any, name: str) -> int:
    """A whole number, from an int or from its plain decimal digits; RowError for anything else."""
    if isinstance(value, Integral) and not isinstance(value, bool):
        return int(value)
    if isinstance(value, str) and _WHOLE.fullmatch(value.strip(_BLANKS)):
        return int(value)
    raise RowError(f"the {name} {value!r:.80} is no integer")


def label(value: Any, name: str = "label") -> int:
    """A relevance label: a whole number, whose fraction may be written where it is zero ("1.0" is 1).

    RowError for a fraction, for anything else, and for one beyond `LARGEST_LABEL`.
    """
    if isinstance(value, str) and _WHOLE_OR_POINT_ZERO.fullmatch(value.strip(_BLANKS)):
        found = int(value.strip(_BLANKS).partition(".")[0])
    elif isinstance(value, Real) and not isinstance(value, Integral) and float(value).is_integer():
        found = int(float(value))
    else:
        found = whole(value, name)
    if abs(found) > LARGEST_LABEL:
        raise RowError(
            f"the {name} {value!r:.80} is beyond {LARGEST_LABEL}: tools of evaluation take memory for each level"
        )
    return found


def number(value: Any, name: str = "score") -> float:
    """A finite number, from a number or plain decimal digits (with point, exponent); RowError for another value."""
    if isinstance(value, str):
        written = value.strip(_BLANKS)
        if not _NUMBER.fullmatch(written) and not _NOT_FINITE.fullmatch(written):
            raise RowError(f"the {name} {value!r:.80} is no number")
        found = float(written)
    elif isinstance(value, Real) and not isinstance(value, bool):
        try:
            found = float(value)
        except OverflowError as error:
            raise RowError(f"the {name} {value!r:.80} is no number") from error
    else:
        raise RowError(f"the {name} {value!r:.80} is no number")
    if not math.isfinite(found):
        raise RowError(f"the {name} {value!r:.80} is not finite")
    return found


def string(value: Any, name: str) -> str:
    """A text as it is, which may be empty; RowError for null, for any other value, and for broken Unicode."""
    if value is None:
        raise RowError(f"missing {name}")
    if not isinstance(value, str):
        raise RowError(f"{name} is {value!r:.80}, not a text")
    require_unicode(value, name)
    return value


def without_halves(text: str) -> str:
    """The text with U+FFFD for each half of a surrogate pair alone, which no file in UTF-8 can hold; pairs are one."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def require_unicode(text: str, name: str) -> None:
    """RowError if the text holds half of a surrogate pair, which no file in UTF-8 can hold."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise RowError(f"broken Unicode in {name}: {error.reason}") from error
