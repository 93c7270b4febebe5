"""Arrays of an index on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rankdistill import files


def write_array(path: Path, array: NDArray[Any]) -> None:
    """Write `array` as `.npy`; an error says why, where `np.save` drops the reason."""
    with files.atomic_path(path) as temporary, temporary.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, np.lib.format.header_data_from_array_1_0(array))
        stream.write(np.ascontiguousarray(array).data)
