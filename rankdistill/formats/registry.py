"""The formats by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from rankdistill import locations
from rankdistill.errors import ConfigError, DataError
from rankdistill.formats.rows import Row
from rankdistill.formats.source import Source

if TYPE_CHECKING:
    from rankdistill.formats.content import Export

FORMATS = {
    "sentence-transformers": "sentence_transformers",
    "sentence-transformers/msmarco": "msmarco",
    "msmarco-hard-negatives": "hard_negatives",
    "ce-scores": "ce_scores",
    "hofstatter": "hofstatter",
    "lighton": "lighton",
    "colbert": "colbert",
    "rank-distillm": "rank_distillm",
    "flagembedding": "flagembedding",
    "tevatron": "tevatron",
    "disco": "disco",
    "opensearch": "opensearch",
    "gpl": "gpl",
    "beir": "beir",
    "trec-run": "trec_run",
    "trec-qrels": "trec_qrels",
    "run-tsv": "run_tsv",
}
"""Name -> module of this package with `FORMAT`."""


READABLE = (".jsonl", ".parquet", ".tsv", ".txt", ".run", ".trec", ".qrels", ".pkl", ".pickle")
"""What is read of a folder given for a format of files; each may end in .gz too. Plain `.json` is mostly metadata."""


def data_files(source: Source) -> list[Path]:
    """The file that was given, or all data files of a folder in the order of their names.

    Raises:
        DataError: there is none.
    """
    if not source.path.is_dir():
        return [source.path]
    names = [path for path in locations.listing(source.path) if path.is_file() and path.name != "manifest.json"]
    found = [path for path in names if path.name.removesuffix(".gz").endswith(READABLE)]
    if not found:
        raise DataError(
            expected=f"data files in {source.path}",
            got=f"none that ends in {', '.join(READABLE)} (or with .gz after it)",
            consequence="nothing was read",
            remedy="give the file itself",
        )
    return found


@dataclass(frozen=True)
class Format:
    """How one format is read and written.

    Args:
        name: as in `FORMATS`.
        read: gives the rows of one file, rejecting those that cannot be used.
        write: writes an export to a file (or folder).
        suffixes: what a file's name ends in when written, the first where it has none; empty: the format is a folder.
        needs_texts: what is written and read holds texts, not ids alone.
        has_scores: what is read and written holds scores or margins, not labels only.
        parts: the files to read of what the user gave; formats that are a folder remember its texts on the way.
    """

    name: str
    read: Callable[[Source], Iterator[Row]]
    write: Callable[[Path, Export], None]
    suffixes: tuple[str, ...]
    needs_texts: bool
    has_scores: bool = True
    parts: Callable[[Source], list[Path]] = data_files


def named(name: str) -> Format:
    """The format of that name.

    Raises:
        ConfigError: there is none.
    """
    if name not in FORMATS:
        raise ConfigError(
            expected=f"a format among {', '.join(FORMATS)}",
            got=repr(name),
            consequence="nothing was read or written",
            remedy="choose one of them; docs/formats.md describes each",
        )
    found: Format = import_module(f"rankdistill.formats.{FORMATS[name]}").FORMAT
    return found
