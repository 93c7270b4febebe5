"""What `distill` gives: what lies where with the verdict, or what it would choose."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankdistill.display import Shown, Table
from rankdistill.recipe.choosing.sizes import OVERRUN
from rankdistill.recipe.distilling.layout import Layout
from rankdistill.recipe.init import Chosen

if TYPE_CHECKING:
    import polars as pl

    from rankdistill.verbs.compare import Results


@dataclass(frozen=True, repr=False)
class Distilled(Shown):
    """A bundle with its index and the verdict; it prints as the report's tables, the verdict, and the next command.

    Args:
        path: the folder.
        results: the systems side by side, with the verdict on the student.
    """

    path: Path
    results: Results

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"Distilled({str(self.path)!r}: {'ship' if self.ship else 'refuse'})"

    @property
    def ship(self) -> bool:
        """Whether the verdict is to ship."""
        return self.results.ship

    @property
    def bundle(self) -> Path:
        """The student, for `serve`, `search`, `index` and `evaluate`."""
        return Layout(self.path).bundle

    @property
    def index(self) -> Path:
        """All documents, as the bundle searches them."""
        return Layout(self.path).index

    @property
    def recipe(self) -> Path:
        """The recipe that was run, with the reason for each value."""
        return Layout(self.path).recipe

    @property
    def report(self) -> Path:
        """The report."""
        return Layout(self.path).report

    @property
    def next_command(self) -> str:
        """The command that serves it."""
        return shlex.join(["rankdistill", "serve", str(self.bundle), "--index", str(self.index)])

    def tables(self) -> list[Table]:
        """Those of the report."""
        return self.results.tables()

    def lines(self) -> list[str]:
        """What it comes to, what lies where, and what to do next."""
        places = {"bundle": self.bundle, "index": self.index, "recipe": self.recipe, "report": self.report}
        after = "next" if self.ship else "it can be tried all the same"
        return [
            *self.results.conclusions,
            *(f"{name}: {place}" for name, place in places.items()),
            f"{after}: {self.next_command}",
        ]

    def to_polars(self) -> pl.DataFrame:
        """The comparisons, as those of the report."""
        return self.results.to_polars()

    def to_json(self) -> dict[str, Any]:
        """Places, verdict, the next command, and the report."""
        places = {"bundle": self.bundle, "index": self.index, "recipe": self.recipe, "report": self.report}
        return {
            "out": str(self.path),
            **{name: str(place) for name, place in places.items()},
            "ship": self.ship,
            "next": self.next_command,
            "results": self.results.to_json(),
        }


@dataclass(frozen=True, repr=False)
class Planned(Shown):
    """What `distill` would choose; nothing was run.

    Args:
        chosen: the recipe with its reasons; its file is not there.
        told: the choice in a few lines.
        minutes: that it would take by what was measured.
        least: the fewest that would do.
        asked: the minutes that there are.
        steps_given: whether steps were set by hand: the minutes are those of the steps that would have been chosen.
    """

    chosen: Chosen
    told: tuple[str, ...]
    minutes: float
    least: float
    asked: float
    steps_given: bool = False

    def __repr__(self) -> str:
        return f"Planned({self.chosen.recipe.name!r}: {self.minutes:.0f} of {self.asked:g} minutes)"

    def tables(self) -> list[Table]:
        """A setting with a reason a row."""
        return self.chosen.tables()

    def lines(self) -> list[str]:
        """The choice in a few lines, and how long it takes."""
        fits = "" if self.minutes <= OVERRUN * self.asked else f", which is too few: {self.least:.1f} are the least"
        if self.steps_given:
            fits = " for the steps that would be chosen; --set has others"
        return [
            *self.told,
            f"about {self.minutes:.0f} of {self.asked:g} minutes by what was measured here{fits}; nothing was run",
        ]

    def to_polars(self) -> pl.DataFrame:
        """A setting with a reason a row: setting, value, because."""
        return self.chosen.to_polars()

    def to_json(self) -> dict[str, Any]:
        """The settings and reasons, and the minutes."""
        found = self.chosen.to_json()
        minutes = {"minutes": self.minutes, "least": self.least, "asked": self.asked}
        return {"recipe": found["recipe"], "reasons": found["reasons"], **minutes}
