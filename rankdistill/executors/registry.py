"""The executors by name."""

from __future__ import annotations

from importlib import import_module

from rankdistill.errors import ConfigError
from rankdistill.executors.base import Executor

EXECUTORS = {
    "local": "rankdistill.executors.local",
    "ray": "rankdistill.executors.ray",
}
"""Name -> module with `create(workers: int | None) -> Executor`."""


def create(name: str = "local", workers: int | None = None) -> Executor:
    """The executor called `name`.

    Args:
        name: a key of `EXECUTORS`.
        workers: how many units are worked on at once; None lets the executor choose.

    Raises:
        ConfigError: no such executor, or a number of workers that it cannot have.
        MissingDependencyError: its library is not installed.
    """
    if name not in EXECUTORS:
        raise ConfigError(
            expected=f"an executor among {', '.join(EXECUTORS)}",
            got=repr(name),
            consequence="nothing was run",
            remedy="choose one of them",
        )
    if workers is not None and workers < 1:
        raise ConfigError(
            expected="at least 1 worker", got=str(workers), consequence="nothing was run", remedy="give a larger number"
        )
    return import_module(EXECUTORS[name]).create(workers)
