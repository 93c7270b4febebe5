"""The executor that needs nothing: one worker, in this process."""

from __future__ import annotations

from collections.abc import Sequence

from rankdistill.errors import ConfigError
from rankdistill.executors.base import MakeWorker, ignore
from rankdistill.progress import Progress


class LocalExecutor:
    """Runs the units one after the other, here."""

    remote = False

    def run(self, units: Sequence[int], make_worker: MakeWorker, progress: Progress | None = None) -> int:
        """Run every unit in the given order; the number of items made."""
        if not units:
            return 0
        worker = make_worker()
        return sum(worker(unit, progress or ignore) for unit in units)


def create(workers: int | None) -> LocalExecutor:
    """The executor.

    Raises:
        ConfigError: more than one worker is wanted.
    """
    if workers is not None and workers != 1:
        raise ConfigError(
            expected="one worker: the local executor works in this process",
            got=f"{workers} workers",
            consequence="nothing was run",
            remedy="give --executor ray, or start several processes, each with its --shard i/n",
        )
    return LocalExecutor()
