"""`export`: a store in the form that another tool trains from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rankdistill.data import Dataset
from rankdistill.display import Shown
from rankdistill.formats import exporting
from rankdistill.formats.exporting import ExportReport
from rankdistill.notes import note
from rankdistill.stores.reader import ScoreStore
from rankdistill.verbs.arguments import Data, Place, collection_of, listed, place_of, score_store_of
from rankdistill.verbs.contract import verb_with_stores

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, repr=False)
class Exported(Shown):
    """What an export wrote, and what it left out; it prints as a line a count.

    Args:
        path: the file or folder.
        format: of it.
        report: the counts.
    """

    path: Path
    format: str
    report: ExportReport

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"Exported({str(self.path)!r}: {self.report.rows:,} rows of {self.report.queries:,} queries)"

    def lines(self) -> list[str]:
        """The counts, then where it lies."""
        counts = [f"{name.replace('_', ' ')}: {count:,}" for name, count in self.report.to_json().items() if count]
        return [*counts, f"{self.format}: {self.path}"]

    def to_polars(self) -> pl.DataFrame:
        """One row with the counts."""
        import polars as pl

        return pl.DataFrame([self.report.to_json()])

    def to_json(self) -> dict[str, Any]:
        """Path, format and counts."""
        return {"path": str(self.path), "format": self.format, **self.report.to_json()}


@verb_with_stores("store")
def export(
    store: Place | ScoreStore,
    out: Place,
    *,
    format: str,
    data: Data | None = None,
    teacher: str | None = None,
    negatives: int | None = None,
    order: Literal["hardest", "random"] = "hardest",
    seed: int = 0,
    margins: bool = False,
    sources: str | Sequence[str] = (),
    missing: Literal["error", "drop"] = "error",
    lenient: bool = False,
    command: str = "",
) -> Exported:
    """Write one teacher's scores with their positives and negatives for another tool. Equal stores give equal bytes.

    Args:
        store: the scores.
        out: file to write (its suffix counts; without one the format's first), or folder for formats that are one; must
            not exist.
        format: of the output; docs/formats.md lists them.
        data: the collection, for the texts; the store's own are used without it.
        teacher: its name, id, or the start of one, where the store has several.
        negatives: negatives a row, for formats of rows (sentence-transformers: 4; else all).
        order: which negatives: highest scores first, or any.
        seed: of the random order.
        margins: margins instead of scores, for sentence-transformers.
        sources: only candidates of these; all unless given.
        missing: a candidate without a score is an error, or is dropped and counted.
        lenient: leave bad rows of the data out.
        command: the command line, for the manifest of formats that are a folder.

    Returns:
        What was written, and what was left out.

    Raises:
        ConfigError: no such format or source, or a suffix that it does not take.
        StoreError: no such teacher, a missing score, or no texts.
        DataError: nothing to write, or a text is missing.
        OutputError: `out` exists, or cannot be written.
    """
    dataset = data if isinstance(data, Dataset) or data is None else collection_of(data, lenient=lenient)
    target = place_of(out)
    report = exporting.export(
        format,
        score_store_of(store),
        target,
        dataset=dataset,
        teacher=teacher,
        choice=exporting.Choice(negatives, order, seed, margins),
        sources=listed(sources),
        missing=missing,
        command=command,
    )
    written = exporting.output(format, target)
    if written != target:
        note(f"{target} has no suffix, which chooses how a file is written: it became {written.name}")
    return Exported(written, format, report)
