"""`data`: making and checking collections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankdistill.data import Dataset, load, sources
from rankdistill.data import pydocs as docs
from rankdistill.data.beir import QUERIES
from rankdistill.data.trec import read_qrels
from rankdistill.data.writer import write_qrels
from rankdistill.display import Shown
from rankdistill.notes import note, note_reports
from rankdistill.verbs.arguments import Place, listed, place_of
from rankdistill.verbs.contract import verb

if TYPE_CHECKING:
    import polars as pl


@verb
def pydocs(
    out: Place,
    *,
    packages: str | Sequence[str] | None = None,
    limit: int | None = None,
    gzip: bool = False,
    command: str = "",
) -> Dataset:
    """Build a collection from the docstrings of installed packages: summary line -> the rest.

    Args:
        out: folder to write; one that holds exactly this collection is left as it is.
        packages: installed packages to read; common ones unless given.
        limit: keep so many documents, chosen by hash.
        gzip: write `.gz` files.
        command: the command line, for the manifest.

    Raises:
        ConfigError: a package is not installed, or a limit below 1.
        DataError: the packages have too few docstrings.
        StaleOutputError, OutputError: `out` holds something else.
    """
    docs.build(place_of(out), listed(packages) or None, limit, gzip, command)
    return _finished(place_of(out))


@verb
def fetch(name: str, out: Place, *, gzip: bool = False, command: str = "") -> Dataset:
    """Fetch a collection by name from MTEB, the Hugging Face hub or ir_datasets.

    Args:
        name: `mteb:SciFact`, `hf:BeIR/scifact` or `ir_datasets:beir/scifact`.
        out: folder to write; one that holds exactly this collection is left as it is.
        gzip: write `.gz` files.
        command: the command line, for the manifest.

    Raises:
        ConfigError: an unknown prefix.
        DataError: the name is unknown, or the network or hub could not be reached.
        MissingDependencyError: the source's library is not installed.
        StaleOutputError, OutputError: `out` holds something else.
    """
    sources.fetch(name, place_of(out), gzip, command)
    return _finished(place_of(out))


@verb
def check(folder: Place, *, show: int = 20) -> Dataset:
    """Open a collection and say what is wrong with it; `Dataset.reports` lists its bad rows.

    Args:
        folder: in BEIR layout.
        show: bad rows to note.

    Raises:
        DataError: a file is missing or unreadable, or nothing usable is in it.
    """
    dataset = load(place_of(folder), "lenient")
    note_reports(dataset.reports, show)
    return _noted(dataset)


@dataclass(frozen=True)
class Judgements(Shown):
    """Judgements that were written as a BEIR qrels file.

    Args:
        path: the file.
        judgements: how many.
        queries: how many queries they have.
    """

    path: Path
    judgements: int
    queries: int

    def lines(self) -> list[str]:
        """The counts."""
        return [f"{self.path}: {self.judgements:,} judgements of {self.queries:,} queries"]

    def to_polars(self) -> pl.DataFrame:
        """One row with the counts."""
        import polars as pl

        return pl.DataFrame([self.to_json()])

    def to_json(self) -> dict[str, Any]:
        """Path and counts."""
        return {"path": str(self.path), "judgements": self.judgements, "queries": self.queries}


@verb
def trec_qrels(file: Place, out: Place, *, lenient: bool = False) -> Judgements:
    """Convert TREC qrels to a BEIR qrels file.

    Args:
        file: headerless: `qid 0 did rel`.
        out: file to write, for example `DIR/qrels/test.tsv`.
        lenient: leave bad rows out instead of stopping.

    Raises:
        DataError: the file is missing, or has bad rows.
        OutputError: `out` cannot be written.
    """
    qrels, reports = read_qrels(place_of(file), "lenient" if lenient else "strict")
    note_reports(reports)
    write_qrels(place_of(out), qrels)
    return Judgements(place_of(out), sum(map(len, qrels.values())), len(qrels))


def _finished(out: Path) -> Dataset:
    dataset = load(out, "lenient")
    note_reports(dataset.reports)
    return _noted(dataset)


def _noted(dataset: Dataset) -> Dataset:
    if not dataset.query_texts:
        note(f"documents alone: without {QUERIES} there is nothing to mine, train on scores of or evaluate")
    for split in dataset.splits:
        for line in dataset.notes(split):
            note(line)
    return dataset
