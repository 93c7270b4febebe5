"""Rewrites by the content that they were made of, so that nothing is asked for, or paid for, twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from rankdistill import files, locations, manifest
from rankdistill.data.values import without_halves
from rankdistill.errors import DataError
from rankdistill.sessions.schema import Asked
from rankdistill.stores.answers import Came
from rankdistill.tables import read_parquet, write_parquet

SCHEMA = pa.schema([pa.field("key", pa.string(), nullable=False), pa.field("rewrite", pa.string(), nullable=False)])
"""One row a conversation, sorted by key; an empty rewrite is one that the rewriter gave none of."""


class Cache:
    """What one rewriter wrote, in Parquet files of which none is ever changed.

    Args:
        folder: of any number of rewriters.
        fingerprint: of this one; it has a folder of its own there.

    Raises:
        DataError: a file there is damaged.
    """

    def __init__(self, folder: Path, fingerprint: Mapping[str, Any]) -> None:
        self._rewriter = manifest.digest(fingerprint)
        self._folder = folder / f"{fingerprint['kind']}-{self._rewriter[:12]}"
        self._held: dict[str, str] = {}
        for path in locations.listing(self._folder, "*.parquet"):
            self._held |= _rows(path)
        self._came = Came(folder, self._folder.name)
        self._came.fold(self._held, lambda left: self._write({key: without_halves(one) for key, one in left.items()}))

    def key(self, asked: Asked) -> str:
        """What a rewrite is known by: the rewriter, and all that was said up to the question."""
        return manifest.digest([self._rewriter, asked.said])

    def get(self, asked: Asked) -> str | None:
        """The rewrite of a question; None where it was not made yet."""
        return self._held.get(self.key(asked))

    def keep(self, asked: Asked, rewrite: str) -> None:
        """Keep a rewrite at once, as what a service is paid for is; `add` puts it into a file with others."""
        self._came.keep(self.key(asked), rewrite)

    def add(self, made: Sequence[tuple[Asked, str]]) -> None:
        """Keep what was made, as one file."""
        if made:
            self._write({self.key(asked): rewrite for asked, rewrite in made})
            self._came.forget()

    def _write(self, rows: Mapping[str, str]) -> None:
        self._held |= rows
        keys = sorted(rows)
        files.make_folder(self._folder)
        table = pa.table({"key": keys, "rewrite": [rows[key] for key in keys]}, schema=SCHEMA)
        write_parquet(self._folder / f"{manifest.digest(keys)[:32]}.parquet", table)


def _rows(path: Path) -> dict[str, str]:
    try:
        rows = read_parquet(path, schema=SCHEMA).to_pydict()
    except (OSError, pa.ArrowException) as error:
        raise DataError(
            expected=f"rewrites by content in {path}",
            got=str(error),
            consequence="nothing was rewritten",
            remedy="remove the file: what it held is asked for again",
        ) from error
    return dict(zip(rows["key"], rows["rewrite"], strict=True))
