"""What `queries` gives: where the collection lies, and what became of what each kind made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankdistill import integrity, plain_json
from rankdistill.display import Shown, Table
from rankdistill.errors import DataError
from rankdistill.querying.sieve import GENERATORS_OWN, REASONS, Counts

if TYPE_CHECKING:
    import polars as pl

FILE_NAME = "generated.json"


@dataclass(frozen=True, repr=False)
class Generated(Shown):
    """A collection of generated queries; stands for its folder, and prints as a count for each kind.

    Args:
        path: the folder, in BEIR layout.
        documents: how many queries were made of.
        covered: how many of those have one that was kept.
        splits: split -> generated queries in it.
        kinds: kind -> `made`, `kept` and `dropped`, the last by reason; see `rankdistill.querying.sieve.REASONS`.
    """

    path: Path
    documents: int
    covered: int
    splits: Mapping[str, int]
    kinds: Mapping[str, Mapping[str, Any]]

    @classmethod
    def of(cls, path: Path, documents: int, covered: int, splits: Mapping[str, int], counts: Counts) -> Generated:
        """From what was counted."""
        kinds = {
            kind: {
                "made": made,
                "kept": counts.kept(kind),
                "dropped": {reason: n for reason in REASONS if (n := counts.dropped[kind, reason])},
            }
            for kind, made in sorted(counts.made.items())
        }
        return cls(path, documents, covered, splits, kinds)

    @classmethod
    def read(cls, folder: Path) -> Generated:
        """What lies in a finished folder.

        Raises:
            DataError: the file is absent or damaged.
        """
        path = folder / FILE_NAME
        try:
            found = plain_json.loads(integrity.read_text(path))
            return cls(folder, found["documents"], found["covered"], found["splits"], found["kinds"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(
                expected=f"the counts of generated queries in {path}",
                got=str(error),
                consequence="what was made and dropped is unknown",
                remedy="remove the folder and make it again",
            ) from error

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"Generated({str(self.path)!r}: {sum(self.splits.values()):,} queries of {self.covered:,} documents)"

    @property
    def text(self) -> str:
        """The content of `generated.json`."""
        content = {name: value for name, value in self.to_json().items() if name != "path"}
        return json.dumps(content, indent=1, ensure_ascii=False) + "\n"

    @property
    def queries(self) -> int:
        """How many queries were kept, in all splits."""
        return sum(self.splits.values())

    def collapsed(self, share: float) -> list[str]:
        """A line for each kind of whose queries `share` or more are words over and over, or one of many documents."""
        found = []
        for kind, one in self.kinds.items():
            own = {reason: one["dropped"].get(reason, 0) for reason in GENERATORS_OWN}
            if one["made"] and sum(own.values()) >= share * one["made"]:
                parts = (
                    f"{own['repetitive']:,} say words over and over, {own['common']:,} are the same for many documents"
                )
                found.append(
                    f"{kind} repeats itself: {sum(own.values()) / one['made']:.0%} of its {one['made']:,} queries were "
                    f"dropped for that ({parts})"
                )
        return found

    def tables(self) -> list[Table]:
        """A kind a row: made, dropped by reason, kept."""
        reasons = [reason for reason in REASONS if any(reason in one["dropped"] for one in self.kinds.values())]
        rows = [
            [kind, f"{one['made']:,}", *(f"{one['dropped'].get(r, 0):,}" for r in reasons), f"{one['kept']:,}"]
            for kind, one in self.kinds.items()
        ]
        return [Table(f"{self.path}: generated queries", ["kind", "made", *reasons, "kept"], rows)]

    def lines(self) -> list[str]:
        """How many queries of how many documents each split got."""
        shown = ", ".join(f"{split} {count:,}" for split, count in self.splits.items())
        return [
            f"{self.queries:,} queries ({shown}); {self.covered:,} of {self.documents:,} documents have at least one"
        ]

    def to_polars(self) -> pl.DataFrame:
        """A kind a row: kind, made, kept, and a column for each reason."""
        import polars as pl

        rows = [
            {"kind": kind, "made": one["made"], "kept": one["kept"]}
            | {reason: one["dropped"].get(reason, 0) for reason in REASONS}
            for kind, one in self.kinds.items()
        ]
        counted = dict.fromkeys(("made", "kept", *REASONS), pl.Int64)
        return pl.DataFrame(rows, schema={"kind": pl.String, **counted})

    def to_json(self) -> dict[str, Any]:
        """Folder, documents, splits and kinds."""
        return {
            "path": str(self.path),
            "documents": self.documents,
            "covered": self.covered,
            "splits": dict(self.splits),
            "kinds": {kind: dict(one) for kind, one in self.kinds.items()},
        }
