"""Telling of work that takes a while: to nobody, to a function, as bars in a terminal, as lines elsewhere.

A verb takes `progress`: False tells nobody, True tells on standard error, a function is called with the number of units
just finished, and a `Reporter` decides by itself.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TextIO, runtime_checkable

from rankdistill.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console

Progress = Callable[[int], object]
"""Called with the number of units (texts, pairs, steps) just finished."""

EVERY = 15.0
"""Seconds between two lines about one stretch of work, where there is no terminal."""


def ignore(done: int) -> None:
    """A `Progress` that tells nobody."""


class Stage(Protocol):
    """One stretch of work; called with the number of units just finished."""

    def __call__(self, done: int) -> object:
        """So many more units are finished."""
        ...

    def expect(self, total: int) -> object:
        """There are so many units in all, which was not known when the stage began."""
        ...


@runtime_checkable
class Reporter(Protocol):
    """Who is told of a verb's work."""

    def stage(self, name: str, unit: str, total: int | None = None) -> AbstractContextManager[Stage]:
        """A stretch of work begins.

        Args:
            name: what is done: `mine`, `training`.
            unit: what is counted: `texts`, `pairs`, `steps`.
            total: how many there are; None where that is not known yet.
        """
        ...


ProgressLike = bool | Progress | Reporter
"""What a verb's `progress` may be."""


def reporter_of(progress: ProgressLike) -> Reporter:
    """Who is to be told.

    Raises:
        ConfigError: something else than a bool, a function or a reporter.
    """
    if isinstance(progress, bool):
        return on_standard_error() if progress else Calling(ignore)
    if isinstance(progress, Reporter) and not isinstance(progress, type):
        return progress
    if callable(progress) and not isinstance(progress, type):
        return Calling(progress)
    raise ConfigError(
        expected="progress=True, False, or a function that takes the number of units just finished",
        got=f"progress={progress!r}",
        consequence="nothing was run",
        remedy="leave it out, or give progress=True",
    )


def on_standard_error() -> Reporter:
    """Bars where standard error is a terminal, else lines."""
    return Bars() if sys.stderr.isatty() else Lines()


@dataclass
class Count:
    """How far a stretch of work is.

    Args:
        name: what is done.
        unit: what is counted.
        total: how many units there are; None where that is not known.
        done: how many are finished.
        started: when it began, in seconds of `time.perf_counter`.
    """

    name: str
    unit: str
    total: int | None = None
    done: int = 0
    started: float = field(default_factory=time.perf_counter)

    def __call__(self, done: int) -> None:
        """So many more units are finished."""
        self.done += done

    def expect(self, total: int) -> None:
        """There are so many units in all."""
        self.total = total

    @property
    def line(self) -> str:
        """As `training: 120 of 400 steps, 3.1 steps/s, 90 s left`."""
        seconds = time.perf_counter() - self.started
        rate = self.done / seconds if seconds > 0 else 0.0
        known = bool(self.total) and self.done <= (self.total or 0)
        line = f"{self.name}: {self.done:,} of {self.total:,} {self.unit}" if known else self._without_total
        if self.done:
            line += f", {rate:,.0f} {self.unit}/s" if rate >= 10 else f", {rate:,.2g} {self.unit}/s"
            if known and self.done < (self.total or 0):
                line += f", {_duration(((self.total or 0) - self.done) / rate)} left"
        return f"{line}, {_duration(seconds)} so far"

    @property
    def _without_total(self) -> str:
        return f"{self.name}: {self.done:,} {self.unit}" if self.done else f"{self.name}: started"


def _duration(seconds: float) -> str:
    """As `42 s`, `3 min 20 s` or `2 h 5 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


@dataclass(frozen=True)
class Calling:
    """A reporter that calls a function with the number of units just finished, whatever the stage."""

    function: Progress

    @contextmanager
    def stage(self, name: str, unit: str, total: int | None = None) -> Iterator[Stage]:
        """See `Reporter.stage`."""
        count = Count(name, unit, total)

        class Called:
            def __call__(_, done: int) -> None:  # noqa: N805
                count(done)
                self.function(done)

            def expect(_, total: int) -> None:  # noqa: N805
                count.expect(total)

        yield Called()


@dataclass(frozen=True)
class Named:
    """A reporter whose stages are told under one name, as the step of an experiment."""

    reporter: Reporter
    name: str

    def stage(self, name: str, unit: str, total: int | None = None) -> AbstractContextManager[Stage]:
        """See `Reporter.stage`."""
        return self.reporter.stage(self.name, unit, total)


@dataclass(frozen=True)
class Lines:
    """A reporter that writes a line at least every `every` seconds while a stage lasts; for files and pipes.

    Args:
        every: seconds.
        stream: where to; standard error unless given.
    """

    every: float = EVERY
    stream: TextIO | None = None

    @contextmanager
    def stage(self, name: str, unit: str, total: int | None = None) -> Iterator[Stage]:
        """See `Reporter.stage`."""
        count, ended = Count(name, unit, total), threading.Event()
        told = ""

        def tell() -> None:
            nonlocal told
            while not ended.wait(self.every):
                told = count.line
                self._write(told)

        teller = threading.Thread(target=tell, name="progress", daemon=True)
        teller.start()
        try:
            yield count
        finally:
            ended.set()
            teller.join()
            if time.perf_counter() - count.started >= self.every and count.line != told:
                self._write(count.line)

    def _write(self, line: str) -> None:
        print(line, file=self.stream or sys.stderr, flush=True)


class Bars:
    """A reporter that shows a bar with count, rate and time left; a stage in which nothing was done leaves none.

    Args:
        console: where; standard error unless given.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console

    @contextmanager
    def stage(self, name: str, unit: str, total: int | None = None) -> Iterator[Stage]:
        """See `Reporter.stage`."""
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        count = Count(name, unit, total)
        bar = RichProgress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[counted]}", markup=False),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console or Console(stderr=True, emoji=False),
        )
        with bar:
            task = bar.add_task(name, total=total or None, counted="")

            class Shown:
                def __call__(_, done: int) -> None:  # noqa: N805
                    count(done)
                    bar.update(task, advance=done, counted=_counted(count))

                def expect(_, total: int) -> None:  # noqa: N805
                    count.expect(total)
                    bar.update(task, total=total or None, counted=_counted(count))

            try:
                yield Shown()
            finally:
                if count.done:
                    bar.update(task, total=count.done)
                    bar.stop_task(task)
                else:
                    bar.remove_task(task)


def _counted(count: Count) -> str:
    """As `120/400 steps, 3.1/s`."""
    of = f"/{count.total:,}" if count.total else ""
    seconds = time.perf_counter() - count.started
    rate = f", {count.done / seconds:,.3g}/s" if count.done and seconds > 0 else ""
    return f"{count.done:,}{of} {count.unit}{rate}"
