"""`import_scores`: scores, or candidates, that others made."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from rankdistill.data import Dataset
from rankdistill.display import Shown
from rankdistill.formats import importing
from rankdistill.locations import home
from rankdistill.notes import note, note_reports
from rankdistill.progress import ProgressLike, reporter_of
from rankdistill.teachers.base import ScoreKind
from rankdistill.verbs.arguments import Data, Place, collection_of, listed, place_of
from rankdistill.verbs.contract import verb_with_stores

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, repr=False)
class Imported(Shown):
    """What an import did; it prints as a line.

    Args:
        path: the store, or the folder of candidates.
        teacher_name: whose scores, or what the candidates' source is called.
        pairs: unique (query, document) pairs.
        queries: how many queries they have.
        added: False if the output held all of it already.
        rejected: rows that were left out.
    """

    path: Path
    teacher_name: str
    pairs: int
    queries: int
    added: bool
    rejected: int

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"Imported({str(self.path)!r}: {self.pairs:,} pairs of {self.queries:,} queries)"

    def lines(self) -> list[str]:
        """How much was imported, and where to."""
        held = "" if self.added else ", held already"
        return [f"{self.path}: {self.pairs:,} pairs of {self.queries:,} queries from {self.teacher_name}{held}"]

    def to_polars(self) -> pl.DataFrame:
        """One row with the fields."""
        import polars as pl

        return pl.DataFrame([self.to_json()])

    def to_json(self) -> dict[str, Any]:
        """The fields."""
        return asdict(self) | {"path": str(self.path)}


@verb_with_stores("out")
def import_scores(
    inputs: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    out: Place,
    *,
    format: str,
    teacher_name: str,
    data: Data | None = None,
    split: str | None = None,
    score_kind: str | None = None,
    as_: Literal["scores", "candidates"] = "scores",
    allow_pickle: bool = False,
    lenient: bool = False,
    progress: ProgressLike = False,
    command: str = "",
) -> Imported:
    """Add scores from files to a store, as a teacher of its own. The same import again changes nothing.

    Args:
        inputs: a file or folder, or several.
        out: the store to add them to, created if absent; or the folder for candidates.
        format: of the inputs; docs/formats.md lists them.
        teacher_name: name of the teacher that these are the scores of.
        data: the collection, for texts and labels.
        split: whose labels count; every split's unless given.
        score_kind: unit of the scores: `logit`, `probability`, `cosine`, `dot` or `rank`; unknown unless given.
        as_: a store of `scores`; or `candidates` for `score`, which need no scores.
        allow_pickle: read a pickle, of which only plain numbers are admitted.
        lenient: leave bad rows out instead of stopping.
        progress: True tells on standard error; or a function that takes the number of rows just read or written.
        command: the command line, for the manifest.

    Returns:
        What was imported; `rankdistill.open(out)` opens it.

    Raises:
        ConfigError: no such format, score kind, or a pickle that was not allowed.
        DataError: a file cannot be read, has bad rows, or none that can be used.
        StoreError, StaleOutputError, LockedError, OutputError: see `rankdistill.stores.importing.add_table`.
    """
    dataset = data if isinstance(data, Dataset) or data is None else collection_of(data, lenient=lenient)
    folder = place_of(out)
    request = importing.Request(
        format,
        [Path(home(os.fspath(path))) for path in listed(inputs)],
        teacher_name,
        score_kind=cast(ScoreKind | None, score_kind),
        dataset=dataset,
        split=split,
        lenient=lenient,
        allow_pickle=allow_pickle,
    )
    run = importing.import_scores if as_ == "scores" else importing.import_candidates
    with reporter_of(progress).stage(f"importing {teacher_name}", "rows") as stage:
        done = run(request, folder, command=command, progress=stage)
    note_reports(list(done.reports))
    if done.rejected > len(done.reports):
        note(f"{done.rejected:,} bad rows in all")
    return Imported(folder, teacher_name, done.pairs, done.queries, done.added, done.rejected)
