"""A text of known output among the texts of a run: what a back end gives may be another text's without any error.

What was met: a runtime fails on a batch, says nothing, and its output is still that of the batch before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from rankdistill.errors import BackendError
from rankdistill.inference.framing import Features

TOLERANCE, SMALLEST = 1e-3, 1e-2
"""Largest difference from the known output, relative to the largest number in it, or to this one if that is larger."""

EVERY = 64
"""Rows after which a run ends with a canary."""


@dataclass
class Canary:
    """Watches the batches of one back end.

    It runs alone, so that no other text stands in another batch because of it: before a batch that is wider than any
    so far, whose output must then be another one; and at the end of a run, if `EVERY` rows were run since the last.

    Args:
        features: of one short text.
        known: its output, float32[1, outputs].
        other: the output of another text; where the two are equal (a constant model) nothing can be told apart.
        backend: what messages call it.
    """

    features: Features
    known: np.ndarray
    other: np.ndarray
    backend: str
    _widest: int = field(default=0, init=False)
    _rows: int = field(default=0, init=False)

    def watched(self, run: Callable[[Features], np.ndarray], features: Features) -> np.ndarray:
        """What `run` gives for `features`.

        Raises:
            BackendError: the canary's output is not the known one, or these rows, of another text, have it.
        """
        rows, width = features["input_ids"].shape
        self._rows += rows
        if width <= self._widest or not self._tells:
            return run(features)
        before = self._known_output(run)
        output = run(features)
        is_another = not all(np.array_equal(features[name], self.features[name]) for name in features)
        if is_another and np.array_equal(output, before):
            raise self._wrong(f"the output of the text before for one of {width} tokens")
        self._widest = width
        return output

    def finish(self, run: Callable[[Features], np.ndarray]) -> None:
        """End a run.

        Raises:
            BackendError: the canary's output is not the known one.
        """
        if self._rows >= EVERY and self._tells:
            self._known_output(run)
            self._rows = 0

    @property
    def _tells(self) -> bool:
        return not np.array_equal(self.known, self.other)

    def _known_output(self, run: Callable[[Features], np.ndarray]) -> np.ndarray:
        found = run(self.features)
        if not np.abs(found - self.known).max() <= TOLERANCE * max(SMALLEST, np.abs(self.known).max()):
            raise self._wrong("another output than before for a text of known output")
        return found

    def _wrong(self, got: str) -> BackendError:
        return BackendError(
            expected="each text's own output",
            got=f"back end {self.backend}: {got}",
            consequence="the texts of this run may have got one another's numbers, so none of them was kept",
            remedy="take the torch back end, and report this with the model's name and the versions of the libraries",
        )
