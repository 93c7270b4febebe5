"""Texts from files: one a line (plain or .gz), JSON lines, or Parquet; with a kind for the file, or one a row."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from rankdistill import files, tables
from rankdistill.data import json_lines, lines, values
from rankdistill.data.converting.advice import advice
from rankdistill.data.values import RowError
from rankdistill.errors import ConfigError, DataError
from rankdistill.teachers.base import Role

KINDS: tuple[Role, ...] = get_args(Role)

NOT_TEXTS = frozenset(
    {".csv", ".tsv", ".xlsx", ".xls", ".html", ".htm", ".xml", ".yaml", ".yml", ".zip", ".bz2", ".xz", ".zst"}
)
"""Suffixes of files that are not one text a line."""

COLUMN_NAMES = frozenset(
    {
        *("id", "_id", "qid", "did", "docid", "pid", "query_id", "query-id", "doc_id", "document_id", "passage_id"),
        *("corpus-id", "text", "title", "query", "document", "passage", "question", "answer", "sentence", "content"),
        *("contents", "body", "label", "score", "kind"),
    }
)
"""What columns of texts, and those beside them, are called."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")

Row = tuple[Role, str]
"""Kind and text."""


@dataclass(frozen=True)
class TextFile:
    """A file of texts.

    Args:
        path: `.parquet` has columns `text` and, unless `kind` is given, `kind`; `.jsonl` and `.json` objects with the
            same fields; any other file has one text a line. The last two may be `.gz`.
        kind: of all its texts; None leaves it to the rows.
    """

    path: Path
    kind: Role | None = None

    @property
    def fingerprint(self) -> str:
        """Content hash (hex)."""
        return files.hash_file(self.path)

    def rows(self) -> Iterator[Row]:
        """The texts in their order, empty ones too.

        Raises:
            DataError: the file is absent or damaged, or a row has no text or no kind.
            ConfigError: a file without kinds, and none is given.
        """
        return self._reader()()

    def _reader(self) -> Callable[[], Iterator[Row]]:
        name = self.path.name.removesuffix(".gz")
        if name.endswith(".parquet"):
            return self._parquet_rows
        return self._json_rows if name.endswith((".jsonl", ".json")) else self._plain_rows

    def _plain_rows(self) -> Iterator[Row]:
        suffix = Path(self.path.name.lower().removesuffix(".gz")).suffix
        if suffix in NOT_TEXTS:
            raise self._not_plain(f"a name that ends in {suffix}")
        if self.kind is None:
            raise ConfigError(
                expected="the kind of the texts of a plain file: query=FILE or document=FILE",
                got=str(self.path),
                consequence="nothing was embedded: the teacher's prompts differ for queries and documents",
                remedy=f"write --texts query={self.path.name} or --texts document={self.path.name}",
            )
        for number, line in lines.numbered(self.path):
            try:
                text = line.decode()
            except UnicodeDecodeError as error:
                raise self._bad(number, str(error)) from error
            if number == 1 and _is_header(text):
                raise self._not_plain(f"columns under the header {text.strip()[:80]!r}")
            if number == 1 and _is_json(text):
                raise self._not_plain(f"JSON: {text.strip()[:80]}")
            yield self.kind, text

    def _json_rows(self) -> Iterator[Row]:
        for number, line in lines.numbered(self.path):
            if not line.strip():
                continue
            try:
                row = json_lines.parse_object(line)
            except RowError as error:
                raise self._bad(number, str(error)) from error
            if "text" not in row:
                raise self._bad(number, "the text None: there is no field `text`")
            yield self._row(number, row.get("kind"), row["text"])

    def _parquet_rows(self) -> Iterator[Row]:
        wanted = ["text"] if self.kind else ["text", "kind"]
        number = 0
        with tables.open_parquet(self.path) as file:
            if missing := [name for name in wanted if name not in file.schema_arrow.names]:
                raise self._bad(0, f"no column {' or '.join(missing)}; there are {', '.join(file.schema_arrow.names)}")
            for batch in file.iter_batches(8192, columns=wanted):
                for row in batch.to_pylist():
                    number += 1
                    yield self._row(number, row.get("kind"), row["text"])

    def _row(self, number: int, kind: object, text: object) -> Row:
        chosen = self.kind or kind
        if chosen not in KINDS:
            raise self._bad(number, f"the kind {kind!r}")
        if not isinstance(text, str | None):
            raise self._bad(number, f"the text {text!r:.80}")
        try:
            return chosen, "" if text is None else values.string(text, "the text")
        except RowError as error:
            raise self._bad(number, str(error)) from error

    def _not_plain(self, got: str) -> DataError:
        return DataError(
            expected="a file with one text a line (.txt), JSON lines with `text` (.jsonl), or Parquet with a `text`",
            got=f"{self.path}: {got}",
            consequence="nothing was embedded: ids, scores and column names would have become part of the texts",
            remedy=f"write the column with the texts to a .txt, .jsonl or .parquet file{_or_convert(self.path)}",
        )

    def _bad(self, number: int, got: str) -> DataError:
        return DataError(
            expected="rows with a text in `text` and query or document in `kind` (or query=FILE, document=FILE)",
            got=f"{self.path}:{number}: {got}",
            consequence="nothing was embedded",
            remedy="correct that row, or say the kind of the whole file",
        )


def _or_convert(path: Path) -> str:
    """What else can be done about a table."""
    how = advice(path)
    return f"; or give --data: {how}" if how else ""


def _is_header(line: str) -> bool:
    """Whether the first line of a file names columns rather than being a text."""
    for separator in ("\t", ",", ";", "|"):
        names = [name.strip('"') for name in line.strip().split(separator)]
        if len(names) > 1 and all(map(_NAME.fullmatch, names)) and COLUMN_NAMES.intersection(map(str.lower, names)):
            return True
    return False


def _is_json(line: str) -> bool:
    try:
        return line.lstrip().startswith("{") and isinstance(json_lines.parse(line.encode()), dict)
    except RowError:
        return False


def parse_text_file(words: str) -> TextFile:
    """The file that `FILE`, `query=FILE` or `document=FILE` names.

    Raises:
        DataError: there is no such file.
    """
    kind, _, name = words.partition("=")
    found = TextFile(Path(name), kind) if name and kind in KINDS else TextFile(Path(words))
    if not found.path.is_file():
        raise DataError(
            expected="a file of texts: FILE, query=FILE or document=FILE",
            got=f"{words}: no such file",
            consequence="nothing was embedded",
            remedy="check the path",
        )
    return found
