"""Arrays of an index on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rankdistill import files
from rankdistill.errors import DataError


def write_array(path: Path, array: NDArray[Any]) -> None:
    """Write `array` as `.npy`; an error says why, where `np.save` drops the reason."""
    with files.atomic_path(path) as temporary, temporary.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, np.lib.format.header_data_from_array_1_0(array))
        stream.write(np.ascontiguousarray(array).data)


def read_array(path: Path, mmap: bool) -> NDArray[Any]:
    """What `write_array` wrote; with `mmap` it stays on disk until it is used.

    Raises:
        DataError: the file is absent or damaged.
    """
    try:
        array: NDArray[Any] = np.load(path, mmap_mode="r" if mmap else None)
    except (OSError, ValueError, EOFError) as error:
        raise damaged(f"an array of an index at {path}", str(error)) from error
    return array


def damaged(expected: str, got: str) -> DataError:
    """The error of an index whose files are not all there, or not whole."""
    return DataError(
        expected=expected,
        got=got,
        consequence="the index was not loaded",
        remedy="remove the folder of the index, then build it again",
    )
