"""How the verbs that rank open a collection: its rule on identical ids, its bad rows, and what to know of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rankdistill.cli import console

if TYPE_CHECKING:
    from rankdistill.data import Dataset


def open_collection(
    folder: Path, split: str | None, lenient: bool = False, ignore_identical_ids: bool | None = None
) -> Dataset:
    """The collection in `folder`; bad rows that were left out and notes on `split` go to standard error.

    Raises:
        DataError: see `rankdistill.data.load`; no such split.
    """
    from rankdistill.data import load

    dataset = load(folder, "lenient" if lenient else "strict", ignore_identical_ids)
    console.show_reports(dataset.reports)
    if split is not None:
        console.show_notes(dataset.notes(split))
    return dataset
