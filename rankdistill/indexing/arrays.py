"""Arrays of an index on disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from rankdistill import files
from rankdistill.data.spill import release
from rankdistill.errors import DataError


def write_array(path: Path, array: NDArray[Any]) -> None:
    """Write `array` as `.npy`; an error says why, where `np.save` drops the reason."""
    with files.atomic_path(path) as temporary, temporary.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, np.lib.format.header_data_from_array_1_0(array))
        stream.write(np.ascontiguousarray(array).data)


class RowsFile:
    """A float32 array on disk whose rows come in any order; complete, it has the bytes that `write_array` gives it.

    What is written takes no memory here, and a full disk is an error.

    Args:
        stream: without a buffer, for reading and writing.
        rows: of the array.
        columns: of the array.
    """

    def __init__(self, stream: BinaryIO, rows: int, columns: int) -> None:
        self._stream, self.shape = stream, (rows, columns)
        header = np.lib.format.header_data_from_array_1_0(np.empty((0, columns), np.float32)) | {"shape": self.shape}
        np.lib.format.write_array_header_1_0(stream, header)
        self._start = stream.tell()

    def put(self, rows: NDArray[np.int64], values: NDArray[np.float32]) -> None:
        """Write `values`, `[len(rows), columns]`, into these rows, which rise."""
        values = np.ascontiguousarray(values, np.float32)
        for first, end in _runs(rows):
            self._stream.seek(self._at(rows[first]))
            left = values[first:end].reshape(-1).view(np.uint8).data
            while left:
                left = left[self._stream.write(left) :]

    def get(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """The values of these rows, which were written, `[len(rows), columns]`."""
        found = np.empty((len(rows), self.shape[1]), np.float32)
        for place, row in enumerate(rows.tolist()):
            self._stream.seek(self._at(row))
            found[place] = np.frombuffer(self._stream.read(found[place].nbytes), np.float32)
        return found

    def mapped(self) -> NDArray[np.float32]:
        """All of it, read from disk as it is used; the file may be closed, and removed, meanwhile."""
        if 0 in self.shape:
            return np.empty(self.shape, np.float32)
        return np.memmap(self._stream, np.float32, "r", self._start, self.shape)

    def _at(self, row: int) -> int:
        return self._start + int(row) * self.shape[1] * np.dtype(np.float32).itemsize


def _runs(rows: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Where neighbouring rows begin and end."""
    ends = [*(np.flatnonzero(np.diff(rows) != 1) + 1).tolist(), len(rows)]
    yield from zip([0, *ends[:-1]], ends, strict=True) if len(rows) else ()


def read_array(path: Path, mapped: bool) -> NDArray[Any]:
    """What `write_array` wrote; with `mapped` it stays on disk until it is used.

    Raises:
        DataError: the file is absent or damaged.
    """
    try:
        array: NDArray[Any] = np.load(path, mmap_mode="r" if mapped else None)
    except (OSError, ValueError, EOFError) as error:
        raise damaged(f"an array of an index at {path}", str(error)) from error
    return array


FEW = 16
"""Queries whose search may leave mapped arrays in memory: a server reads them again at once."""


def release_read(queries: int, *arrays: NDArray[Any]) -> None:
    """Give back the memory that mapped arrays were read into for a search of so many queries, unless these are few."""
    if queries > FEW:
        for array in arrays:
            release(array)


def damaged(expected: str, got: str) -> DataError:
    """The error of an index whose files are not all there, or not whole."""
    return DataError(
        expected=expected,
        got=got,
        consequence="the index was not loaded",
        remedy="remove the folder of the index, then build it again",
    )
