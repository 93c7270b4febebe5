"""What `run` calls before each step, in tests."""

from __future__ import annotations

from rankdistill.progress import Progress
from rankdistill.recipe.steps import Step


class Recorder:
    """Remembers which steps ran, and can interrupt one at its first progress."""

    def __init__(self, interrupt: str | None = None) -> None:
        self.ran: list[str] = []
        self.interrupt = interrupt

    def __call__(self, step: Step) -> Progress:
        self.ran.append(step.name)

        def progress(done: int) -> None:
            if step.name == self.interrupt:
                raise KeyboardInterrupt

        return progress
