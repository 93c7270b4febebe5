"""How long batches take: measured when a model warms up, then corrected by every batch."""

from __future__ import annotations

import threading
from collections.abc import Sequence

MEMORY = 0.9
"""What an older batch counts for, relative to the one after it."""

_QUICKEST = 1e-6
"""Seconds: no call and no token is taken to be quicker."""


class Pace:
    """Seconds of a batch: `factor * (call + token * tokens)`.

    `call` and `token` are of the warm-up, when nothing else ran and nothing was padded; `factor` says how much slower
    batches are by now, each counting for its length. A quiet hour of single queries does not make it believe that full
    batches are as slow a token, which would refuse requests without need.

    Args:
        call: seconds of a batch whatever is in it.
        token: seconds of a token.
    """

    def __init__(self, call: float = 1e-3, token: float = 1e-4) -> None:
        self.call = max(call, _QUICKEST)
        self.token = max(token, _QUICKEST)
        self._expected = self._took = 0.0
        self._lock = threading.Lock()

    @property
    def factor(self) -> float:
        """How much longer than at warm-up recent batches took."""
        return self._took / self._expected if self._expected else 1.0

    def seconds(self, tokens: float, budget: float | None = None) -> float:
        """Estimate for so many tokens, in batches of `budget`; in one batch where there is none."""
        calls = 1.0 if budget is None else tokens / budget
        return self.factor * (self.call * calls + self.token * tokens)

    def tokens(self, seconds: float) -> int:
        """Tokens of a batch that takes so long, at least 1."""
        return max(1, int((seconds / self.factor - self.call) / self.token))

    def observe(self, tokens: int, seconds: float) -> None:
        """A batch of so many tokens took so long."""
        with self._lock:
            self._expected = MEMORY * self._expected + self.call + self.token * tokens
            self._took = MEMORY * self._took + seconds


def fitted(sizes: Sequence[int], seconds: Sequence[float]) -> Pace:
    """The pace of batches of `sizes` padded tokens that took `seconds`: a line through the two, by least squares."""
    import numpy as np

    if len(set(sizes)) == 1:
        return Pace(0.0, float(np.mean(seconds)) / sizes[0])
    token, call = np.polyfit(np.asarray(sizes, float), np.asarray(seconds, float), 1)
    if call < 0:
        call, token = 0.0, float(np.sum(seconds) / np.sum(sizes))
    return Pace(float(call), float(token))
