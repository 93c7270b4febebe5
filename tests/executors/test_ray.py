"""Ray actors do what the local executor does, and survive the death of one of them."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from rankdistill import data, executors, teachers
from rankdistill.errors import ExecutorError, RankdistillError, TeacherError
from rankdistill.executors.ray import Pool, RayExecutor, plan_pool
from rankdistill.mining import candidates
from rankdistill.mining.sources import named
from rankdistill.stores.writer import ScoreWriter
from tests.stores.test_writer import contents

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # Ray's own
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.mark.parametrize(
    ("resources", "workers", "units", "expected"),
    [
        ({"CPU": 2.0}, 2, 100, Pool(2, cpus=0.5, gpus=0.0, threads=1)),
        ({"CPU": 2.0}, None, 100, Pool(2, cpus=0.5, gpus=0.0, threads=1)),
        ({"CPU": 2.0}, 8, 100, Pool(8, cpus=0.125, gpus=0.0, threads=1)),
        ({"CPU": 64.0}, 4, 100, Pool(4, cpus=1.0, gpus=0.0, threads=16)),
        ({"CPU": 64.0}, 4, 3, Pool(3, cpus=1.0, gpus=0.0, threads=21)),
        ({"CPU": 32.0, "GPU": 4.0}, None, 100, Pool(4, cpus=1.0, gpus=1.0, threads=8)),
        ({"CPU": 32.0, "GPU": 4.0}, 8, 100, Pool(8, cpus=1.0, gpus=0.5, threads=4)),
        ({"CPU": 32.0, "GPU": 4.0}, 2, 100, Pool(2, cpus=1.0, gpus=1.0, threads=16)),
        ({}, None, 5, Pool(1, cpus=0.5, gpus=0.0, threads=1)),
    ],
)
def test_actors_leave_ray_room_for_its_own_tasks(
    resources: dict[str, float], workers: int | None, units: int, expected: Pool
) -> None:
    assert plan_pool(resources, workers, units) == expected


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """A cluster of this machine that all tests here connect to: to start one takes seconds."""
    import ray

    os.environ |= {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
    yield
    ray.shutdown()


@pytest.fixture
def make_writer(tiny_beir: Path, tiny_cross_encoder: str, tmp_path: Path) -> Callable[[str], ScoreWriter]:
    """Writers with a real teacher into the named store."""
    dataset = data.load(tiny_beir)
    candidates.build(tmp_path / "candidates", dataset, "train", [named("bm25")], 10)
    spec = teachers.specify(tiny_cross_encoder, backend="torch")

    def make(store: str) -> ScoreWriter:
        return ScoreWriter(
            tmp_path / store,
            queries=dataset.queries(),
            documents=dataset.contents,
            candidates=tmp_path / "candidates" / "candidates.parquet",
            teacher=spec.load(),
            dataset_fingerprint=dataset.fingerprint,
            unit_size=16,
            spec=spec,
        )

    return make


@pytest.mark.slow
def test_a_store_scored_on_ray_is_the_local_one_byte_for_byte(
    cluster: None, make_writer: Callable[[str], ScoreWriter], tmp_path: Path
) -> None:
    local = make_writer("local").run()
    passed: list[int] = []
    done = make_writer("ray").run(executor=executors.create("ray", 2), progress=passed.append)
    assert done == local
    assert sum(passed) == local.scored > 16
    assert contents(tmp_path / "ray") == contents(tmp_path / "local")


def work(folder: Path, unit: int, progress: executors.Progress) -> int:
    """Unit 13 raises; 66 kills its worker each time, 7 the first time only; all others leave a file."""
    mark = folder / f"killed-{unit}"
    if unit == 13:
        raise TeacherError(expected="a number that brings luck", got="13")
    if unit == 66 or (unit == 7 and not mark.exists()):
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    with (folder / f"done-{unit}").open("a") as stream:
        stream.write("done\n")
    progress(1)
    return 1


def worker_in(folder: Path) -> executors.Worker:
    return partial(work, folder)


@pytest.mark.slow
def test_a_worker_that_dies_is_replaced_and_nothing_is_lost_or_doubled(cluster: None, tmp_path: Path) -> None:
    assert RayExecutor(2).run(range(12), partial(worker_in, tmp_path)) == 12
    assert (tmp_path / "killed-7").exists()
    done = {path.name: path.read_text() for path in tmp_path.glob("done-*")}
    assert done == {f"done-{unit}": "done\n" for unit in range(12)}


@pytest.mark.slow
@pytest.mark.parametrize(("unit", "error"), [(13, TeacherError), (66, ExecutorError)])
def test_errors_of_workers_reach_the_driver_whole(
    cluster: None, tmp_path: Path, unit: int, error: type[RankdistillError]
) -> None:
    with pytest.raises(error, match=str(unit)) as caught:
        RayExecutor(2).run([unit], partial(worker_in, tmp_path))
    assert caught.value.expected


@pytest.mark.slow
def test_a_cluster_that_is_not_there_is_an_error() -> None:
    """In a process of its own: Ray reads its switches when it is imported."""
    code = "from rankdistill.executors import create; create('ray', 2).run([1], print)"
    environment = {**os.environ, "RAY_ADDRESS": "127.0.0.1:1", "RAY_NUM_REDIS_GET_RETRIES": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert "rankdistill.errors.ExecutorError: expected: a Ray cluster" in done.stderr
    assert "check RAY_ADDRESS" in done.stderr


def test_a_unit_actor_reports_what_was_made_and_what_was_raised(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from rankdistill.executors import ray as module

    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    actor = module.UnitActor(partial(worker_in, tmp_path), None, os.getcwd(), 1)
    monkeypatch.setattr(actor, "_run", lambda unit, progress: actor._worker(unit, progress))
    done = actor({"item": np.array([5])})
    assert (done["made"][0], done["finished"][0], done["error"][0]) == (1, 1, b"")
    failed = actor({"item": np.array([13])})
    assert isinstance(pickle.loads(failed["error"][0]), TeacherError)
