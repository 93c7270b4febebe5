"""Where in the whole a stretch of work is."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from rankdistill.notes import tell
from rankdistill.progress import Reporter, Stage

STAGES = ("documents", "recipe", "run", "bundle", "index", "verdict")
"""What `distill` does, in order."""


@dataclass(frozen=True)
class Placed:
    """A reporter that says which stage of the whole, and which step of the run, each stretch of work belongs to.

    Args:
        reporter: who is told.
        stage_name: of `STAGES`.
        steps: names of the run's steps, in order.
    """

    reporter: Reporter
    stage_name: str
    steps: Sequence[str] = ()

    @property
    def place(self) -> str:
        """As `3 of 6`."""
        return f"{STAGES.index(self.stage_name) + 1} of {len(STAGES)}"

    def begin(self, what: str) -> None:
        """Tell that the stage begins."""
        tell(f"{self.place}: {what}")

    def stage(self, name: str, unit: str, total: int | None = None) -> AbstractContextManager[Stage]:
        """See `Reporter.stage`."""
        step = f", step {self.steps.index(name) + 1} of {len(self.steps)}" if name in self.steps else ""
        return self.reporter.stage(f"{self.place}{step}: {name}", unit, total)
