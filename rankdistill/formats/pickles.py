"""Reading pickles of plain numbers without running anything that is in them.

A pickle is a program; the standard loader imports and calls whatever it names. This one admits dicts, lists, tuples,
texts, bytes and numbers, which need no name at all. NumPy's scalars do name functions; those names are answered with
stand-ins of our own that decode the number, so nothing of the file's choice is ever called.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import re
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


def require_frugal(data: bytes) -> None:
    """Raise ValueError for a pickle that asks for more memory than its own bytes can fill.

    Ten bytes can name the two-billionth place of the table of what was read before, which the loader then makes room
    for, or announce a text of any length. A place is no further than the bytes before it, a text no longer than those
    behind it.
    """
    place, end = 0, len(data)
    while place < end:
        if run := _FIXED_RUN.match(data, place):
            place = run.end()
            continue
        opcode = _OPCODES.get(data[place])
        if opcode is None:
            raise ValueError(f"no pickle: byte {place} is no instruction of one")
        place += 1
        if opcode.name == "STOP":
            return
        size, width = _variable(opcode, data, place)
        if opcode.name in _PLACES:
            said = data[place : place + size]
            if (int(said) if opcode.name == "PUT" else int.from_bytes(said, "little")) > place:
                raise ValueError(f"byte {place} asks for more memory than the file can fill")
        elif opcode.name == "FRAME" and int.from_bytes(data[place : place + 8], "little") > end - place:
            raise ValueError("it is cut short")
        place += width + size
        if place > end:
            raise ValueError("it is cut short, or a length in it is wrong")


def _variable(opcode: pickletools.OpcodeInfo, data: bytes, place: int) -> tuple[int, int]:
    """Bytes of an instruction's argument, and of the length before it."""
    if opcode.arg is None:
        return 0, 0
    kind = opcode.arg.n
    if kind >= 0:
        return kind, 0
    if kind == pickletools.UP_TO_NEWLINE:
        stop = place
        for _ in range(2 if opcode.name in ("GLOBAL", "INST") else 1):
            stop = data.find(b"\n", stop) + 1
            if not stop:
                raise ValueError("it is cut short")
        return stop - place, 0
    width = _WIDTHS[kind]
    return int.from_bytes(data[place : place + width], "little"), width


_WIDTHS = {
    pickletools.TAKEN_FROM_ARGUMENT1: 1,
    pickletools.TAKEN_FROM_ARGUMENT4: 4,
    pickletools.TAKEN_FROM_ARGUMENT4U: 4,
    pickletools.TAKEN_FROM_ARGUMENT8U: 8,
}
_OPCODES = {ord(opcode.code): opcode for opcode in pickletools.opcodes}
_PLACES = ("PUT", "LONG_BINPUT")

_FIXED_RUN = re.compile(rb"(?:J.{4}|G.{8}|K.|M..|[\x94()}{ustab0Nl\x85\x86\x87])++", re.DOTALL)
"""Numbers and what makes containers of them, which is nearly all of a large pickle."""


def load_plain(stream: IO[bytes]) -> Any:
    """The value in a pickle that holds nothing but dicts, lists, tuples, texts, bytes and numbers.

    Raises:
        ValueError: it holds anything else, is cut short, or is no pickle.
    """
    data = stream.read()
    require_frugal(data)
    try:
        return _PlainUnpickler(io.BytesIO(data)).load()
    except Exception as error:  # a broken pickle makes the unpickler raise nearly anything
        raise ValueError(str(error) or type(error).__name__) from error
