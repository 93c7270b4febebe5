"""Several arrays in one file, which are mapped into memory: what is not looked at takes none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def save(path: Path, *arrays: NDArray[Any]) -> None:
    """Write the arrays, one behind the other, each as `numpy.save` does."""
    with path.open("wb") as file:
        for array in arrays:
            np.save(file, array)


def load(path: Path) -> list[NDArray[Any]]:
    """The arrays of a file that `save` wrote; empty ones are none that could be mapped, and are read."""
    return list(_arrays(path))


def _arrays(path: Path) -> Iterator[NDArray[Any]]:
    size = path.stat().st_size
    with path.open("rb") as file:
        while file.tell() < size:
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, dtype = read(file)
            start, length = file.tell(), dtype.itemsize * int(np.prod(shape))
            yield np.memmap(path, dtype, "r", start, shape) if length else np.empty(shape, dtype)
            file.seek(start + length)
