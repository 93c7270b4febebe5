"""What a conversion says of itself, in `meta.json` and as notes: what was found, guessed, counted and left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rankdistill.data.converting import text_folder
from rankdistill.data.converting.beir_folder import BeirFolder
from rankdistill.data.converting.csv_table import CsvTable
from rankdistill.data.converting.documents import Rows
from rankdistill.data.converting.text_folder import TextFolder

LONG = 5000
"""Letters of a document from which a note says that models do not read it whole."""

Source = Rows | TextFolder | BeirFolder


@dataclass
class Counts:
    """What was written.

    Args:
        documents: how many.
        long: those of more than `LONG` letters.
        passages: rows of the corpus, where documents were cut.
    """

    documents: int = 0
    long: int = 0
    passages: int = 0


def told(
    source: Source, kind: str, encoding: str | None, counts: Counts, cut: bool, note: Callable[[str | None], None]
) -> dict[str, Any]:
    """What `meta.json` says of the documents; what a user must know besides goes to `note`.

    Args:
        source: they come from, read to its end.
        kind: of it.
        encoding: that was given; None: it was found.
        counts: of them.
        cut: whether they were cut into passages.
        note: takes a note.
    """
    found: dict[str, Any] = {"from": kind, "documents": counts.documents}
    if isinstance(source, Rows):
        found["columns"] = dict(source.chosen.columns)
        note(_columns(source))
    if isinstance(source, TextFolder) and source.others:
        note(f"left out {source.others.total():,} files that are no text: {text_folder.told(source.others)}")
    encodings = Counter(source.table.encodings if isinstance(source, Rows) else source.encodings)
    if encodings:
        found["encodings"] = dict(sorted(encodings.items()))
        names = source.found if isinstance(source, TextFolder) else {}
        others = sorted(encodings.keys() - {"utf-8", "utf-8-sig", encoding})
        if shown := [f"{one}{_counted(names.get(one, []), encodings[one])}" for one in others]:
            note(f"read in other encodings than UTF-8: {'; '.join(shown)}; --encoding says another")
    if isinstance(source, Rows) and isinstance(source.table, CsvTable):
        unusual = {one.separator for one in source.table.dialects} - {",", "\t"}
        if unusual and len(source.table.columns) > 1:
            note(f"columns are separated by {' or '.join(map(repr, sorted(unusual)))}")
    if cut:
        found["passages"] = counts.passages
    elif counts.long:
        note(
            f"{counts.long:,} of {counts.documents:,} documents have more than {LONG:,} letters, of which models read "
            "the beginning: --passage-tokens N --tokenizer MODEL cuts them into passages"
        )
    return found


def _columns(source: Rows) -> str | None:
    taken = {*source.chosen.columns.values(), *source.keep}
    left = [one.name for one in source.table.columns if one.name not in taken]
    if not left:
        return None
    return f"columns left out: {', '.join(map(repr, left[:20]))}; --keep COLUMN keeps one as metadata"


def _counted(names: Sequence[str], count: int) -> str:
    """How many files, and some of them; nothing of one that has no name."""
    return f" ({count:,} files, as {', '.join(names[:3])})" if names else f" ({count:,} files)" if count > 1 else ""
