"""Generated queries by the content that they were made of, so that nothing is asked for, or paid for, twice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rankdistill import files, locations, manifest
from rankdistill.data.json_lines import parse_object
from rankdistill.data.lines import numbered
from rankdistill.data.values import RowError, without_halves
from rankdistill.data.writer import write_lines
from rankdistill.errors import DataError
from rankdistill.querying.generator import Written
from rankdistill.records import Document
from rankdistill.stores.answers import Came

NAMED_BY_CONTENT = "sha256-"
"""How the name of a file begins that goes on with the SHA-256 of its bytes; those of earlier versions have none."""


class Cache:
    """What one generator wrote, in files of JSON lines of which none is ever changed: each is named by its content.

    Args:
        folder: of any number of generators.
        fingerprint: of this one; it has a folder of its own there.
        count: queries of a document that are asked for.

    Raises:
        DataError: a file there is damaged.
    """

    def __init__(self, folder: Path, fingerprint: Mapping[str, Any], count: int) -> None:
        self._generator, self._count = manifest.digest(fingerprint), count
        self._folder = folder / f"{fingerprint['kind']}-{self._generator[:12]}"
        self._held = dict(row for path in locations.listing(self._folder, "*.jsonl") for row in _rows(path))
        self._came = Came(folder, self._folder.name)
        self._came.fold(self._held, lambda left: self._write({key: _written(text) for key, text in left.items()}))

    def key(self, document: Document) -> str:
        """What the queries of `document` are known by: generator, texts, and how many are asked for."""
        return manifest.digest([self._generator, self._count, document.title, document.text])

    def get(self, document: Document) -> list[Written] | None:
        """The queries of `document`; None where they were not made yet."""
        return self._held.get(self.key(document))

    def keep(self, document: Document, written: list[Written]) -> None:
        """Keep the queries of a document at once, as what a service is paid for is; `add` puts them into a file."""
        self._came.keep(self.key(document), json.dumps(written))

    def add(self, made: Sequence[tuple[Document, list[Written]]]) -> None:
        """Keep what was made, as one file."""
        if made:
            self._write({self.key(document): written for document, written in made})
            self._came.forget()

    def _write(self, rows: Mapping[str, list[Written]]) -> None:
        self._held |= rows
        lines = [json.dumps({"key": key, "queries": rows[key]}, ensure_ascii=False) for key in sorted(rows)]
        content = hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()
        files.make_folder(self._folder)
        write_lines(self._folder / f"{NAMED_BY_CONTENT}{content}.jsonl", lines)


def _written(text: str) -> list[Written]:
    return [Written(kind, without_halves(query)) for kind, query in json.loads(text)]


def _rows(path: Path) -> list[tuple[str, list[Written]]]:
    try:
        if path.name.startswith(NAMED_BY_CONTENT) and files.hash_file(path) not in path.name:
            raise ValueError("other bytes than its name tells: it was damaged or changed")
        rows = [parse_object(line) for _, line in numbered(path)]
        return [(row["key"], [Written(kind, text) for kind, text in row["queries"]]) for row in rows]
    except (RowError, KeyError, TypeError, ValueError) as error:
        raise DataError(
            expected=f"generated queries in {path}",
            got=str(error),
            consequence="nothing was generated",
            remedy="remove the file: what it held is generated again",
        ) from error
