"""Columns of fields in memory, and how each is compared: `holds(operator, value)` -> bool `[documents]`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from rankdistill.indexing.filters.types import LARGEST, Span

Held = NDArray[np.bool_]
"""bool `[documents]`."""


class Column(Protocol):
    """The values of one field; a document without one never holds anything."""

    present: Held

    def holds(self, operator: str, value: Any) -> Held:
        """Which documents hold the condition; `value` is what the type's `asked` made of it, a tuple for a list."""
        ...


class Ordered:
    """Whole numbers, numbers, truths."""

    def __init__(self, array: pa.Array) -> None:
        self.present: Held = np.asarray(array.is_valid())
        self._values: NDArray[Any] = pc.fill_null(array, False if pa.types.is_boolean(array.type) else 0).to_numpy(
            zero_copy_only=False
        )

    def holds(self, operator: str, value: Any) -> Held:
        """See `Column.holds`."""
        if operator == "in":
            fitting = [one for one in value if not isinstance(one, int) or -LARGEST <= one < LARGEST]
            return self.present & np.isin(self._values, np.array(fitting, self._values.dtype))
        found: Held = self.present & _COMPARED[operator](self._values, value)
        return found


class Dates:
    """Microseconds since 1970; a day that is asked for is all of it."""

    def __init__(self, array: pa.Array) -> None:
        self.present: Held = np.asarray(array.is_valid())
        self._values: NDArray[np.int64] = pc.fill_null(array, 0).to_numpy(zero_copy_only=False)

    def holds(self, operator: str, value: Any) -> Held:
        """See `Column.holds`."""
        if operator == "in":
            found: Held = np.zeros(len(self.present), np.bool_)
            for one in value:
                found |= self._within(one)
            return found
        if operator == "equals":
            return self._within(value)
        bound = value.start if operator in ("gte", "lt") else value.end
        after = self._values >= bound
        return self.present & (after if operator in ("gt", "gte") else ~after)

    def _within(self, span: Span) -> Held:
        return self.present & (self._values >= span.start) & (self._values < span.end)


class Texts:
    """Numbers of distinct texts."""

    def __init__(self, array: pa.Array) -> None:
        coded = pc.dictionary_encode(array)
        self._codes: NDArray[np.int32] = pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False)
        self._texts = coded.dictionary
        self.present: Held = self._codes >= 0

    @cached_property
    def _code_of(self) -> dict[str, int]:
        return {text: code for code, text in enumerate(self._texts.to_pylist())}

    def holds(self, operator: str, value: Any) -> Held:
        """See `Column.holds`."""
        wanted = value if operator == "in" else (value,)
        return _among(self._codes, [self._code_of[one] for one in wanted if one in self._code_of])


class Sets:
    """Numbers of distinct texts, those of one document after the other."""

    def __init__(self, array: pa.Array) -> None:
        self.present: Held = np.asarray(array.is_valid())
        lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False)
        self._document_of = np.repeat(np.arange(len(array)), lengths)
        self._members = Texts(array.flatten())

    def holds(self, operator: str, value: Any) -> Held:
        """See `Column.holds`; a set holds `equals` with that member, `in` with one of several, `all` with each."""
        if operator == "all":
            held: Held = self.present.copy()
            for one in value:
                held &= self.holds("equals", one)
            return held
        found: Held = np.zeros(len(self.present), np.bool_)
        found[self._document_of[self._members.holds(operator, value)]] = True
        return found


def _among(codes: NDArray[np.int32], wanted: list[int]) -> Held:
    if not wanted:
        return np.zeros(len(codes), np.bool_)
    found: Held = codes == wanted[0] if len(wanted) == 1 else np.isin(codes, np.array(wanted, np.int32))
    return found


_COMPARED: Mapping[str, Any] = {
    "equals": np.equal,
    "gt": np.greater,
    "gte": np.greater_equal,
    "lt": np.less,
    "lte": np.less_equal,
}

COLUMNS: Mapping[str, Any] = {
    "string": Texts,
    "strings": Sets,
    "integer": Ordered,
    "number": Ordered,
    "boolean": Ordered,
    "date": Dates,
}
"""Type -> the class of its columns, made from an Arrow array."""
