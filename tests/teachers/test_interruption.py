"""What a signal and the clock do to a run, told to the callback step by step."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from transformers import TrainerControl

from rankdistill.teachers.teaching.interruption import MOST_SECONDS, Interruption


@pytest.fixture
def known() -> Iterator[list[int]]:
    """A handler of SIGTERM that was there before."""
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
    yield heard
    signal.signal(signal.SIGTERM, before)


class Told:
    """A callback in a run that is at some step."""

    def __init__(self, folder: Path, interruption: Interruption, step: int = 0) -> None:
        self.interruption, self.control = interruption, TrainerControl()
        self.args = SimpleNamespace(output_dir=str(folder), device=torch.device("cpu"))
        self.state = SimpleNamespace(
            global_step=step, max_steps=100, save_steps=10, best_global_step=None, is_world_process_zero=True
        )

    def step(self) -> bool:
        """Whether a checkpoint is asked for at the end of the next step."""
        self.state.global_step += 1
        self.control.should_save = False
        self.interruption.on_step_end(self.args, self.state, self.control)
        return self.control.should_save

    def save(self) -> None:
        self.interruption.on_save(self.args, self.state, self.control)


def test_a_checkpoint_is_asked_for_five_minutes_after_the_last(tmp_path: Path) -> None:
    now = 1000.0
    told = Told(tmp_path, Interruption(clock=lambda: now))
    assert MOST_SECONDS == 300
    now += 900
    told.interruption.on_train_begin(told.args, told.state, told.control)
    assert not told.step(), "what came before the first step does not count"
    now += 299
    assert not told.step()
    now += 1
    assert told.step()
    assert told.step(), "until one was written"
    told.save()
    now += 299
    assert not told.step()
    told.save()
    now += 299
    assert not told.step(), "one of the intervals counts too"
    now += 1
    assert told.step()


def test_a_checkpoint_takes_the_place_of_passing_ones(tmp_path: Path) -> None:
    for step in (3, 10, 13, 20, 21, 27, 31):
        (tmp_path / f"checkpoint-{step}").mkdir()
    told = Told(tmp_path, Interruption(), step=27)
    told.state.best_global_step = 13
    told.save()
    assert {path.name for path in tmp_path.iterdir()} == {f"checkpoint-{step}" for step in (10, 13, 20, 27, 31)}


def test_a_signal_asks_for_a_checkpoint_and_the_run_ends_when_it_is_written(tmp_path: Path, known: list[int]) -> None:
    told = Told(tmp_path, Interruption())

    def run() -> None:
        with told.interruption.heeded():
            assert not told.step()
            told.save()
            os.kill(os.getpid(), signal.SIGTERM)
            assert told.step()
            with pytest.raises(KeyboardInterrupt):
                told.save()

    with pytest.raises(KeyboardInterrupt):
        run()
    assert not known
    os.kill(os.getpid(), signal.SIGTERM)
    assert known == [signal.SIGTERM], "the handler that was there before is there again"


def test_a_second_signal_ends_at_once(known: list[int]) -> None:
    reached = []

    def run() -> None:
        with Interruption().heeded():
            os.kill(os.getpid(), signal.SIGTERM)
            reached.append(1)
            os.kill(os.getpid(), signal.SIGINT)
            reached.append(2)

    with pytest.raises(KeyboardInterrupt):
        run()
    assert reached == [1]
    assert not known


def test_an_error_is_told_rather_than_the_signal_before_it() -> None:
    def run() -> None:
        with Interruption().heeded():
            os.kill(os.getpid(), signal.SIGTERM)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run()


def test_a_signal_that_the_process_ignores_stays_ignored(tmp_path: Path) -> None:
    """As under `nohup ... &`, where a shell has its jobs ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        told = Told(tmp_path, Interruption())
        with told.interruption.heeded():
            os.kill(os.getpid(), signal.SIGINT)
            assert not told.step()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_in_another_thread_signals_keep_their_handlers(known: list[int]) -> None:
    handlers: list[Callable[..., object] | int | None] = []

    def elsewhere() -> None:
        with Interruption().heeded():
            handlers.append(signal.getsignal(signal.SIGTERM))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert handlers == [before]
