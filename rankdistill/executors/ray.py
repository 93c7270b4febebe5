"""The executor that runs units on Ray: a pool of actors under Ray Data, on this machine or over a cluster.

Each actor makes its own worker. Ray starts another actor in place of one that died and gives it the unit again.
"""

from __future__ import annotations

import os
import pickle
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rankdistill._extras import require
from rankdistill.errors import ExecutorError, RankdistillError
from rankdistill.executors.base import MakeWorker, Worker, ignore
from rankdistill.progress import Progress

if TYPE_CHECKING:
    from ray.data import Dataset

ATTEMPTS = 5
"""How often a unit is begun: if its worker died each time, the unit is held for the killer."""

RESERVED_FOR_RAY = 0.5
"""The part of the CPUs that actors do not ask for: with none left, Ray Data's own tasks would wait for ever."""


ENVIRONMENT = {
    "RAY_AUTH_MODE": "disabled",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_NUM_REDIS_GET_RETRIES": "2",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_DATA_LOG_LEVEL": "ERROR",
}
"""Ray's own switches, where the user has not set them.

A cluster that is not there is noticed after a minute or two, not a quarter of an hour; and logs stay out of the bar.
"""


@dataclass(frozen=True)
class Pool:
    """How the actors share a cluster.

    Args:
        workers: number of actors.
        cpus: CPUs that each asks of Ray's scheduler; a reservation, not a bound.
        gpus: GPUs that each asks for.
        threads: threads that each uses.
    """

    workers: int
    cpus: float
    gpus: float
    threads: int


class RayExecutor:
    """Runs the units on Ray actors.

    Connects to the cluster that RAY_ADDRESS names or that `ray start` started here; starts one of its own
    on this machine where there is neither, and stops it at the end.

    Args:
        workers: actors; None takes one a GPU, or one a CPU where there is no GPU.
    """

    remote = True

    def __init__(self, workers: int | None = None) -> None:
        for name, value in ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        self._ray = require("ray", "the ray executor")
        self._workers = workers

    def run(self, units: Sequence[int], make_worker: MakeWorker, progress: Progress | None = None) -> int:
        """Run every unit, in any order; the number of items made.

        `progress` moves when a unit is finished.

        Raises:
            RankdistillError: what a worker raised.
            ExecutorError: the cluster cannot be reached, or workers died again and again at one unit.
        """
        if not units:
            return 0
        made = 0
        with self._cluster():
            pool = plan_pool(self._ray.cluster_resources(), self._workers, len(units))
            attempts = self._ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(Attempts).remote()
            for row in _dataset(units, make_worker, attempts, pool).iter_rows():
                if row["error"]:
                    raise pickle.loads(row["error"])
                made += int(row["made"])
                (progress or ignore)(int(row["finished"]))
        return made

    @contextmanager
    def _cluster(self) -> Iterator[None]:
        """Be connected to a cluster; stop what was started for it."""
        with ExitStack() as stack:
            if not self._ray.is_initialized():
                stack.callback(self._ray.shutdown)
                try:
                    self._ray.init(include_dashboard=False, log_to_driver=False, logging_level="error")
                except (ConnectionError, RuntimeError, ValueError) as error:
                    raise ExecutorError(
                        expected="a Ray cluster to connect to, or to start here",
                        got=str(error),
                        consequence="nothing was run",
                        remedy="check RAY_ADDRESS and `ray status`; `ray stop` clears what a dead cluster left",
                    ) from error
            yield


def plan_pool(resources: dict[str, float], workers: int | None, units: int) -> Pool:
    """How many actors there should be on a cluster with these resources, and what each may take.

    Args:
        resources: of `ray.cluster_resources()`: `CPU`, `GPU`.
        workers: the number wanted; None takes one a GPU, or one a CPU.
        units: never more actors than units.
    """
    cpus, gpus = max(1.0, resources.get("CPU", 1.0)), resources.get("GPU", 0.0)
    count = min(workers or int(gpus or cpus), units)
    own = min(1.0, cpus * (1 - RESERVED_FOR_RAY) / count)
    return Pool(count, round(own, 4), min(1.0, gpus / count), max(1, int(cpus // count)))


class Attempts:
    """Counts how often each unit was begun; one for all workers."""

    def __init__(self) -> None:
        self._begun: Counter[int] = Counter()

    def begin(self, unit: int) -> int:
        """The number of this attempt, from 1."""
        self._begun[unit] += 1
        return self._begun[unit]


class UnitActor:
    """What runs in an actor of Ray Data: a worker, made at the first unit so that its errors reach the driver.

    Args:
        make_worker: makes it.
        attempts: handle of the actor `Attempts`.
        folder: the driver's working folder, which relative paths start from.
        threads: of numerical libraries.
    """

    def __init__(self, make_worker: MakeWorker, attempts: Any, folder: str, threads: int) -> None:
        os.environ["OMP_NUM_THREADS"] = str(threads)
        if Path(folder).is_dir():
            os.chdir(folder)
        self._make_worker, self._attempts = make_worker, attempts

    @cached_property
    def _worker(self) -> Worker:
        return self._make_worker()

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run the batch's one unit.

        Columns: `made`, the items that it made; `finished`, those that it told its progress; `error`, what it raised,
        pickled: Ray would keep only the text of it.
        """
        told: list[int] = []
        made, error = 0, b""
        try:
            made = self._run(int(batch["item"][0]), told.append)
        except RankdistillError as raised:
            error = pickle.dumps(raised)
        return {"made": np.array([made]), "finished": np.array([sum(told)]), "error": np.array([error], object)}

    def _run(self, unit: int, progress: Progress) -> int:
        import ray

        if ray.get(self._attempts.begin.remote(unit)) > ATTEMPTS:
            raise ExecutorError(
                expected="workers that live long enough to finish a unit",
                got=f"{ATTEMPTS} of them died at unit {unit}",
                consequence="the run stopped; finished units are kept",
                remedy="look for memory that ran out; take fewer --workers or a smaller --unit-size",
            )
        return self._worker(unit, progress)


def _dataset(units: Sequence[int], make_worker: MakeWorker, attempts: Any, pool: Pool) -> Dataset:
    """A lazy dataset with a row for each unit that has been run; Ray Data itself replaces actors that die."""
    from ray.data import ActorPoolStrategy, DataContext, from_items

    DataContext.get_current().enable_progress_bars = False
    threads = int(os.environ.get("OMP_NUM_THREADS", pool.threads))
    resources: dict[str, Any] = {"num_cpus": pool.cpus} | ({"num_gpus": pool.gpus} if pool.gpus else {})
    return from_items(list(units), override_num_blocks=len(units)).map_batches(
        UnitActor,
        fn_constructor_args=(make_worker, attempts, os.getcwd(), threads),
        batch_size=1,
        compute=ActorPoolStrategy(size=pool.workers, max_tasks_in_flight_per_actor=1),
        **resources,
    )


def create(workers: int | None) -> RayExecutor:
    """The executor; raises MissingDependencyError where Ray is not installed."""
    return RayExecutor(workers)
