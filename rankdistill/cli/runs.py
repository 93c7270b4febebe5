"""Runs that were written before, as the verbs open them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rankdistill.cli import console

if TYPE_CHECKING:
    from rankdistill.data import Dataset
    from rankdistill.evaluation.stored_run import StoredRun


def open_run(path: Path, dataset: Dataset, split: str) -> StoredRun:
    """The run at `path`; a note on standard error says how many queries of `split` it does not answer."""
    from rankdistill.evaluation.stored_run import StoredRun

    run = StoredRun(path, dataset, split)
    queries = dataset.queries(split)
    lacking = len(queries.keys() - run.answered)
    if lacking:
        console.err.print(
            f"note: {path} has no documents for {lacking:,} of {len(queries):,} queries of {split!r}",
            highlight=False,
            soft_wrap=True,
            markup=False,
        )
    return run
