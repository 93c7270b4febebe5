"""Reading pickles of plain numbers without running anything that is in them.

A pickle is a program; the standard loader imports and calls whatever it names. This one admits dicts, lists, tuples,
texts, bytes and numbers, which need no name at all. NumPy's scalars do name functions; those names are answered with
stand-ins of our own that decode the number, so nothing of the file's choice is ever called.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Callable
from typing import IO, Any

_CODES = {"f2": "e", "f4": "f", "f8": "d", "i1": "b", "i2": "h", "i4": "i", "i8": "q", "u4": "I", "u8": "Q"}
"""NumPy type -> its code in `struct`."""


class _Dtype:
    """Stands in for `numpy.dtype`; keeps the type and, from its state, the byte order."""

    def __init__(self, code: str, *flags: object) -> None:
        self.code, self.order = code, "<"

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = ">" if state[1] == ">" else "<"


def _scalar(dtype: _Dtype, data: bytes) -> float | int:
    """Stands in for NumPy's function that makes a scalar."""
    if not isinstance(dtype, _Dtype) or dtype.code not in _CODES or not isinstance(data, bytes):
        raise pickle.UnpicklingError("a NumPy scalar that is no plain number")
    found: tuple[float | int] = struct.unpack(dtype.order + _CODES[dtype.code], data)
    return found[0]


def _encode(text: str, encoding: str) -> bytes:
    """Stands in for `_codecs.encode`, with which old protocols write bytes."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"bytes in the encoding {encoding!r}")
    return text.encode("latin1")


_STAND_INS: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy", "dtype"): _Dtype,
    ("numpy.core.multiarray", "scalar"): _scalar,
    ("numpy._core.multiarray", "scalar"): _scalar,
    ("_codecs", "encode"): _encode,
}


class _PlainUnpickler(pickle.Unpickler):
    """Refuses every name but those of `_STAND_INS`, which it does not look up either."""

    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        if (module, name) not in _STAND_INS:
            raise pickle.UnpicklingError(f"it names {module}.{name}; only plain numbers, texts and containers are read")
        return _STAND_INS[module, name]

    def persistent_load(self, identifier: object) -> Any:
        raise pickle.UnpicklingError("it refers to objects outside the file")


def load_plain(stream: IO[bytes]) -> Any:
    """The value in a pickle that holds nothing but dicts, lists, tuples, texts, bytes and numbers.

    Raises:
        ValueError: it holds anything else, is cut short, or is no pickle.
    """
    try:
        return _PlainUnpickler(stream).load()
    except Exception as error:  # a broken pickle makes the unpickler raise nearly anything
        raise ValueError(str(error) or type(error).__name__) from error
