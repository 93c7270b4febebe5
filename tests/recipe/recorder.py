"""Who is told of the steps of a run, in tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rankdistill.progress import Stage


class Recorder:
    """Remembers which steps ran, and can interrupt one at its first progress."""

    def __init__(self, interrupt: str | None = None) -> None:
        self.ran: list[str] = []
        self.interrupt = interrupt

    @contextmanager
    def stage(self, name: str, unit: str, total: int | None = None) -> Iterator[Stage]:
        if name not in self.ran:
            self.ran.append(name)
        recorder = self

        class Told:
            def __call__(self, done: int) -> None:
                if name == recorder.interrupt:
                    raise KeyboardInterrupt

            def expect(self, total: int) -> None:
                pass

        yield Told()
