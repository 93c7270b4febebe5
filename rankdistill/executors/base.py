"""What an executor is: something that runs numbered units of work, here or elsewhere. It knows nothing of the work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from rankdistill.progress import Progress

Worker = Callable[[int, Progress], int]
"""Does one unit and returns how many items it made; 0 where the unit was done already.

A unit may be done again, in another process, after a worker died in the midst of it: doing it twice must leave the same
as doing it once.
"""

MakeWorker = Callable[[], Worker]
"""Makes a worker, in the process that it works in; that is where models are loaded."""


class Executor(Protocol):
    """Runs units of work."""

    @property
    def remote(self) -> bool:
        """Whether the workers live in other processes: `make_worker` must then be picklable."""
        ...

    def run(self, units: Sequence[int], make_worker: MakeWorker, progress: Progress | None = None) -> int:
        """Run every unit, in any order; the number of items made.

        Args:
            units: numbers that the workers understand.
            make_worker: called once a worker.
            progress: told of items as they are finished, made or found.

        Raises:
            RankdistillError: what a worker raised; units that were finished stay finished.
        """
        ...


def ignore(done: int) -> None:
    """A `Progress` for those who do not look."""
