"""Runs that a signal ends, or that save by the clock: what is finished has the bytes of an undisturbed run."""

from __future__ import annotations

import logging
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from rankdistill import manifest
from rankdistill.data import Dataset
from rankdistill.teachers.teaching import steady_trainer
from rankdistill.teachers.teaching.interruption import Interruption
from rankdistill.training import dev
from rankdistill.training.config import TrainConfig
from rankdistill.training.run import train
from tests.forked import Forked
from tests.training.conftest import MemoryStore

SETTINGS = {
    "batch_size": 4,
    "negatives": 2,
    "eval_steps": 6,
    "log_steps": 3,
    "precision": "float32",
    "learning_rate": 1e-3,
    "steps": 14,
}
"""Points of the loss curve at 3, 6, 9, 12 and 14; checkpoints at 6, 12 and 14."""

Run = Callable[..., Path]


@pytest.fixture
def run(tiny_data: Dataset, tiny_store: MemoryStore, tiny_encoder: str, tiny_splade: str, tmp_path: Path) -> Run:
    def start(name: str, progress: Callable[[int], object] | None = None, **given: Any) -> Path:
        student = tiny_splade if given.get("type") == "splade" else tiny_encoder
        dev_split = given.pop("dev_split", None)
        config = TrainConfig(**SETTINGS | given)
        return train(tiny_data, tiny_store, student, tmp_path / name, config, dev_split=dev_split, progress=progress)

    return start


class Steps:
    """Counts the steps done, and does something after one of them."""

    def __init__(self, at: int = 0, act: Callable[[], object] = lambda: None) -> None:
        self.told: list[int] = []
        self.at, self.act = at, act

    def __call__(self, steps: int) -> None:
        self.told.append(steps)
        if steps and sum(self.told) == self.at:
            self.act()


def send(number: int) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), number)


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


def checkpoints_of(folder: Path) -> set[int]:
    return {int(path.name.rpartition("-")[2]) for path in (folder / "checkpoints").glob("checkpoint-*")}


@pytest.fixture(autouse=True)
def handlers_stay() -> Iterator[None]:
    """No run leaves a handler behind."""
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    yield
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


@pytest.mark.parametrize(
    ("number", "step", "given"),
    [
        (signal.SIGTERM, 4, {}),
        (signal.SIGINT, 8, {"dev_split": "dev", "patience": 9}),
        (signal.SIGTERM, 13, {"dev_split": "dev"}),
        pytest.param(signal.SIGTERM, 14, {"dev_split": "dev"}, marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, 5, {"gradient_accumulation": 2, "dropout": 0.1}, marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, 5, {"keep_checkpoints": True}, marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, 5, {"precision": "bf16"}, marks=pytest.mark.slow),
        (signal.SIGTERM, 8, {"type": "splade", "dev_split": "dev", "regulariser_warmup": 1.0}),
    ],
)
def test_a_signal_ends_the_run_behind_its_step_and_the_next_run_finishes_it(
    number: int, step: int, given: dict[str, Any], run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="rankdistill")
    whole = run("whole", **given)
    assert not caplog.messages
    with pytest.raises(KeyboardInterrupt):
        run("broken", Steps(step, send(number)), **given)
    broken = whole.parent / "broken"
    assert caplog.messages == [f"checkpoint written at step {step} of 14"]
    assert step in checkpoints_of(broken)
    assert given.get("keep_checkpoints") or len(checkpoints_of(broken)) <= 2
    assert manifest.read(broken) is None
    resumed = Steps()
    again = run("broken", resumed, **given)
    assert resumed.told == [step, *[1] * (14 - step)]
    assert checkpoints_of(again) == checkpoints_of(whole)
    wanted = {name: content for name, content in files_of(whole).items() if not name.startswith("checkpoints")}
    assert wanted == {name: content for name, content in files_of(again).items() if not name.startswith("checkpoints")}
    assert {"model.safetensors", "training_log.json", "manifest.json"} <= wanted.keys()


def test_a_run_may_be_interrupted_at_every_step(run: Run) -> None:
    given = {"dev_split": "dev", "patience": 9, "steps": 8}
    whole = run("whole", **given)
    for step in range(1, 8):
        with pytest.raises(KeyboardInterrupt):
            run("broken", Steps(step, send(signal.SIGTERM)), **given)
        assert step in checkpoints_of(whole.parent / "broken")
    assert files_of(run("broken", **given)) == files_of(whole)


def test_a_signal_during_an_evaluation_lets_it_end(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"dev_split": "dev", "patience": 9}
    whole = run("whole", **given)
    calls = []
    retrieval = dev.retrieval

    def watched(*args: Any) -> Any:
        found = retrieval(*args)
        measure = type(found.evaluator).__call__

        def call(self: Any, *given: Any, **named: Any) -> Any:
            calls.append(1)
            if len(calls) == 2:
                send(signal.SIGTERM)()
            return measure(self, *given, **named)

        monkeypatch.setattr(type(found.evaluator), "__call__", call)
        return found

    with monkeypatch.context() as patched:
        patched.setattr(dev, "retrieval", watched)
        with pytest.raises(KeyboardInterrupt):
            run("broken", **given)
        monkeypatch.undo()
    assert checkpoints_of(whole.parent / "broken") == {6}
    assert files_of(run("broken", **given)) == files_of(whole)


