"""An executor whose workers get only what can be pickled, as in another process."""

from __future__ import annotations

import pickle
from collections.abc import Sequence

from rankdistill.executors import MakeWorker
from rankdistill.progress import Progress


class PicklingExecutor:
    """Runs the units here, in reverse order, with a worker that went through pickle.

    Args:
        fail_after: units before it is interrupted.
    """

    remote = True

    def __init__(self, fail_after: int | None = None) -> None:
        self.fail_after = fail_after
        self.made = 0

    def run(self, units: Sequence[int], make_worker: MakeWorker, progress: Progress | None = None) -> int:
        worker = pickle.loads(pickle.dumps(make_worker))()
        for place, unit in enumerate(reversed(units)):
            if place == self.fail_after:
                raise KeyboardInterrupt
            self.made += worker(unit, progress or (lambda done: None))
        return self.made
