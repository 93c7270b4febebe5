"""Bad rows of input files: collected with file and line, then raised together (strict) or reported (lenient)."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from rankdistill.errors import ConfigError, DataError

Mode = Literal["strict", "lenient"]

MOST_SHOWN = 10
"""A strict error lists this many rows and the total."""


class BadRows:
    """Collects the rows that cannot be used while files are read.

    Args:
        mode: `strict` makes `finish` raise if there is any bad row; `lenient` keeps them as reports only.
        most: reports that are kept, of any number of bad rows; None: all.

    Raises:
        ConfigError: another mode.
    """

    def __init__(self, mode: Mode = "strict", most: int | None = None) -> None:
        if mode not in ("strict", "lenient"):
            raise ConfigError(
                expected="mode 'strict' or 'lenient'", got=repr(mode), consequence="nothing was read", remedy="pick one"
            )
        self.mode, self.most = mode, most
        self.reports: list[str] = []
        self.count = 0

    def add(self, path: Path, line: int, problem: str) -> None:
        """Record that `line` (from 1) of `path` cannot be used, and why."""
        self.take(f"{path}:{line}: {problem}")

    def take(self, report: str) -> None:
        """Record a bad row that was reported elsewhere."""
        self.count += 1
        if self.most is None or len(self.reports) < self.most:
            self.reports.append(report)

    def finish(self, expected: str) -> None:
        """Raise one DataError about all rows recorded, if strict and there is any."""
        if self.mode == "lenient" or not self.count:
            return
        shown = "".join(f"\n  {report}" for report in self.reports[:MOST_SHOWN])
        more = f"\n  and {self.count - MOST_SHOWN} more" if self.count > MOST_SHOWN else ""
        rows = "1 bad row" if self.count == 1 else f"{self.count} bad rows"
        raise DataError(
            expected=expected,
            got=f"{rows}{shown}{more}",
            consequence="nothing was used: leaving rows out silently would change every result",
            remedy="repair the rows, or leave them out and have them reported with --lenient (mode='lenient')",
        )
