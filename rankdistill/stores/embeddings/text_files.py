"""Texts from files: one a line (plain or .gz), JSON lines, or Parquet; with a kind for the file, or one a row."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from rankdistill import files, tables
from rankdistill.data import lines
from rankdistill.errors import ConfigError, DataError
from rankdistill.teachers.base import Role

KINDS: tuple[Role, ...] = get_args(Role)

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
        if self.kind is None:
            raise ConfigError(
                expected="the kind of the texts of a plain file: query=FILE or document=FILE",
                got=str(self.path),
                consequence="nothing was embedded: the teacher's prompts differ for queries and documents",
                remedy=f"write --texts query={self.path.name} or --texts document={self.path.name}",
            )
        for number, line in lines.numbered(self.path):
            try:
                yield self.kind, line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise self._bad(number, str(error)) from error

    def _json_rows(self) -> Iterator[Row]:
        for number, line in lines.numbered(self.path):
            if not line.strip():
                continue
            try:
                row = json.loads(line.decode("utf-8-sig"))
            except ValueError as error:  # broken JSON and broken UTF-8 alike
                raise self._bad(number, f"broken JSON: {error}") from error
            if not isinstance(row, dict):
                raise self._bad(number, f"a JSON {type(row).__name__}, not an object")
            yield self._row(number, row.get("kind"), row.get("text"))

    def _parquet_rows(self) -> Iterator[Row]:
        wanted = ["text"] if self.kind else ["text", "kind"]
        number = 0
        with tables.open_parquet(self.path) as file:
            if missing := [name for name in wanted if name not in file.schema_arrow.names]:
                raise self._bad(0, f"no column {' or '.join(missing)}; there are {', '.join(file.schema_arrow.names)}")
            for batch in file.iter_batches(8192, columns=wanted):
                for row in batch.to_pylist():
                    number += 1
                    yield self._row(number, row.get("kind"), "" if row["text"] is None else row["text"])

    def _row(self, number: int, kind: object, text: object) -> Row:
        chosen = self.kind or kind
        if chosen not in KINDS:
            raise self._bad(number, f"the kind {kind!r}")
        if not isinstance(text, str):
            raise self._bad(number, f"the text {text!r}")
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise self._bad(number, f"broken Unicode: {error.reason}") from error
        return chosen, text

    def _bad(self, number: int, got: str) -> DataError:
        return DataError(
            expected="rows with a text in `text` and query or document in `kind` (or query=FILE, document=FILE)",
            got=f"{self.path}:{number}: {got}",
            consequence="nothing was embedded",
            remedy="correct that row, or say the kind of the whole file",
        )


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
