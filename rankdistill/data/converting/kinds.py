"""What a file or folder is: one entry a kind, and how it is known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from rankdistill import locations
from rankdistill.data.converting import decoding, text_folder
from rankdistill.data.converting.arrow_table import ArrowTable
from rankdistill.data.converting.csv_table import CsvTable
from rankdistill.data.converting.json_table import JsonTable
from rankdistill.data.converting.parquet_table import ParquetTable
from rankdistill.data.converting.table import Table
from rankdistill.errors import ConfigError, DataError
from rankdistill.manifest import CORPUS

FILES, BEIR, DATASETS = "files", "beir", "datasets"


class Kind(NamedTuple):
    """A kind of file that holds a table.

    Args:
        endings: of its files' names, in lower case, without `.gz`.
        open: its paths, and an encoding and a separator, where they are given -> the table.
    """

    endings: frozenset[str]
    open: Callable[[Sequence[Path], str | None, str | None], Table]


TABLES = {
    "csv": Kind(frozenset({".csv", ".tsv", ".tab"}), CsvTable),
    "jsonl": Kind(frozenset({".jsonl", ".ndjson", ".json"}), lambda paths, *_: JsonTable(paths)),
    "parquet": Kind(frozenset({".parquet", ".pq"}), lambda paths, *_: ParquetTable(paths)),
}
"""Kinds of tables in files, of which a folder may hold several."""

KINDS = (FILES, *TABLES, DATASETS, BEIR)
"""What `--from` may be."""

_SAVED = ("state.json", "dataset_dict.json")
"""What a folder of `datasets` holds."""


def ending(path: Path) -> str:
    """The end of a file's name, in lower case, without `.gz`."""
    return Path(path.name.lower().removesuffix(".gz")).suffix


def of_file(path: Path) -> str | None:
    """The kind of table in a file, by its name or else its first bytes; None where it is none."""
    for name, kind in TABLES.items():
        if ending(path) in kind.endings:
            return name
    if ending(path):
        return None
    try:
        with decoding.opened(path) as stream:
            head = stream.read(16).lstrip()
    except (OSError, EOFError):
        return None
    return "parquet" if head.startswith(b"PAR1") else "jsonl" if head.startswith(b"{") else None


def find(place: Path, most: int | None = None, beside: frozenset[Path] = frozenset()) -> str:
    """The kind of what lies at `place`; of a folder, by its first `most` files; those `beside` documents are none.

    Raises:
        DataError: nothing lies there, nothing that is known, or files of several kinds.
    """
    if place.is_file():
        kind = of_file(place)
        if kind is None and ending(place) in text_folder.READERS:
            return FILES
        if kind is None:
            remedy = "give it a name that ends as these do, or --from KIND"
            if ending(place) in _DOCUMENTS:
                remedy = "write its text into a file first (pdftotext, pandoc, or the program that made it)"
            raise _unknown(f"{place}: a file of another kind", remedy)
        return kind
    if not place.is_dir():
        raise _unknown(
            f"{place}: {'no file and no folder' if place.exists() else 'nothing is there'}", "check the path"
        )
    if any((place / name).is_file() for name in (CORPUS, f"{CORPUS}.gz")):
        return BEIR
    if any((place / name).is_file() for name in _SAVED):
        return DATASETS
    kinds = Counter[str]()
    for path in visible(place, beside)[:most]:
        kinds[of_file(path) or ""] += 1
    tables = sorted(kinds.keys() & TABLES.keys())
    has_texts = text_folder.has_texts(place, most, beside)
    if len(tables) + has_texts > 1:
        texts = "text files" if has_texts else ""
        shown = ", ".join(filter(None, [texts, *(f"{kinds[one]} of {one}" for one in tables)]))
        raise _unknown(
            f"{place}: files of several kinds: {shown}",
            f"say which: --from {FILES if has_texts else tables[0]} takes those alone; or give one file",
        )
    if not tables and not has_texts:
        others = text_folder.TextFolder(place).others if most is None else Counter()
        raise _unknown(
            f"{place}: {'no text file, but ' + text_folder.told(others) if others else 'an empty folder'}",
            "give the folder with the documents",
        )
    return tables[0] if tables else FILES


def visible(folder: Path, beside: frozenset[Path] = frozenset()) -> list[Path]:
    """The files directly in a folder that are not hidden, in order, without those `beside`.

    Raises:
        DataError: it cannot be read.
    """
    try:
        found = [path for path in locations.listing(folder) if path.is_file() and not path.name.startswith(".")]
        return [path for path in found if not beside or path.resolve() not in beside]
    except OSError as error:
        raise _unknown(f"{folder}: {error.strerror or error}", "change its permissions") from error


def open_table(
    place: Path,
    kind: str,
    encoding: str | None = None,
    separator: str | None = None,
    beside: frozenset[Path] = frozenset(),
) -> Table:
    """The table at `place`, a file or a folder of files of that kind, without those `beside`.

    Raises:
        DataError: no file of that kind is there.
        ConfigError: an encoding or a separator of a kind that has none.
    """
    _require_text(kind, encoding, separator)
    if kind == DATASETS:
        return ArrowTable(place)
    found = [path for path in visible(place, beside) if of_file(path) == kind] if place.is_dir() else [place]
    if not found or not place.exists():
        raise _unknown(f"{place}: no file of the kind {kind}", "check the path, or name another kind")
    return TABLES[kind].open(found, encoding, separator)


def _require_text(kind: str, encoding: str | None, separator: str | None) -> None:
    given = {"--encoding": encoding, "--delimiter": separator}
    named = [flag for flag, value in given.items() if value is not None]
    if named and kind != "csv":
        raise ConfigError(
            expected=f"{' and '.join(named)} with CSV files",
            got=f"the kind {kind}, which has neither: it says itself how its letters are written",
            consequence="nothing was read",
            remedy="leave them out",
        )


def require_kind(kind: str | None) -> None:
    """Raise ConfigError unless it is None or one of `KINDS`."""
    if kind is not None and kind not in KINDS:
        raise ConfigError(
            expected=f"one of {', '.join(KINDS)}",
            got=repr(kind),
            consequence="nothing was read",
            remedy="leave it out to have it found",
        )


_DOCUMENTS = (".pdf", ".docx", ".doc", ".odt", ".rtf", ".epub", ".pptx", ".xlsx", ".xls", ".ods")
"""Endings of files that hold texts among other things: another name makes none of them readable."""


def _unknown(got: str, remedy: str) -> DataError:
    texts = ", ".join(text_folder.READERS)
    endings = "; ".join(f"{name}: {', '.join(sorted(kind.endings))}" for name, kind in TABLES.items())
    return DataError(
        expected=f"a folder of text files ({texts}), a table ({endings}), a folder saved by datasets, or a BEIR folder",
        got=got,
        consequence="nothing was written",
        remedy=remedy,
    )
