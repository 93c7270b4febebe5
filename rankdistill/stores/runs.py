"""What one call did at a store: how much it scored or embedded, found, and left to others."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankdistill.display import Shown

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, repr=False)
class StoreRun(Shown):
    """What one call did; it prints as a line, and one more where other writers' shards are missing.

    Args:
        path: the store.
        teacher: its id.
        unit: what was counted: `pairs` or `texts`.
        work: what was done to them: `scored` or `embedded`.
        done: units that this call made.
        reused: units of its share that were there.
        left: shards of other shares that are missing; the store is finished where there is none.
        share: its share of the work units, as `1/1`.
        seconds: that it took.
    """

    path: Path
    teacher: str
    unit: str
    work: str
    done: int
    reused: int
    left: int
    share: str
    seconds: float

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        state = f"; {self.left:,} shards of other shares are missing" if self.left else ""
        return f"StoreRun({str(self.path)!r}: {self.done:,} {self.unit} {self.work}, {self.reused:,} reused{state})"

    @property
    def run(self) -> StoreRun:
        """Itself: what was done is told by `run` of what a verb returns, whether the store is finished or not."""
        return self

    def lines(self) -> list[str]:
        """What was done, and whether others have to do their share."""
        found = [
            f"{self.path}: {self.done:,} {self.unit} {self.work}, {self.reused:,} reused, {self.seconds:,.0f} s",
        ]
        if self.left:
            found.append(
                f"share {self.share} is done; {self.left:,} shards of the others are missing: "
                "the last finishes the store"
            )
        return found

    def to_polars(self) -> pl.DataFrame:
        """One row: the fields of `to_json`."""
        import polars as pl

        return pl.DataFrame([self.to_json()])

    def to_json(self) -> dict[str, Any]:
        """Store, teacher, counts, and whether the store is finished."""
        return {
            "store": str(self.path),
            "teacher": self.teacher,
            "unit": self.unit,
            self.work: self.done,
            "reused": self.reused,
            "left_shards": self.left,
            "share": self.share,
            "seconds": round(self.seconds, 3),
            "finished": not self.left,
        }
