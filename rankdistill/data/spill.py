"""Bytes that go to disk once they are many.

They lie in a file without a name in the system's folder for temporary files (`TMPDIR` names another), which the system
removes with the process, however that ends.
"""

from __future__ import annotations

import mmap
import os
import tempfile
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from rankdistill import files

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

IN_MEMORY = 1 << 26
"""Bytes that are kept in memory; more of them go to disk."""

WRITTEN_AT_ONCE = 1 << 20


class Spill:
    """Bytes that are appended, then read from anywhere.

    Raises:
        OutputError: the folder for temporary files is full.
    """

    def __init__(self) -> None:
        self._memory = bytearray()
        self._file: BinaryIO | None = None
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def append(self, piece: bytes | memoryview) -> None:
        """Put `piece` behind the others."""
        self._memory += piece
        self._size += len(piece)
        if len(self._memory) > (IN_MEMORY if self._file is None else WRITTEN_AT_ONCE):
            self._write()

    def append_array(self, array: NDArray[Any]) -> None:
        """Put an array's bytes behind the others."""
        import numpy as np

        self.append(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)

    def flush(self) -> None:
        """All that was appended can be read from now on."""
        if self._file is not None:
            self._write()

    def read(self, start: int, end: int) -> bytes:
        """Those from `start` to `end`, or to the last."""
        if self._file is None:
            return bytes(self._memory[start:end])
        return os.pread(self._file.fileno(), end - start, start)

    def array(self, kind: DTypeLike) -> NDArray[Any]:
        """All of it as numbers of one kind, read only; on disk, if it is there. Nothing can be appended any more."""
        import numpy as np

        self.flush()
        if self._file is None:
            return np.frombuffer(bytes(self._memory), kind)
        return np.memmap(self._file, kind, "r")

    def _write(self) -> None:
        with files.output_errors(Path(tempfile.gettempdir())):
            if self._file is None:
                # Open as long as there is something to read.
                self._file = cast(BinaryIO, tempfile.TemporaryFile(buffering=0))  # noqa: SIM115
                weakref.finalize(self, self._file.close)
            left = memoryview(self._memory)
            while left:
                left = left[self._file.write(left) :]
            left.release()
        self._memory = bytearray()


def release(array: NDArray[Any]) -> None:
    """Give back the memory in which pages of a mapped array were read; they are read again where they are needed."""
    held = getattr(array, "_mmap", None)
    if held is not None and hasattr(mmap, "MADV_DONTNEED"):
        held.madvise(mmap.MADV_DONTNEED)
