"""Kill one of several writers of a store with SIGKILL at random instants, and compare with an uninterrupted store.

    python -m benchmarks.store.kill_writers --data DIR [--teacher MODEL] [--kills 20] [--ray-kills 20]

Local: three processes, `--shard 1/3` to `3/3`, score into one store at the same time; a random one is killed and
started again, up to ten times a store. Ray: one process scores on three actors; an actor is killed, or, every third
time, the driver, which is started again. Each finished store is compared byte for byte, and row for row, with one that
a single writer made without interruption.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from benchmarks.provenance import parse, write_results
from benchmarks.store.killing import command, hashes, parser, prepare, shards

WRITERS = 3
KILLS_A_STORE = 10
RAY_FLAGS = ("--executor", "ray", "--workers", str(WRITERS))


@dataclass
class Trials:
    """What the trials share.

    Args:
        given: the options.
        seconds: how long an uninterrupted run takes.
        kills: one row a kill, over all trials.
    """

    given: argparse.Namespace
    seconds: float
    kills: list[dict[str, object]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(self.given.seed)

    def killed(self, store: Path, what: str, process: int) -> None:
        """Kill the process and note it."""
        found = shards(store)
        os.kill(process, signal.SIGKILL)
        self.kills.append({"store": store.name, "killed": what, "shards": found})
        print(f"{store.name}: killed {what} with {found} shards", flush=True)

    def wait(self) -> None:
        """Wait for a random time, short against the run."""
        time.sleep(self.random.uniform(0.05, 0.8) * self.seconds)


def main() -> None:
    """Run the trials; exits with 1 if one store differs."""
    options = parser(__doc__, "runs/kill_writers", kills=20, unit_size=128)
    options.add_argument("--ray-kills", type=int, default=20)
    options.set_defaults(queries=100)
    given = parse(options)
    trials = Trials(given, prepare(given))
    stores: list[Path] = []
    for kind, wanted, trial in (("local", given.kills, _local), ("ray", given.ray_kills, _ray)):
        while (left := wanted - sum(str(row["store"]).startswith(kind) for row in trials.kills)) > 0:
            stores.append(given.work / f"{kind}-{len(stores) + 1}")
            trial(trials, stores[-1], min(left, KILLS_A_STORE))
            _compare(stores[-1], given.work / "whole")
    rows = _scores(given.work / "whole").height
    content = {
        "kills": trials.kills,
        "stores": len(stores),
        "writers": WRITERS,
        "rows_a_store": rows,
        "lost": 0,
        "doubled": 0,
        "byte_identical": True,
        "whole_s": round(trials.seconds, 1),
    }
    path = write_results("kill_writers", content, Path(given.data).name)
    print(f"{len(trials.kills)} kills, {len(stores)} stores of {rows:,} rows, all byte-identical: {path}")


def _local(trials: Trials, store: Path, kills: int) -> None:
    """Writers of three shares at the same time; one after the other is killed and started again."""
    writers = {
        f"writer {number}/{WRITERS}": command(trials.given, store, "--shard", f"{number}/{WRITERS}")
        for number in range(1, WRITERS + 1)
    }
    with _running(store.with_suffix(".log")) as start:
        alive = {name: start(words) for name, words in writers.items()}
        while alive:
            trials.wait()
            alive = {name: process for name, process in alive.items() if not _ended(process)}
            if alive and kills:
                kills -= 1
                name = trials.random.choice(sorted(alive))
                trials.killed(store, name, alive[name].pid)
                alive[name].wait()
                alive[name] = start(writers[name])


def _ray(trials: Trials, store: Path, kills: int) -> None:
    """Three actors of one driver; actors are killed, and every third time the driver, which is started again."""
    words = command(trials.given, store, *RAY_FLAGS)
    with _running(store.with_suffix(".log")) as start:
        driver = start(words)
        while not _ended(driver):
            trials.wait()
            actors = _actors(driver.pid)
            if not kills or not actors or _ended(driver):
                continue
            kills -= 1
            if kills % 3 == 1:
                trials.killed(store, "driver", driver.pid)
                driver.wait()
                driver = start(words)
            else:
                trials.killed(store, "actor", trials.random.choice(actors))


@contextmanager
def _running(log: Path) -> Iterator[Callable[[list[str]], subprocess.Popen[bytes]]]:
    """A function that starts a command, whose output goes into `log`; what lives at the end is stopped."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "RAY_ADDRESS": "local"}
    started: list[subprocess.Popen[bytes]] = []
    with log.open("ab") as stream:

        def start(words: list[str]) -> subprocess.Popen[bytes]:
            started.append(subprocess.Popen(words, stdout=stream, stderr=stream, env=environment))
            return started[-1]

        try:
            yield start
        finally:
            for process in started:
                process.kill()


def _ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether the process ended by itself; if it failed, so do we."""
    if process.poll():
        sys.exit(f"a writer failed with {process.returncode}; its output is in the log of its store")
    return process.poll() is not None


def _actors(driver: int) -> list[int]:
    """The process ids of the actors that descend from the driver."""
    parents, actors = {}, []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            name = (folder / "cmdline").read_bytes()
        except OSError:  # it ended meanwhile
            continue
        if name.startswith(b"ray::MapWorker"):
            actors.append(int(folder.name))
    return sorted(actor for actor in actors if driver in _ancestors(actor, parents))


def _ancestors(process: int, parents: dict[int, int]) -> Iterator[int]:
    while process := parents.get(process, 0):
        yield process


def _compare(store: Path, whole: Path) -> None:
    found, wanted = _scores(store), _scores(whole)
    same_rows = found.n_unique("key") == found.height and found.equals(wanted)
    same_bytes = hashes(store) == hashes(whole)
    print(f"{store.name}: {'byte-identical' if same_bytes else 'DIFFERENT'}, {found.height:,} rows", flush=True)
    if not (same_rows and same_bytes):
        sys.exit(f"{store.name} differs from {whole}; rows the same: {same_rows}")


def _scores(store: Path) -> pl.DataFrame:
    return pl.read_parquet(sorted(store.glob("scores/*/part-*"))).sort("query_id", "doc_id")


if __name__ == "__main__":
    main()
