"""What a candidate source is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rankdistill.progress import Progress

Hits = tuple[list[list[str]], list[NDArray[np.float32]]]
"""For each query its document ids, best first, and their scores in the source's unit."""


class Source(Protocol):
    """Retrieves candidates. Loading is lazy, so that a source can be named before any work is done."""

    @property
    def name(self) -> str:
        """What the `source` column says."""

    @property
    def inputs(self) -> Mapping[str, str]:
        """Name -> content hash of what it reads besides the data set."""

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Every setting that changes its results."""

    def retrieve(self, contents: Mapping[str, str], queries: Sequence[str], depth: int, progress: Progress) -> Hits:
        """The best `depth` documents of `contents` (doc_id -> text) for each query text, ties in document order."""