def test_a_run_that_stopped_early_is_not_trained_on(run: Run) -> None:
    """The signal comes in the step whose evaluation ends the run."""
    given = {"dev_split": "dev", "patience": 1, "learning_rate": 1e-9, "eval_steps": 3, "steps": 12}
    whole = run("whole", **given)
    with pytest.raises(KeyboardInterrupt):
        run("broken", Steps(6, send(signal.SIGTERM)), **given)
    resumed = Steps()
    assert files_of(run("broken", resumed, **given)) == files_of(whole)
    assert sum(resumed.told) in (0, 6), "no step was done again"


def test_a_second_signal_ends_the_run_within_its_step(run: Run) -> None:
    def twice() -> None:
        send(signal.SIGTERM)()
        send(signal.SIGTERM)()

    given = {"eval_steps": 3}
    whole = run("whole", **given)
    with pytest.raises(KeyboardInterrupt):
        run("broken", Steps(5, twice), **given)
    assert checkpoints_of(whole.parent / "broken") == {3}
    assert files_of(run("broken", **given)) == files_of(whole)


@pytest.mark.parametrize("keep", [False, True])
def test_a_checkpoint_by_the_clock_changes_nothing_and_gives_way(
    keep: bool, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steps of 200 s: each second one is saved, and between the intervals no more than one of them is there."""
    given: dict[str, Any] = {"dev_split": "dev", "patience": 9, "keep_checkpoints": keep}
    whole = run("whole", **given)
    now = 0.0
    seen: dict[int, set[int]] = {}
    broken = whole.parent / "broken"

    class Clock(Steps):
        def __call__(self, steps: int) -> None:
            nonlocal now
            super().__call__(steps)
            seen[sum(self.told)] = checkpoints_of(broken)
            now += 200.0 * steps

    monkeypatch.setattr(steady_trainer, "Interruption", partial(Interruption, clock=lambda: now))
    again = run("broken", Clock(), **given)
    assert [max(seen[step], default=0) for step in range(1, 15)] == [0, 0, 2, 2, 4, 4, 6, 6, 8, 8, 10, 10, 12, 12]
    assert all(sum(step % 6 > 0 for step in found) <= 1 for found in seen.values())
    assert keep or max(map(len, seen.values())) <= 2
    assert checkpoints_of(again) == checkpoints_of(whole)
    if not keep:
        assert files_of(again) == files_of(whole)


def test_a_run_killed_between_the_intervals_goes_on_from_the_clocks_checkpoint(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die() -> None:
        raise KeyboardInterrupt

    whole = run("whole")
    with monkeypatch.context() as patched:
        patched.setattr(steady_trainer, "Interruption", partial(Interruption, seconds=0.0))
        with pytest.raises(KeyboardInterrupt):
            run("broken", Steps(5, die))
    assert checkpoints_of(whole.parent / "broken") == {4}
    resumed = Steps()
    assert files_of(run("broken", resumed)) == files_of(whole)
    assert resumed.told[0] == 4


TERMINATED = """
import os, pickle, signal, sys
from pathlib import Path
from rankdistill.training.run import train

def terminate(steps):
    done.append(steps)
    if sum(done) == 5:
        os.kill(os.getpid(), signal.SIGTERM)

done = []
given = pickle.loads(Path(sys.argv[1]).read_bytes())
try:
    train(*given, progress=terminate)
except KeyboardInterrupt:
    sys.exit(130)
"""


def test_a_terminated_process_is_finished_by_another(
    run: Run, tiny_data: Dataset, tiny_store: MemoryStore, tiny_encoder: str, tmp_path: Path
) -> None:
    whole = run("whole")
    given = (tiny_data, tiny_store, tiny_encoder, tmp_path / "broken", TrainConfig(**SETTINGS))
    (tmp_path / "given").write_bytes(pickle.dumps(given))
    with Forked(TERMINATED, tmp_path / "given") as process:
        assert process.ended() == 130, process.errors
    assert checkpoints_of(tmp_path / "broken") == {5}
    assert files_of(run("broken")) == files_of(whole)


TOGETHER = """
import os, pickle, signal, sys
from pathlib import Path
from rankdistill.training.run import train

def terminate(steps):
    done.append(steps)
    if steps and sum(done) == int(sys.argv[2]) and os.environ["RANK"] == "1":
        os.kill(os.getpid(), signal.SIGTERM)

done = []
given = pickle.loads(Path(sys.argv[1]).read_bytes())
train(*given, progress=terminate)
"""


@pytest.mark.slow
def test_a_signal_to_one_of_two_processes_ends_both_behind_the_same_step(
    tiny_data: Dataset, tiny_store: MemoryStore, tiny_encoder: str, tmp_path: Path
) -> None:
    (tmp_path / "script.py").write_text(TOGETHER)

    def start(name: str, step: int) -> bool:
        given = (tiny_data, tiny_store, tiny_encoder, tmp_path / name, TrainConfig(**SETTINGS))
        (tmp_path / "given").write_bytes(pickle.dumps(given))
        launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
        command = [*launcher, str(tmp_path / "script.py"), str(tmp_path / "given"), str(step)]
        return subprocess.run(command, capture_output=True, check=False, timeout=300).returncode == 0

    assert start("whole", 0)
    assert not start("broken", 5)
    assert checkpoints_of(tmp_path / "broken") == {5}
    assert start("broken", 0)
    assert files_of(tmp_path / "broken") == files_of(tmp_path / "whole")
